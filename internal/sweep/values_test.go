package sweep

import (
	"slices"
	"strings"
	"testing"
)

func TestDecimals(t *testing.T) {
	for text, want := range map[string]string{
		"1":                  "1",
		"1.20":               "1.2",
		"1,1.2,1.4":          "1 1.2 1.4",
		"1.0:1.6:0.1":        "1 1.1 1.2 1.3 1.4 1.5 1.6",
		"1:1.6:0.2":          "1 1.2 1.4 1.6",
		"1:1.65:0.3":         "1 1.3 1.6",
		"2:1:-0.25":          "2 1.75 1.5 1.25 1",
		"0:3":                "0 1 2 3",
		"-1:1:.5":            "-1 -0.5 0 0.5 1",
		"5:5":                "5",
		"1, 3:4 ,+7.":        "1 3 4 7",
		"0.1:0.7:0.2":        "0.1 0.3 0.5 0.7", // 0.1 + 0.2 + 0.2 in float64 is 0.5, plus 0.2 is 0.7, but 3·0.1 is not 0.3
		"100000000000000001": "100000000000000001",
	} {
		got, err := Decimals(text)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v (%v), want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "write numbers", "a": "write numbers", "1e3": "write numbers", "1/3": "write numbers", "nan": "write numbers", "1,": "write numbers", "0x10": "write numbers",
		"1:2:0": "steps of 0 do not lead", "1:2:-1": "steps of -1 do not lead from 1 to 2", "2:1": "steps of 1 do not lead", "1:2:3:4": "FIRST:LAST:STEP",
		"1,1.0": "1 is there twice", "1:2:0.5,1.5": "1.5 is there twice", "0:1:0.00001": "more than 10000",
	} {
		if got, err := Decimals(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v (%v), want an error that says %q", text, got, err, want)
		}
	}
}

func TestIntegers(t *testing.T) {
	got, err := Integers("0:2,9223372036854775807")
	if err != nil || !slices.Equal(got, []int64{0, 1, 2, 1<<63 - 1}) {
		t.Errorf("%v (%v)", got, err)
	}
	for _, bad := range []string{"1.5", "9223372036854775808", "x"} {
		if got, err := Integers(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}
