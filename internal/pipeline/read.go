package pipeline

import (
	"context"
	"slices"
)

// Texts are a request's encoded prompts; Negative is empty without
// classifier-free guidance.
type Texts struct {
	Positive, Negative Text
	Cuts               []Cut
	Cached             bool  // all prompts were found on disk: no encoder was opened
	Unkept             error // why they are not on disk for the next run, or nil
}

// Read encodes what a request says.
func (p *Pipeline) Read(ctx context.Context, r Request, watch Watcher) (Texts, error) {
	texts, err := p.ReadAll(ctx, []Request{r}, watch)
	if err != nil {
		return Texts{}, err
	}
	return texts[0], nil
}

// ReadAll is Read of requests that have the same number of T5 tokens: each
// encoder is opened once for all of them, and no prompt is read twice. What is
// told of the reading, such as what was cut, is of all of them.
func (p *Pipeline) ReadAll(ctx context.Context, rs []Request, watch Watcher) ([]Texts, error) {
	var prompts []string
	place := func(prompt string) int {
		i := slices.Index(prompts, prompt)
		if i < 0 {
			i, prompts = len(prompts), append(prompts, prompt)
		}
		return i
	}
	type places struct{ positive, negative int }
	at := make([]places, len(rs))
	for i, r := range rs {
		if err := p.accept(r); err != nil {
			return nil, err
		}
		at[i] = places{place(r.Prompt), -1}
		if p.texts(r) > 1 {
			at[i].negative = place(r.Negative)
		}
	}
	said, err := p.encode(ctx, prompts, rs[0].MaxLength, watch)
	if err != nil {
		return nil, err
	}
	all := make([]Texts, len(rs))
	for i, from := range at {
		all[i] = Texts{Positive: said.texts[from.positive], Cuts: said.cuts, Cached: said.cached, Unkept: said.unkept}
		if from.negative >= 0 {
			all[i].Negative = said.texts[from.negative]
		}
	}
	return all, nil
}

// accept finds out what can be known of a request before the hours it takes.
func (p *Pipeline) accept(r Request) error {
	if err := p.Check(r); err != nil {
		return err
	}
	if err := p.reserve(r); err != nil {
		return err
	}
	_, err := p.schedule(r)
	return err
}
