package main

import (
	"math"
	"strconv"
	"strings"

	"taca/configs"
	"taca/internal/ram"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// hardware is where a run happens, and how much of it it may take.
type hardware struct {
	device  string // auto, cpu or cuda[:i]
	threads int    // of the processor; 0 is all
	offload residency.Mode
	memory  int // bytes of a card; 0 is what is free
	room    ram.Room
}

func hardwareOf(s configs.Settings) (hardware, error) {
	mode, err := residency.ParseMode(s.Offload)
	if err != nil {
		return hardware{}, usageError{err}
	}
	card, err := parseSize("--vram-limit", s.VRAMLimit)
	if err != nil {
		return hardware{}, err
	}
	most, err := parseSize("--ram-limit", s.RAMLimit)
	return hardware{s.Device, s.Threads, mode, card, ram.Free().Within(most, "--ram-limit")}, err
}

// open opens the device that settings name.
func (a *app) open(s configs.Settings) (tensor.Backend, error) {
	where, err := hardwareOf(s)
	if err != nil {
		return nil, err
	}
	return a.openBackend(where)
}

// units are what sizes may end with; as everywhere on cards, G and GB mean GiB.
var units = map[string]float64{"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

// parseSize reads "12GiB", "12G", "0.5 GB" or bytes; nothing is 0.
func parseSize(flag, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.ToUpper(strings.TrimSpace(text[len(digits):]))
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "IB"), "B")
	factor, known := units[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || !(n*factor >= 1) || n*factor > math.MaxInt64/2 {
		return 0, usagef("%s %q is no size: write for example 12GiB or 800MiB", flag, text)
	}
	return int(n * factor), nil
}

// onCard reports whether --device names a card.
func (h hardware) onCard() bool { return h.device == "cuda" || strings.HasPrefix(h.device, "cuda:") }
