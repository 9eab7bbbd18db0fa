package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"taca/internal/pipeline"
	"taca/internal/sampler"
	"taca/internal/sweep"
)

// promptsAtOnce is how many prompts are read together: encoders are opened once
// for them, and a text of FLUX takes 8 MB.
const promptsAtOnce = 64

// paintAll paints the cells that are not there.
func (w *sweeping) paintAll(ctx context.Context) error {
	var todo []sweep.Cell
	for _, c := range w.cells {
		if !w.album.Has(c) {
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
	return nil
}

// loadFor opens the model if anything is to be painted, before a folder is made
// for what a file that is missing may prevent.
func (w *sweeping) loadFor(ctx context.Context, there interface{ Has(sweep.Cell) bool }) error {
	if !slices.ContainsFunc(w.cells, func(c sweep.Cell) bool { return !there.Has(c) }) {
		return nil
	}
	return w.load(ctx)
}

// paintMissing paints.
func (w *sweeping) paintMissing(ctx context.Context, todo []sweep.Cell) error {
	if w.pipe == nil {
		return errors.New("cells have gone while the sweep began: give the same command again")
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
	p, again, err := w.picture(ctx, c, r.Request, texts)
	if err != nil {
		return err
	}
	if r.Cache > 0 {
		r.Reuse = &p.Reuse
	}
	data, err := w.encode(r, p)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(r)
	if err != nil {
		return err
	}
	took := w.times.since(begun)
	if again {
		took = timings{Total: took.Total}
	}
	painted := sweep.Painted{Picture: data, Settings: settings, Seconds: sweep.Seconds{Denoising: took.Denoising, Decoding: took.Decoding, Total: took.Total}}
	if err := w.album.Keep(c, painted); err != nil {
		return err
	}
	if w.listed == nil {
		return nil
	}
	w.bar.clear()
	_, err = fmt.Fprintln(w.listed, w.album.CellPath(c))
	return err
}

// silent are the pictures of a prompt and seed in which gamma acts in no step, by
// steps and guidance. Neither when it would act nor an adapter that follows it
// changes anything in them, so one is painted for all those cells.
type silent struct {
	prompt   int
	seed     int64
	pictures map[string]*pipeline.Picture
}

// picture is what a cell shows, and whether another cell has shown it before.
func (w *sweeping) picture(ctx context.Context, c sweep.Cell, r pipeline.Request, texts pipeline.Texts) (p *pipeline.Picture, again bool, err error) {
	steps, err := w.model.Steps(r)
	if err != nil {
		return nil, false, err
	}
	quiet := !acts(steps)
	if w.silent.pictures == nil || w.silent.prompt != c.Prompt || w.silent.seed != c.Seed {
		w.silent = silent{c.Prompt, c.Seed, map[string]*pipeline.Picture{}}
	}
	key := fmt.Sprintf("%d %s", c.Steps, c.Guidance)
	if p := w.silent.pictures[key]; quiet && p != nil {
		return p, true, nil
	}
	w.pipe.Follow(w.adaptersOf(w.loras, c))
	p, err = w.pipe.Paint(ctx, r, texts, w.watch)
	if quiet && err == nil {
		w.silent.pictures[key] = p
	}
	return p, false, err
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
