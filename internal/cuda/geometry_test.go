//go:build cuda

package cuda

import (
	"encoding/json"
	"os"
	"testing"
)

// TestKernelGeometry sees that launches are as geometry.json says, from which
// the table of the kernels' occupancy was made.
func TestKernelGeometry(t *testing.T) {
	data, err := os.ReadFile("../../kernels/geometry.json")
	if err != nil {
		t.Fatal(err)
	}
	var geometries map[string]struct{ Threads, Shared int }
	if err := json.Unmarshal(data, &geometries); err != nil {
		t.Fatal(err)
	}
	b := device(t, Options{})
	defer closes(t, b)
	traffic(t, b)
	for _, tile := range []attentionTile{attention64, attention128, narrow128, attention512} {
		want := geometries[tile.kernel]
		if tile.threads != want.Threads || tile.shared() != want.Shared {
			t.Errorf("%s has %d threads and %d bytes, geometry.json says %v", tile.kernel, tile.threads, tile.shared(), want)
		}
	}
	if want := geometries["taca_attention_any"]; want.Shared != anyShared(64) {
		t.Errorf("taca_attention_any has %d bytes for heads of 64, geometry.json says %v", anyShared(64), want)
	}
	if want := geometries["taca_attention_stats"]; want.Shared != statsShared(128) {
		t.Errorf("taca_attention_stats has %d bytes for heads of 128, geometry.json says %v", statsShared(128), want)
	}
	if want := geometries["taca_conv3x3"]; want.Shared != convShared {
		t.Errorf("taca_conv3x3 has %d bytes, geometry.json says %v", convShared, want)
	}
	for name, id := range b.kernelIDs {
		for _, c := range b.queue.commands {
			w := b.queue.words[c.lo+1 : c.hi]
			if want, ok := geometries[name]; c.kind == runKernel && int(w[0]) == id && (!ok || int(w[3]) != want.Threads) {
				t.Errorf("%s is launched with %d threads, geometry.json says %v", name, w[3], want)
			}
		}
	}
}
