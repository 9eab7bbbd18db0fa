package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"taca/kernels"
)

// kernelsFolder is where the kernels are, from here.
const kernelsFolder = "../../kernels"

// TestKernelImages sees that the embedded images were made from the sources as
// they are, by the tools that are pinned, on machines without them too.
func TestKernelImages(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.cu", "*.cuh", "*.h"} {
		found, err := filepath.Glob(filepath.Join(kernelsFolder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	files = append(files, filepath.Join(kernelsFolder, "geometry.json"), "../../scripts/kernels/tools.py")
	total := sha256.New()
	for _, path := range files {
		sum := sha256.Sum256(read(t, path))
		fmt.Fprintf(total, "%s %x\n", filepath.Base(path), sum)
	}
	want := strings.TrimSpace(string(read(t, filepath.Join(kernelsFolder, "images/sources.sha256"))))
	if got := hex.EncodeToString(total.Sum(nil)); got != want {
		t.Errorf("the kernels have changed since their images were made: run scripts/build-kernels")
	}
}

// compiled is what the assembler made of a kernel for one architecture.
type compiled struct {
	Registers, Shared, Threads, Blocks int
	SpillStores                        int     `json:"spill_stores"`
	PerProduct                         float64 `json:"per_product"` // instructions per HMMA in the hot loop
	LoopSpills                         int     `json:"loop_spills"`
	Products                           int
}

// TestKernelTable holds what the assembler made to the project's goals, and the
// table to the kernels that are in the images.
func TestKernelTable(t *testing.T) {
	var table map[string]map[string]compiled
	if err := json.Unmarshal(read(t, filepath.Join(kernelsFolder, "images/table.json")), &table); err != nil {
		t.Fatal(err)
	}
	ptx, err := kernels.PTX()
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, m := range regexp.MustCompile(`\.visible \.entry (\w+)`).FindAllSubmatch(ptx, -1) {
		entries = append(entries, string(m[1]))
	}
	slices.Sort(entries)
	if got := slices.Sorted(maps.Keys(table)); !slices.Equal(got, []string{"100", "120", "80", "86", "89", "90"}) {
		t.Errorf("the table is about architectures %v", got)
	}
	for architecture, rows := range table {
		if got := slices.Sorted(maps.Keys(rows)); !slices.Equal(got, entries) {
			t.Errorf("sm_%s: the table has %v, the PTX %v", architecture, got, entries)
		}
		for name, k := range rows {
			if k.LoopSpills > 0 && !slices.Contains(notUsed[name], architecture) {
				t.Errorf("sm_%s: %s spills %d times in its hot loop", architecture, name, k.LoopSpills)
			}
			if k.Blocks < 1 {
				t.Errorf("sm_%s: no block of %s fits on a multiprocessor", architecture, name)
			}
		}
	}
	for name, most := range perProduct {
		if got := table["80"][name]; got.PerProduct > most || got.Products == 0 {
			t.Errorf("%s: %.3f instructions per HMMA in a loop of %d, want at most %.2f", name, got.PerProduct, got.Products, most)
		}
	}
}

// notUsed is architectures on which a kernel is never launched: where a
// multiprocessor has 100 KiB of shared memory, heads of 128 take the narrow tile.
var notUsed = map[string][]string{"taca_attention_128": {"86", "89", "120"}, "taca_attention_128_narrow": {"80", "90", "100"}}

// perProduct is the most instructions per HMMA on sm_80: beside FlashAttention-2's
// 3.44 for heads of 128 and 4.34 for heads of 64, counted by the same rule.
var perProduct = map[string]float64{"taca_attention_128": 3.0, "taca_attention_64": 4.2}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
