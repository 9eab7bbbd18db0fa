package tokenizer

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestClusters compares with the library that the reference uses.
func TestClusters(t *testing.T) {
	b, err := os.ReadFile("testdata/clusters.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")[1:]
	if len(lines) < 400 {
		t.Fatalf("only %d cases", len(lines))
	}
	for _, line := range lines {
		points, sizes, _ := strings.Cut(line, "|")
		var text string
		for _, p := range strings.Fields(points) {
			text += string(parseNumber(p, 16))
		}
		var got []string
		for rest := text; rest != ""; {
			n := unicodeTables().clusterLen(rest)
			got = append(got, strconv.Itoa(n))
			rest = rest[n:]
		}
		if want := strings.Fields(sizes); !slices.Equal(got, want) {
			t.Errorf("%s: got %s, want %s", points, got, want)
		}
	}
}
