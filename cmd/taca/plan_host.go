package main

import (
	"fmt"
	"slices"

	"taca/internal/pipeline"
	"taca/internal/ram"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// hostPlan is what a picture takes of the processor's memory.
type hostPlan struct {
	Memory int        `json:"memory_bytes,omitempty"` // what there is; 0 where that is not known
	By     string     `json:"memory_by,omitempty"`    // what leaves no more
	Peak   int        `json:"peak_resident_bytes"`    // of the process: VmHWM in Linux' words
	Parts  []hostPart `json:"parts"`
}

// hostPart is one part of the model while it runs.
type hostPart struct {
	Part     string `json:"part"`
	Streamed int    `json:"streamed_bytes"` // of its weights: read again each time all are used
	Resident int    `json:"resident_bytes"` // of the process
}

// ownMemory is a backend that says what it takes beside weights and scratch.
type ownMemory interface {
	Workspace() int
	Packed(elements, cols int, d tensor.DType) int
}

const (
	// programBytes is what the program has resident beside a model: code,
	// vocabularies and small things, as measured.
	programBytes = 18 << 20
	// pixelBytes is what a pixel takes outside of the backend: three floats as
	// they come from it, its colours, and the PNG file while it grows.
	pixelBytes = 3*4 + 4 + 8
)

// placeOnHost foretells what the backend will do. All that is touched stays
// until the end, but for weights: encoders leave when they have read, and of
// other weights that have no room there is one block at a time.
func placeOnHost(parts pipeline.Plan, inProgram bool, r pipeline.Request, d tensor.DType, b ownMemory, room ram.Room) *hostPlan {
	h := &hostPlan{Memory: room.Bytes, By: room.By}
	encoders, model := parts[:len(parts)-3], parts[len(parts)-3:] // the latter are open all the time
	always := programBytes + b.Workspace() + model.Copied() + pixelBytes*r.Width*r.Height
	if inProgram { // the program's own pages, and copies: of the encoders, and of the transformer while its format is looked at
		always += parts.Weights() + encoders.Copied() + model[:2].Weights()
	}
	var scratch, state, packed, arrays int
	for i, c := range parts {
		open := model
		if i < len(encoders) {
			open = append(slices.Clone(model), c)
		}
		place := residency.OnHost(mapped(open), room.Bytes, b.Workspace()+parts.Arena()+open.Copied())
		scratch, state = max(scratch, c.Scratch), max(state, c.State)
		for cols, elements := range c.Operands {
			packed = max(packed, b.Packed(elements, cols, d))
		}
		arrays += c.Host
		p := hostPart{Part: c.Part, Resident: always + scratch + state + packed + arrays}
		if i < len(encoders) && !inProgram {
			p.Resident += parts[i : i+1].Copied()
		}
		ran := i >= len(encoders) // of the parts that are open, those before c
		for _, part := range open {
			blocks := part.Mapped()
			stays := place.Resident[:len(blocks)]
			place.Resident = place.Resident[len(blocks):]
			switch {
			case part.Part == c.Part:
				peak, streamed := residentPeak(blocks, stays, c.Runs)
				p.Resident, p.Streamed, ran = p.Resident+peak, streamed, false
			case ran:
				stayed, _ := residentPeak(blocks, stays, 0)
				p.Resident += stayed
			}
		}
		h.Parts, h.Peak = append(h.Parts, p), max(h.Peak, p.Resident)
	}
	return h
}

// mapped is the blocks of parts as the backend places them.
func mapped(parts pipeline.Plan) []residency.Group {
	var groups []residency.Group
	for _, c := range parts {
		for _, n := range c.Mapped() {
			groups = append(groups, residency.Group{Bytes: n, Seldom: c.Seldom})
		}
	}
	return groups
}

// column is what the table of a plan says of part i, of all after the last, and
// before the first its head; nothing for a card.
func (h *hostPlan) column(head string, i int) string {
	switch {
	case h == nil:
		return ""
	case i < 0:
		return "\t" + head
	case i < len(h.Parts):
		return "\t" + residency.Text(h.Parts[i].Resident)
	}
	return "\t" + residency.Text(h.Peak)
}

// residentPeak is how many bytes of a part's blocks are in memory at most, when
// all are used so many times; after that, for 0; and how many pass through.
func residentPeak(blocks []int, stays []bool, runs int) (most, streamed int) {
	there := 0
	for run := range max(1, min(runs, 2)) {
		for i, n := range blocks {
			switch {
			case !stays[i] && runs > 0:
				most = max(most, there+n)
			case stays[i] && run == 0:
				there += n
			}
			if !stays[i] && run == 0 {
				streamed += n
			}
		}
	}
	return max(most, there), streamed
}

// verdict says whether the picture can be made, and at which price.
func (h *hostPlan) verdict() string {
	again := 0
	for _, p := range h.Parts {
		if p.Part == "transformer" {
			again = p.Streamed
		}
	}
	switch {
	case h.Memory == 0:
		return "unknown"
	case h.Peak > h.Memory:
		return fmt.Sprintf("no, %s are missing", residency.Text(h.Peak-h.Memory))
	case again > 0:
		return fmt.Sprintf("yes, but %s of weights are read again in every step", residency.Text(again))
	}
	return "yes"
}
