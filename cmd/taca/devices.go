package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"taca/internal/ram"
	"taca/internal/residency"
)

func newDevicesCommand(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "devices",
		Short: "list the devices this program can run on",
		Args:  arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			b, err := a.openBackend(hardware{device: "cpu"})
			if err != nil {
				return err
			}
			defer b.Close()
			d := devices{processor{b.Name(), instructionSets(), runtime.NumCPU(), ram.Available()}, listCards()}
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(d)
			}
			return d.print(a.stdout)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// devices is what taca devices says.
type devices struct {
	CPU  processor `json:"cpu"`
	CUDA cardList  `json:"cuda"`
}

// processor is the machine's.
type processor struct {
	Name         string   `json:"name"`
	Instructions []string `json:"instruction_sets"`
	Count        int      `json:"processors"`
	Free         int      `json:"free_bytes"`
}

// cardList is the machine's NVIDIA cards, and why there are none or what
// cannot be said about them.
type cardList struct {
	Remarks []string `json:"remarks,omitempty"`
	Driver  string   `json:"driver,omitempty"`
	CUDA    string   `json:"cuda,omitempty"` // the newest the driver speaks
	Cards   []card   `json:"cards"`
}

// card is one NVIDIA card. What is not reported is left out.
type card struct {
	Device      string  `json:"device,omitempty"` // cuda:i; without it this process cannot see the card
	Index       *int    `json:"nvml_index,omitempty"`
	UUID        string  `json:"uuid,omitempty"`
	Name        string  `json:"name,omitempty"`
	Capability  string  `json:"capability,omitempty"`
	Runs        string  `json:"runs,omitempty"` // which code would, or why none
	Memory      uint64  `json:"memory_bytes,omitempty"`
	Used        uint64  `json:"used_bytes,omitempty"`
	Power       float64 `json:"power_watts,omitempty"`
	PowerLimit  float64 `json:"power_limit_watts,omitempty"`
	Temperature int     `json:"temperature_celsius,omitempty"`
	Utilization *int    `json:"utilization_percent,omitempty"`
	Trouble     string  `json:"trouble,omitempty"`
}

// print writes a line for the processor, one for CUDA as a whole and one for
// each card.
func (d devices) print(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "cpu     %s; instruction sets: %s; %d processors; %s of memory free\n",
		d.CPU.Name, strings.Join(d.CPU.Instructions, ", "), d.CPU.Count, residency.Text(d.CPU.Free))
	var head []string
	if d.CUDA.Driver != "" {
		head = append(head, "driver "+d.CUDA.Driver)
	}
	if d.CUDA.CUDA != "" {
		head = append(head, "for CUDA up to "+d.CUDA.CUDA)
	}
	if head = append(head, d.CUDA.Remarks...); len(head) > 0 {
		fmt.Fprintf(&text, "cuda    %s\n", strings.Join(head, "; "))
	}
	for _, c := range d.CUDA.Cards {
		name := c.Device
		if name == "" {
			name = "-"
		}
		fmt.Fprintf(&text, "%-7s %s\n", name, strings.Join(c.facts(), "; "))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// facts is what is known of a card, in the order of its line.
func (c card) facts() []string {
	var all []string
	add := func(known bool, format string, args ...any) {
		if known {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(c.Name != "", "%s", c.Name)
	add(c.Device == "", "not visible to this process")
	add(c.Capability != "", "capability %s", c.Capability)
	add(c.Runs != "", "%s", c.Runs)
	switch {
	case c.Used > 0:
		add(true, "%s of %s in use", residency.Text(int(c.Used)), residency.Text(int(c.Memory)))
	case c.Memory > 0:
		add(true, "%s of memory", residency.Text(int(c.Memory)))
	}
	switch {
	case c.Power > 0 && c.PowerLimit > 0:
		add(true, "%.0f of %.0f W", c.Power, c.PowerLimit)
	case c.Power > 0:
		add(true, "%.0f W", c.Power)
	}
	add(c.Temperature > 0, "%d °C", c.Temperature)
	if c.Utilization != nil {
		add(true, "%d %% busy", *c.Utilization)
	}
	if c.Index != nil {
		add(true, "NVML index %d", *c.Index)
	}
	add(c.UUID != "", "%s", c.UUID)
	add(c.Trouble != "", "%s", c.Trouble)
	return all
}
