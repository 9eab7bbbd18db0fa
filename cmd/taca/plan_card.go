package main

import (
	"fmt"
	"io"
	"strings"

	"taca/internal/pipeline"
	"taca/internal/residency"
)

// cardPlan is where weights live on a card. The encoders come and go one by
// one; the transformer and the VAE are there together.
type cardPlan struct {
	Memory  int     `json:"memory_bytes"`
	Offload string  `json:"offload"`
	Scratch int     `json:"scratch_bytes"`
	Reserve int     `json:"reserve_bytes"` // for the driver and matrix products
	Phases  []phase `json:"phases"`
	Fits    bool    `json:"fits"`
}

// phase is weights that are on the card at the same time.
type phase struct {
	Parts    string `json:"parts"`
	Weights  int    `json:"weight_bytes"`
	Resident int    `json:"resident_bytes"`
	Streamed int    `json:"streamed_bytes"` // each time all are used: a step, or one prompt
	Before   int    `json:"before_bytes"`   // streamed once, before the steps
	Ring     int    `json:"ring_bytes"`
	Short    int    `json:"short_bytes,omitempty"` // what is missing
}

// placeOnCard decides as the backend will.
func placeOnCard(parts pipeline.Plan, where hardware) *cardPlan {
	c := &cardPlan{Memory: where.memory, Offload: string(where.offload), Scratch: parts.Scratch(), Reserve: residency.Reserve, Fits: true}
	var names []string
	var groups []residency.Group
	for _, part := range parts {
		names = append(names, part.Part)
		for _, g := range part.Groups {
			groups = append(groups, residency.Group{Bytes: residency.Bytes(g), Seldom: part.Seldom})
		}
		if part.Seldom || part.Part == "transformer" { // the VAE is there with them
			continue
		}
		c.add(strings.Join(names, ", "), groups, where.offload)
		names, groups = nil, nil
	}
	return c
}

func (c *cardPlan) add(parts string, groups []residency.Group, mode residency.Mode) {
	budget := c.Memory - c.Reserve - c.Scratch
	p, err := residency.Decide(groups, budget, mode)
	f := phase{Parts: parts, Resident: p.ResidentBytes(), Streamed: p.StreamedBytes(), Before: p.SeldomBytes(), Ring: residency.Slots * p.Slot}
	for _, g := range groups {
		f.Weights += g.Bytes
	}
	if err != nil {
		c.Fits = false
		f.Short = max(p.DeviceBytes()-budget, 1)
	}
	c.Phases = append(c.Phases, f)
}

func (c *cardPlan) print(w io.Writer) {
	fmt.Fprintf(w, "on a card with %s (--offload %s), %s of it scratch, %s for the driver and cuBLASLt:\n",
		residency.Text(c.Memory), c.Offload, residency.Text(c.Scratch), residency.Text(c.Reserve))
	fmt.Fprintln(w, "weights of\tin all\tresident\tstreamed each time\tbefore\tring")
	for _, f := range c.Phases {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Parts, residency.Text(f.Weights), residency.Text(f.Resident), residency.Text(f.Streamed), residency.Text(f.Before), residency.Text(f.Ring))
		if f.Short > 0 {
			fmt.Fprintf(w, "%s\tdoes not fit: %s are missing\n", f.Parts, residency.Text(f.Short))
		}
	}
}
