package main

import (
	"fmt"
	"os"
	"path/filepath"

	"taca/internal/pipeline"
	"taca/internal/tensor"
	"taca/internal/trace"
)

// traceWriter records what the model observes and writes one safetensors file
// per stage: text, step00, step01, ..., decode.
type traceWriter struct {
	*trace.Recorder
	dir string
	err error // the first failure to write; told at the end
}

func newTraceWriter(dir string, b tensor.Backend) (*traceWriter, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write --trace %s: %w: choose another folder", dir, cause(err))
	}
	if old, err := os.ReadDir(dir); err != nil || len(old) > 0 {
		return nil, usagef("--trace %s: the folder is not empty: files of two runs would mix", dir)
	}
	return &traceWriter{Recorder: trace.Record(b), dir: dir}, nil
}

// note writes what was recorded when a stage, or a denoising step, is done.
func (t *traceWriter) note(e pipeline.Event) {
	switch {
	case e.Stage == pipeline.Loading:
	case e.Stage == pipeline.Encoding && e.Done == e.Total:
		name := "text"
		if e.What != "" { // a picture's encoder
			name = "picture"
		}
		t.write(name)
	case e.Stage == pipeline.Denoising && e.Done > 0:
		t.write(fmt.Sprintf("step%02d", e.Done-1))
	case e.Stage == pipeline.Decoding && e.Done == e.Total:
		t.write("decode")
	}
}

func (t *traceWriter) write(stage string) {
	seen := map[string]int{}
	all := t.Take()
	for i, n := range all {
		if seen[n.Name]++; seen[n.Name] > 1 { // the other half of classifier-free guidance, or another encoder
			all[i].Name = fmt.Sprintf("%s#%d", n.Name, seen[n.Name])
		}
	}
	if t.err == nil {
		t.err = trace.Write(filepath.Join(t.dir, stage+".safetensors"), all)
	}
}
