//go:build cuda

package main

import (
	"testing"

	"taca/internal/cuda/nvml"
)

// TestDevicesJoined: cards are the same where their UUIDs are, whatever the
// order, and those of one side alone are listed too.
func TestDevicesJoined(t *testing.T) {
	const gib = 1 << 30
	known := []nvml.Card{
		{Index: 0, UUID: "GPU-1111", Name: "Tesla T4", Driver: "550.54.14", CUDA: 12040, Capability: 75, Memory: 15 * gib, Used: gib},
		{Index: 1, UUID: "GPU-aaaa", Name: "NVIDIA GeForce RTX 4090", Driver: "550.54.14", CUDA: 12040, Capability: 89, Memory: 24 * gib, Used: 2 * gib, Power: 24},
		{Index: 2, UUID: "GPU-bbbb", Name: "NVIDIA GB10", Driver: "550.54.14", CUDA: 12040, Capability: 121, Power: 12},
		{Index: 3, Driver: "550.54.14", CUDA: 12040, Trouble: "this user may not use the card"},
	}
	shown := []shownCard{
		{0, "NVIDIA GB10", "GPU-BBBB", 121, 119 * gib}, // one memory for card and processor: NVML has no number
		{1, "NVIDIA GeForce RTX 4090", "GPU-aaaa", 89, 23 * gib},
		{2, "NVIDIA A100 MIG 1g.5gb", "GPU-part", 80, 5 * gib}, // a part of a card is none in NVML
	}
	list := joinCards(shown, known)
	if list.Driver != "550.54.14" || list.CUDA != "12.4" {
		t.Errorf("driver %q for CUDA %q", list.Driver, list.CUDA)
	}
	want := []struct {
		device, uuid, capability string
		index                    int
		memory, used             uint64
	}{
		{"cuda:0", "GPU-bbbb", "12.1", 2, 119 * gib, 0},
		{"cuda:1", "GPU-aaaa", "8.9", 1, 24 * gib, 2 * gib},
		{"cuda:2", "GPU-part", "8.0", -1, 5 * gib, 0},
		{"", "GPU-1111", "7.5", 0, 15 * gib, gib},
		{"", "", "", 3, 0, 0},
	}
	if len(list.Cards) != len(want) {
		t.Fatalf("%d cards, want %d: %+v", len(list.Cards), len(want), list.Cards)
	}
	for i, w := range want {
		c := list.Cards[i]
		index := -1
		if c.Index != nil {
			index = *c.Index
		}
		if c.Device != w.device || c.UUID != w.uuid || c.Capability != w.capability || index != w.index || c.Memory != w.memory || c.Used != w.used {
			t.Errorf("card %d is %+v with NVML index %d, want %+v", i, c, index, w)
		}
		if c.Capability != "" && c.Runs != codeFor(map[string]int{"12.1": 121, "8.9": 89, "8.0": 80, "7.5": 75}[c.Capability]) {
			t.Errorf("card %d would run %q", i, c.Runs)
		}
	}
	if got := list.Cards[4].Trouble; got != "this user may not use the card" {
		t.Errorf("the last card's trouble is %q", got)
	}
}

// TestDevicesOneSide: either library may be missing.
func TestDevicesOneSide(t *testing.T) {
	alone := joinCards([]shownCard{{0, "NVIDIA L4", "GPU-1", 89, 1 << 34}}, nil).Cards
	if len(alone) != 1 || alone[0].Device != "cuda:0" || alone[0].Index != nil || alone[0].Memory != 1<<34 || alone[0].Name != "NVIDIA L4" {
		t.Errorf("without NVML: %+v", alone)
	}
	alone = joinCards(nil, []nvml.Card{{UUID: "GPU-1", Name: "NVIDIA L4"}}).Cards
	if len(alone) != 1 || alone[0].Device != "" || alone[0].Index == nil {
		t.Errorf("without the CUDA driver: %+v", alone)
	}
	if none := joinCards(nil, nil); none.Cards == nil || len(none.Cards) != 0 || none.Driver != "" {
		t.Errorf("without either: %+v", none)
	}
}
