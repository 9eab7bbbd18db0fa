package pipeline

import (
	"context"
	"fmt"

	"taca/internal/model"
	"taca/internal/tensor"
)

// Cut is a part of a prompt that an encoder had no room for.
type Cut struct {
	Encoder string // its folder
	Length  int    // tokens it reads
	Text    string // what it did not read
}

// Encode reads prompts with every encoder in turn, each opened once and
// dropped afterwards, and says what was cut.
func (p *Pipeline) Encode(ctx context.Context, prompts []string, maxLength int, watch Watcher) ([]Text, []Cut, error) {
	encoders := p.family.encoders()
	parts := make([][]encoded, len(prompts))
	var cuts []Cut
	for i, e := range encoders {
		watch.tell(Event{Stage: Encoding, Done: i, Total: len(encoders), What: e.component()})
		n := e.length(maxLength)
		ids := make([][]int32, len(prompts))
		for j, prompt := range prompts {
			tokens := p.tokenizers[i].Encode(prompt, n)
			ids[j] = tokens.IDs
			if tokens.Cut != "" {
				cuts = append(cuts, Cut{e.component(), n, tokens.Cut})
			}
		}
		if err := readAll(ctx, p.env(), e, ids, parts); err != nil {
			return nil, nil, fmt.Errorf("encode the prompt with %s: %w", e.component(), err)
		}
	}
	watch.tell(Event{Stage: Encoding, Done: len(encoders), Total: len(encoders)})
	texts := make([]Text, len(prompts))
	for j := range texts {
		texts[j] = p.family.assemble(parts[j], maxLength)
	}
	return texts, cuts, nil
}

// readAll appends to parts what one encoder says of every prompt.
func readAll(ctx context.Context, where env, e textEncoder, ids [][]int32, parts [][]encoded) error {
	open, err := e.open(where)
	if err != nil {
		return err
	}
	defer open.drop()
	for j := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		said, err := open.encode(ctx, ids[j])
		if err != nil {
			return err
		}
		parts[j] = append(parts[j], said)
	}
	return where.backend.Err()
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
