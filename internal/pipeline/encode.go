package pipeline

import (
	"context"
	"fmt"

	"taca/internal/conditioning"
	"taca/internal/model"
	"taca/internal/tensor"
)

// Cut is a part of a prompt that an encoder had no room for.
type Cut struct {
	Encoder string // its folder
	Length  int    // tokens it reads
	Text    string // what it did not read
}

// reading is prompts, encoded.
type reading struct {
	texts  []Text
	cuts   []Cut
	cached bool  // no encoder had to run
	unkept error // why the next run has to encode them again, or nil
}

// encode reads prompts, with every encoder in turn, each opened once and dropped
// afterwards, unless they have been read before; and says what was cut.
func (p *Pipeline) encode(ctx context.Context, prompts []string, maxLength int, watch Watcher) (reading, error) {
	encoders := p.family.encoders()
	watch.tell(Event{Stage: Encoding, Total: len(encoders), What: encoders[0].component()})
	var r reading
	ids := make([][][]int32, len(prompts)) // of each prompt for each encoder
	for i, e := range encoders {
		n := e.length(maxLength)
		for j, prompt := range prompts {
			tokens := p.tokenizers[i].Encode(prompt, n)
			ids[j] = append(ids[j], tokens.IDs)
			if tokens.Cut != "" {
				r.cuts = append(r.cuts, Cut{e.component(), n, tokens.Cut})
			}
		}
	}
	parts, err := p.recallOrAsk(ctx, ids, &r, watch)
	if err != nil {
		return r, err
	}
	watch.tell(Event{Stage: Encoding, Done: len(encoders), Total: len(encoders)})
	for _, said := range parts {
		r.texts = append(r.texts, p.family.assemble(said, maxLength))
	}
	return r, nil
}

// recallOrAsk is what each encoder says of each prompt. None is opened where the
// cache knows it all.
func (p *Pipeline) recallOrAsk(ctx context.Context, ids [][][]int32, r *reading, watch Watcher) ([][]encoded, error) {
	parts := make([][]encoded, len(ids))
	keys := make([]conditioning.Key, len(ids))
	keyed := make([]bool, len(ids))
	var asked []int
	for j := range ids {
		if keys[j], keyed[j] = p.key(ids[j]); keyed[j] {
			parts[j], _ = p.recall(keys[j])
		}
		if parts[j] == nil {
			asked = append(asked, j)
		}
	}
	r.cached = len(asked) == 0
	if r.cached {
		return parts, nil
	}
	for i, e := range p.family.encoders() {
		if i > 0 { // encode has told of the first
			watch.tell(Event{Stage: Encoding, Done: i, Total: len(p.family.encoders()), What: e.component()})
		}
		if err := p.ask(ctx, i, ids, asked, parts); err != nil {
			return nil, fmt.Errorf("encode the prompt with %s: %w", e.component(), err)
		}
	}
	for _, j := range asked {
		if keyed[j] && r.unkept == nil {
			r.unkept = p.remember(keys[j], ids[j], parts[j])
		}
	}
	return parts, nil
}

// ask appends to parts what the i-th encoder says of some of the prompts.
func (p *Pipeline) ask(ctx context.Context, i int, ids [][][]int32, asked []int, parts [][]encoded) error {
	e := p.family.encoders()[i]
	open, err := e.open(p.env())
	if err != nil {
		return err
	}
	defer open.drop()
	release, err := p.adapters.hang(e.component(), open.layers(), p.backend)
	if err != nil {
		return err
	}
	defer release()
	for _, j := range asked {
		if err := ctx.Err(); err != nil {
			return err
		}
		said, err := open.encode(ctx, ids[j][i])
		if err != nil {
			return err
		}
		parts[j] = append(parts[j], said)
	}
	return p.backend.Err()
}

// place puts a text into memory of the backend.
func place(b tensor.Backend, t Text) (model.Conditioning, error) {
	tokens, err := b.New(t.tokens.n, t.tokens.cols, tensor.F32)
	if err != nil {
		return model.Conditioning{}, err
	}
	pooled, err := b.New(1, len(t.pooled), tensor.F32)
	if err != nil {
		b.Free(tokens)
		return model.Conditioning{}, err
	}
	b.Upload(tokens, t.tokens.data)
	b.Upload(pooled, t.pooled)
	return model.Conditioning{Tokens: tokens, Pooled: pooled}, nil
}

// discard frees what place took.
func discard(b tensor.Backend, c model.Conditioning) {
	if !c.None() {
		b.Free(c.Tokens)
		b.Free(c.Pooled)
	}
}
