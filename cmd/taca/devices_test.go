package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDevicesText: a card that reports everything, and one that is hidden and
// reports little.
func TestDevicesText(t *testing.T) {
	const gib = 1 << 30
	one, zero := 1, 0
	d := devices{
		processor{"CPU of a test", []string{"avx2", "portable"}, 8, 4 * gib},
		cardList{[]string{`CUDA_VISIBLE_DEVICES is "1"`}, "550.54.14", "12.4", []card{
			{Device: "cuda:0", Index: &one, UUID: "GPU-aaaa", Name: "NVIDIA GeForce RTX 4090", Capability: "8.9", Runs: "image for sm_89",
				Memory: 24 * gib, Used: 14 * gib, Power: 287.4, PowerLimit: 450, Temperature: 41, Utilization: &zero},
			{Index: &zero, UUID: "GPU-1111", Name: "Tesla T4", Capability: "7.5", Runs: "too old: needs compute capability 8.0", Memory: 15 * gib},
			{Device: "cuda:1", Name: "NVIDIA GB10", Power: 12, Trouble: "the card must be reset"},
		}},
	}
	var text strings.Builder
	if err := d.print(&text); err != nil {
		t.Fatal(err)
	}
	want := `cpu     CPU of a test; instruction sets: avx2, portable; 8 processors; 4.00 GiB of memory free
cuda    driver 550.54.14; for CUDA up to 12.4; CUDA_VISIBLE_DEVICES is "1"
cuda:0  NVIDIA GeForce RTX 4090; capability 8.9; image for sm_89; 14.00 GiB of 24.00 GiB in use; 287 of 450 W; 41 °C; 0 % busy; NVML index 1; GPU-aaaa
-       Tesla T4; not visible to this process; capability 7.5; too old: needs compute capability 8.0; 15.00 GiB of memory; NVML index 0; GPU-1111
cuda:1  NVIDIA GB10; 12 W; the card must be reset
`
	if text.String() != want {
		t.Errorf("prints\n%swant\n%s", text.String(), want)
	}
	bare, err := json.Marshal(d.CUDA.Cards[2])
	if want := `{"device":"cuda:1","name":"NVIDIA GB10","power_watts":12,"trouble":"the card must be reset"}`; err != nil || string(bare) != want {
		t.Errorf("what is not reported is in JSON: %s (%v), want %s", bare, err, want)
	}
}
