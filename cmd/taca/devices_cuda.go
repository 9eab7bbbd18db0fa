//go:build cuda

package main

import (
	"fmt"
	"os"
	"strings"

	"taca/internal/cuda/nvml"
	"taca/internal/tensor"
)

// listCards asks the CUDA driver what this process may compute on, and NVML
// what the machine has.
func listCards() cardList {
	shown, notShown := shownCards()
	known, notKnown := nvml.Cards(nvml.Library())
	list := joinCards(shown, known)
	switch {
	case notShown != nil:
		list.Remarks = append(list.Remarks, notShown.Error()) // says why there is no card to compute on, driver or not
	case notKnown != nil:
		list.Remarks = append(list.Remarks, "no power and no memory in use: "+notKnown.Error())
	}
	if visible, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
		list.Remarks = append(list.Remarks, fmt.Sprintf("CUDA_VISIBLE_DEVICES is %q", visible))
	}
	return list
}

// cardMeter begins to watch the card that b computes on, until stop; read is
// nil where b is no card.
func cardMeter(b tensor.Backend) (read func() string, stop func()) {
	card, ok := b.(interface{ UUID() string })
	if !ok {
		return nil, func() {}
	}
	m := nvml.NewMeter(nvml.Library(), card.UUID())
	return func() string { return m.Latest().String() }, m.Close
}

// shownCard is a card as the CUDA driver shows it to this process.
type shownCard struct {
	Ordinal    int // the i of cuda:i
	Name, UUID string
	Capability int // 89 is 8.9
	Memory     uint64
}

// joinCards puts together what the two say. The CUDA driver counts only what
// CUDA_VISIBLE_DEVICES leaves, and in an order of its own, so cards are matched
// by UUID: first come those it shows, then the others that NVML knows.
func joinCards(shown []shownCard, known []nvml.Card) cardList {
	list := cardList{Cards: []card{}}
	byUUID := map[string]nvml.Card{}
	for _, k := range known {
		byUUID[strings.ToLower(k.UUID)] = k
		list.Driver = k.Driver
		if k.CUDA > 0 {
			list.CUDA = fmt.Sprintf("%d.%d", k.CUDA/1000, k.CUDA%1000/10)
		}
	}
	taken := map[int]bool{}
	for _, s := range shown {
		c := card{UUID: s.UUID, Name: s.Name, Memory: s.Memory, Capability: dotted(s.Capability)}
		if k, ok := byUUID[strings.ToLower(s.UUID)]; ok && s.UUID != "" {
			taken[k.Index] = true
			c = ofNVML(k)
		}
		c.Device = fmt.Sprintf("cuda:%d", s.Ordinal)
		c.Capability, c.Runs = dotted(s.Capability), codeFor(s.Capability)
		if c.Memory == 0 { // a card that shares the processor's; the driver knows how much
			c.Memory = s.Memory
		}
		list.Cards = append(list.Cards, c)
	}
	for _, k := range known {
		if !taken[k.Index] {
			list.Cards = append(list.Cards, ofNVML(k))
		}
	}
	return list
}

// ofNVML is what NVML says of a card.
func ofNVML(k nvml.Card) card {
	c := card{Index: &k.Index, UUID: k.UUID, Name: k.Name, Memory: k.Memory, Used: k.Used, Power: k.Power, PowerLimit: k.PowerLimit,
		Temperature: k.Temperature, Utilization: k.Utilization, Trouble: k.Trouble}
	if k.Capability > 0 {
		c.Capability, c.Runs = dotted(k.Capability), codeFor(k.Capability)
	}
	return c
}

// dotted is a capability as NVIDIA writes it.
func dotted(capability int) string { return fmt.Sprintf("%d.%d", capability/10, capability%10) }
