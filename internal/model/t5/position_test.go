package t5

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// The bucket of every offset is the reference's, on the edges of buckets, too.
func TestBuckets(t *testing.T) {
	data, err := os.ReadFile("testdata/buckets.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Buckets, Distance, First int
		Rows                     []int32
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases (%v)", len(cases), err)
	}
	for _, want := range cases {
		c := Config{Buckets: want.Buckets, MaxDistance: want.Distance}
		for i, row := range want.Rows {
			if got := c.bucket(want.First + i); got != row {
				t.Errorf("%d buckets up to %d: offset %d is in bucket %d, want %d", c.Buckets, c.MaxDistance, want.First+i, got, row)
			}
		}
		n := 1 - want.First
		if !slices.Equal(c.buckets(n), want.Rows) {
			t.Errorf("%d buckets up to %d: the rows of %d tokens differ", c.Buckets, c.MaxDistance, n)
		}
	}
}
