package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"taca/internal/picture"
	"taca/internal/pipeline"
	"taca/internal/sampler"
	"taca/internal/sweep"
)

// promptsAtOnce is how many prompts are read together: encoders are opened once
// for them, and a text of FLUX takes 8 MB.
const promptsAtOnce = 64

// paintAll paints the cells that are not there, and writes the report where the
// shard is the whole.
func (w *sweeping) paintAll(ctx context.Context) error {
	var todo []sweep.Cell
	for _, c := range w.cells {
		if !w.folder.Has(c) {
			todo = append(todo, c)
		}
	}
	if len(todo) > 0 {
		if err := w.paintMissing(ctx, todo); err != nil {
			return err
		}
	}
	painted := len(todo) - len(w.failed)
	w.app.say("taca: %d of %d cells painted, %d were there", painted, len(w.cells), len(w.cells)-len(todo))
	if len(w.failed) > 0 {
		return fmt.Errorf("%d of %d cells failed, the first: %w; the same command tries them again", len(w.failed), len(w.cells), w.failed[0])
	}
	if !w.shard.Whole() {
		w.app.say("taca: this was part %d/%d: taca sweep report brings all parts together", w.shard.Index, w.shard.Count)
		_, err := fmt.Fprintln(w.app.stdout, w.folder.Path)
		return err
	}
	return writeReport(w.app, w.folder)
}

// paintMissing opens the model and paints.
func (w *sweeping) paintMissing(ctx context.Context, todo []sweep.Cell) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	w.bar.begin(todo)
	defer w.bar.close()
	for len(todo) > 0 {
		batch := together(todo)
		todo = todo[len(batch):]
		if err := w.paintBatch(ctx, batch); err != nil {
			if ctx.Err() != nil {
				w.app.say("taca: %d cells are left: the same command goes on", w.bar.left())
			}
			return err
		}
	}
	return nil
}

// together is the leading cells with so many prompts.
func together(cells []sweep.Cell) []sweep.Cell {
	prompts := 0
	for i, c := range cells {
		if i == 0 || c.Prompt != cells[i-1].Prompt {
			prompts++
		}
		if prompts > promptsAtOnce {
			return cells[:i]
		}
	}
	return cells
}

// paintBatch reads the prompts of some cells and paints them.
func (w *sweeping) paintBatch(ctx context.Context, cells []sweep.Cell) error {
	texts, err := w.read(ctx, cells)
	if err != nil {
		return err
	}
	for _, c := range cells {
		w.bar.start(c)
		err := w.paintCell(ctx, c, texts[c.Prompt])
		var broken *sampler.NotFinite
		switch {
		case errors.As(err, &broken):
			w.bar.clear()
			w.app.say("taca: cell %s: %v", w.grid.File(c), err)
			w.failed = append(w.failed, err)
		case err != nil:
			return err
		}
		w.bar.done(c)
	}
	return nil
}

// read encodes each prompt of the cells once, with its negative where any cell
// needs that.
func (w *sweeping) read(ctx context.Context, cells []sweep.Cell) (map[int]pipeline.Texts, error) {
	var order []int
	best := map[int]pipeline.Request{}
	for _, c := range cells {
		r := request(w.withCell(c), w.model.Defaults())
		_, cfg := w.model.Scales(r)
		old, known := best[c.Prompt]
		_, oldCFG := w.model.Scales(old)
		if !known {
			order = append(order, c.Prompt)
		}
		if !known || cfg > oldCFG {
			best[c.Prompt] = r
		}
	}
	requests := make([]pipeline.Request, len(order))
	for i, prompt := range order {
		requests[i] = best[prompt]
	}
	begun := time.Now()
	texts, err := w.pipe.ReadAll(ctx, requests, w.watch)
	if err != nil {
		return nil, err
	}
	w.bar.read(len(order), time.Since(begun))
	w.warn(texts[0])
	found := map[int]pipeline.Texts{}
	for i, prompt := range order {
		found[prompt] = texts[i]
	}
	return found, nil
}

// paintCell makes one picture and keeps it.
func (w *sweeping) paintCell(ctx context.Context, c sweep.Cell, texts pipeline.Texts) error {
	begun := time.Now()
	r := w.record
	r.Request = request(w.withCell(c), w.model.Defaults())
	r.LoRAs = w.adaptersOf(w.record.LoRAs, c)
	w.pipe.Follow(w.adaptersOf(w.loras, c))
	p, err := w.pipe.Paint(ctx, r.Request, texts, w.watch)
	if err != nil {
		return err
	}
	if r.Cache > 0 {
		r.Reuse = &p.Reuse
	}
	remarks, err := r.remarks(w.pipe.Scales(r.Request))
	if err != nil {
		return err
	}
	data, err := picture.Encode(p.Image, remarks...)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(r)
	if err != nil {
		return err
	}
	took := w.times.since(begun)
	if err := w.folder.Keep(c, data, settings, sweep.Seconds{Denoising: took.Denoising, Decoding: took.Decoding, Total: took.Total}); err != nil {
		return err
	}
	w.bar.clear()
	_, err = fmt.Fprintln(w.app.stdout, w.folder.CellPath(c))
	return err
}

// watch passes progress on.
func (w *sweeping) watch(e pipeline.Event) {
	w.times.note(e)
	if e.Stage == pipeline.Denoising || e.Stage == pipeline.Decoding {
		w.progress.clear()
		w.bar.show(e)
		return
	}
	w.bar.clear()
	w.progress.show(e)
}

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
func (w *sweeping) foretell(out string) error {
	folder, err := sweep.Look(out, &w.grid, w.shard)
	if err != nil {
		return sweepError(err)
	}
	rate := speed(w.backend, w.dtype)
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

// close gives back what prepare and load took.
func (w *sweeping) close() {
	if w.pipe != nil {
		w.generation.close()
		return
	}
	w.progress.close()
	if err := w.backend.Close(); err != nil {
		w.app.say("taca: %v", err)
	}
}
