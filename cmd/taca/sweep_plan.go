package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"taca/internal/pipeline"
	"taca/internal/sweep"
)

// kind is what decides how much work a cell is.
func kind(c sweep.Cell) string { return fmt.Sprint(c.Steps, " ", c.Guidance) }

// plan finds the work of each kind of cell.
func (w *sweeping) plan(ctx context.Context) (map[string]pipeline.Plan, error) {
	plans := map[string]pipeline.Plan{}
	for _, c := range w.grid.Cells()[:w.grid.Size()/len(w.grid.Prompts)] {
		if plans[kind(c)] != nil {
			continue
		}
		p, err := w.model.Plan(ctx, request(w.withCell(c), w.model.Defaults()), w.dtype)
		if err != nil {
			return nil, modelError{err}
		}
		plans[kind(c)] = p
	}
	return plans, nil
}

// work is the operations of a cell, beside those of its prompt.
func (w *sweeping) work(c sweep.Cell) float64 {
	sum := 0.0
	for _, part := range w.plans[kind(c)].Picture() {
		sum += part.FLOPs * float64(part.Runs)
	}
	return sum
}

// foretell lists the cells and how long they would take.
func (w *sweeping) foretell(ctx context.Context, out string) error {
	folder, err := sweep.Look(out, &w.grid, w.shard)
	if err != nil {
		return sweepError(err)
	}
	rate, err := w.rate(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.app.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "cell\tpicture\ttime")
	left, seconds, prompt := 0, 0.0, -1
	for _, c := range w.cells {
		if folder.Has(c) {
			fmt.Fprintf(table, "%d\t%s\tis painted\n", c.Index, folder.CellPath(c))
			continue
		}
		took := w.work(c) / rate
		fmt.Fprintf(table, "%d\t%s\tabout %s\n", c.Index, folder.CellPath(c), duration(took))
		if c.Prompt != prompt {
			seconds += (w.plans[kind(c)].FLOPs() - w.work(c)) / rate
		}
		left, seconds, prompt = left+1, seconds+took, c.Prompt
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.app.stdout, "%d of %d cells to paint, about %s on this machine\n", left, len(w.cells), duration(seconds))
	return errors.Join(err, w.backend.Err())
}

// rate is how many operations a second the model does: measured in a step of
// its own, where that is short, else in a layer of usual size.
func (w *sweeping) rate(ctx context.Context) (float64, error) {
	usual := speed(w.backend, w.dtype)
	if len(w.cells) == 0 { // there are more shards than cells
		return usual, nil
	}
	r := request(w.withCell(w.cells[0]), w.model.Defaults())
	for _, part := range w.plans[kind(w.cells[0])].Picture() {
		if part.FLOPs/usual > 0.5 {
			return usual, nil
		}
	}
	step, err := w.model.OpenStep(ctx, w.backend, w.dtype, r, 1)
	if err != nil {
		return 0, err
	}
	least := time.Duration(0)
	for i := range 4 { // the first touches memory
		begun := time.Now()
		if err = step.Run(ctx, 0); err != nil {
			break
		}
		if took := time.Since(begun); i > 0 && (least == 0 || took < least) {
			least = took
		}
	}
	return step.FLOPs / least.Seconds(), errors.Join(err, step.Close())
}
