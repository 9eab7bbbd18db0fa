package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/checkpoint"
	"taca/internal/pipeline"
	"taca/internal/residency"
	"taca/internal/tensor"
)

func newPlanCommand(a *app) *cobra.Command {
	var asJSON bool
	var vram string
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "plan --model DIR|PRESET",
		Short: "foretell memory, arithmetic and time of a picture, without weights",
		Example: `  taca plan --model flux-dev
  taca plan --model sd35-large -W 768 -H 768 --json
  taca plan --model flux-dev --device cuda --vram 12GiB
  taca plan --model flux-dev --image photo.jpg --strength 0.7`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settings.resolve(c, sources{})
			if err != nil {
				return err
			}
			memory, err := parseSize("--vram", vram)
			if err != nil {
				return err
			}
			o, err := a.readOriginal(c, &s, nil)
			if err != nil {
				return err
			}
			return runPlan(c.Context(), a, s, pictured{o, settings.sized}, memory, asJSON)
		},
	}
	settings.model(c)
	settings.picture(c)
	settings.original(c)
	settings.cache(c)
	c.Flags().StringVar(&vram, "vram", "", "`size` of a card's free memory to plan for, such as 12GiB, beside what driver and display take; no card is needed then")
	c.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	c.Flags().SortFlags = false
	return c
}

// outlook is what taca plan says.
type outlook struct {
	Model   string        `json:"model"`
	Width   int           `json:"width"`
	Height  int           `json:"height"`
	Steps   int           `json:"steps"`
	DType   string        `json:"dtype"`
	Parts   pipeline.Plan `json:"parts"`
	Weights int           `json:"weight_bytes"`
	Scratch int           `json:"scratch_bytes"`
	Free    int           `json:"free_bytes,omitempty"`
	FLOPs   float64       `json:"flops"`
	Fits    string        `json:"fits,omitempty"`
	Seconds float64       `json:"seconds,omitempty"` // at the measured speed of this machine
	Card    *cardPlan     `json:"card,omitempty"`
	Host    *hostPlan     `json:"host,omitempty"`
}

// pictured is a picture to start from, or nil, and the size that was asked for.
type pictured struct {
	*original
	asked image.Point
}

func runPlan(ctx context.Context, a *app, s configs.Settings, from pictured, vram int, asJSON bool) error {
	folder, err := a.find(s, true)
	m, err := readModelIn(s.Weights, folder, err)
	if err != nil {
		return err
	}
	r := request(s, m.Defaults())
	geometry, err := m.Geometry()
	if err != nil {
		return modelError{err}
	}
	if from.original != nil {
		if err := from.into(&r, s, from.asked, geometry.Unit()); err != nil {
			return err
		}
	}
	if err := r.Check(geometry.Unit()); err != nil {
		return err
	}
	where, err := hardwareOf(s)
	if err != nil {
		return err
	}
	o := &outlook{Model: m.Name, Width: r.Width, Height: r.Height, Steps: r.Steps}
	if vram > 0 {
		where.memory = vram
		err = o.imagine(ctx, m, r, s.DType, where)
	} else {
		err = o.measure(ctx, a, m, r, s.DType, where)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(o)
	}
	return o.print(a)
}

// imagine plans for a card that need not be here.
func (o *outlook) imagine(ctx context.Context, m *pipeline.Model, r pipeline.Request, dtype string, where hardware) error {
	if where.device != "auto" && !where.onCard() {
		return usagef("--vram is a card's memory: give --device cuda with it, not %s", where.device)
	}
	d, err := chooseDType(dtype, inHalf(m))
	if err != nil {
		return err
	}
	if err := o.work(ctx, m, r, d); err != nil {
		return err
	}
	o.Card = placeOnCard(o.Parts, where)
	return nil
}

// measure plans for the device that is here.
func (o *outlook) measure(ctx context.Context, a *app, m *pipeline.Model, r pipeline.Request, dtype string, where hardware) error {
	b, err := a.openBackend(where)
	if err != nil {
		return err
	}
	defer b.Close()
	d, err := chooseDType(dtype, prefersBF16(b) && inHalf(m))
	if err != nil {
		return err
	}
	if err := o.work(ctx, m, r, d); err != nil {
		return err
	}
	if card, ok := b.(interface{ Capacity() int }); ok {
		where.memory = card.Capacity()
		o.Card = placeOnCard(o.Parts, where)
	} else if p, ok := b.(ownMemory); ok {
		o.Free = where.room.Bytes
		o.Host = placeOnHost(o.Parts, m.InProgram(), r, d, p, where.room)
		o.Fits = o.Host.verdict()
	}
	o.Seconds = o.FLOPs / speed(b, d)
	return b.Err()
}

// work is what the picture takes, whatever the device.
func (o *outlook) work(ctx context.Context, m *pipeline.Model, r pipeline.Request, d tensor.DType) error {
	plan, err := m.Plan(ctx, r, d)
	if err != nil {
		return modelError{err}
	}
	o.DType, o.Parts, o.Weights, o.Scratch, o.FLOPs = d.String(), plan, plan.Weights(), plan.Scratch(), plan.FLOPs()
	return nil
}

// planFolder is the model's folder, or a preset's configuration where its
// weights are not on this machine.
func planFolder(name string) (*checkpoint.Folder, error) {
	folder, err := locate(name)
	if err == nil {
		return folder, nil
	}
	preset, ok, broken := configs.Find(name)
	if !ok || broken != nil {
		return nil, err // locate's, which says as much
	}
	files, err := preset.FS()
	if err != nil {
		return nil, err
	}
	return checkpoint.NewFolder(files, preset.About+" (weights not on this machine, bf16 assumed)"), nil
}

func (o outlook) print(a *app) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %d×%d, %d steps, %s\n", o.Model, o.Width, o.Height, o.Steps, o.DType)
	fmt.Fprintln(w, "part\tweights\tscratch\tTFLOP a run\truns"+o.Host.column("resident", -1))
	for i, c := range o.Parts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.3f\t%d%s\n", c.Part, residency.Text(c.Weights), residency.Text(c.Scratch+c.State), c.FLOPs/1e12, c.Runs, o.Host.column("", i))
	}
	fmt.Fprintf(w, "in all\t%s\t%s\t%.3f\t%s\n", residency.Text(o.Weights), residency.Text(o.Scratch), o.FLOPs/1e12, o.Host.column("", len(o.Parts)))
	if o.Card != nil {
		o.Card.print(w)
	} else {
		fmt.Fprintf(w, "fits in %s (%s): %s\n", residency.Text(o.Host.Memory), o.Host.By, o.Fits)
	}
	if o.Seconds > 0 {
		fmt.Fprintf(w, "time on this machine: about %s a picture\n", duration(o.Seconds))
	}
	return w.Flush()
}

func duration(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 5400:
		return fmt.Sprintf("%.0f min", seconds/60)
	}
	return fmt.Sprintf("%.1f h", seconds/3600)
}
