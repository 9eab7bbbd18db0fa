//go:build !cuda

package pipeline_test

import (
	"context"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/pipeline"
)

// painter makes the picture that the goldens are compared with.
type painter func(t *testing.T, folder string, r pipeline.Request, c pipeline.Config) *pipeline.Picture

// paintsPicture is whether a case of TestPicturesAgainstDiffusers is painted here.
func paintsPicture(string) bool { return true }

// besideOthers would let a test run beside others, but all paint with one backend.
func besideOthers(*testing.T) {}

// openPainter paints on the processor.
func openPainter(t *testing.T) painter {
	b, err := cpu.Open(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(t *testing.T, folder string, r pipeline.Request, c pipeline.Config) *pipeline.Picture {
		t.Helper()
		ctx := context.Background()
		files, err := checkpoint.OpenFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		m, err := pipeline.Read(files)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pipeline.Open(ctx, m, b, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		texts, err := p.Read(ctx, r, nil)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := p.Paint(ctx, r, texts, nil)
		if err != nil {
			t.Fatal(err)
		}
		return picture
	}
}
