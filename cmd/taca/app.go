package main

import (
	"context"
	"fmt"
	"io"

	"taca/internal/tensor"
)

// app is what commands need of the world; tests bring their own.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool // stderr is one
	openBackend    func(hardware) (tensor.Backend, error)
}

// hush leaves out progress and remarks where they are not wanted. Errors go past
// it.
func (a *app) hush(quiet bool) {
	if quiet {
		a.terminal, a.stderr = false, io.Discard
	}
}

// read reads standard input, at most so many bytes, or gives up with ctx: a
// terminal may never say anything.
func (a *app) read(ctx context.Context, most int64) ([]byte, error) {
	type input struct {
		text []byte
		err  error
	}
	got := make(chan input, 1) // the reader is left behind where nothing comes
	go func() {
		text, err := io.ReadAll(io.LimitReader(a.stdin, most))
		got <- input{text, err}
	}()
	select {
	case in := <-got:
		return in.text, in.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// say writes a remark for people.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.stderr, legible(fmt.Sprintf(format, args...), ""))
}
