//go:build cuda

package cuda

import "taca/internal/cuda/driver"

// Card is an NVIDIA card as the CUDA driver shows it.
type Card struct {
	Ordinal    int // the i of cuda:i
	Name, UUID string
	Capability int // 89 is 8.9
	Memory     uint64
}

// Cards lists what the driver shows. Without a driver the error says so.
func Cards() ([]Card, error) {
	if err := driver.Open(); err != nil {
		return nil, err
	}
	devices, err := driver.Devices()
	if err != nil {
		return nil, err
	}
	var cards []Card
	for _, d := range devices {
		cards = append(cards, Card{d.Ordinal, d.Name, d.UUID, d.Capability, d.Memory})
	}
	return cards, nil
}

// Code is what a card of the given capability runs: machine code made for it,
// or PTX that the driver compiles, or nothing.
func Code(capability int) (what string, usable bool) {
	switch {
	case capability < oldest:
		return "too old: needs compute capability 8.0", false
	case images[capability] != "":
		return "image for " + images[capability], true
	}
	return "PTX, compiled by the driver", true
}

// images is which machine code in the program suits a capability: one made for
// the same major number and a minor one that is not newer. Orin's 8.7 is not
// promised to run what was made for desktop cards.
var images = map[int]string{
	80: "sm_80", 86: "sm_86", 89: "sm_89", 90: "sm_90", 100: "sm_100", 103: "sm_100", 120: "sm_120", 121: "sm_120",
}

// Usable is the first card that can be computed on, if there is one.
func Usable() (ordinal int, found bool) {
	cards, _ := Cards() // without a driver there are none
	for _, c := range cards {
		if _, usable := Code(c.Capability); usable {
			return c.Ordinal, true
		}
	}
	return 0, false
}
