package main

import (
	"fmt"
	"io"

	"taca/internal/tensor"
)

// app is what commands need of the world; tests bring their own.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool // stderr is one
	openBackend    func(device string, threads int) (tensor.Backend, error)
}

// say writes a remark for people.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }
