package vae

import (
	"fmt"

	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// resizing is what blocks of the encoder and of the decoder have in common: resnets,
// then a convolution that belongs to a change of size, but for the last block.
type resizing struct {
	resnets []resnet
	conv    conv
	next    int // channels of the block that follows; 0 after the last
	path    string
}

// bind binds so many layers of out channels, and the convolution of that name.
func (s *resizing) bind(w *nn.Binder, out, in, next, layers, groups int, conv string) {
	s.path, s.next = w.Path(""), next
	s.resnets = make([]resnet, layers)
	for i := range s.resnets {
		s.resnets[i].bind(w.In(fmt.Sprintf("resnets.%d", i)), out, in, groups)
		in = out
	}
	if !s.last() {
		s.conv.bind(w, conv, out, out)
	}
}

func (s *resizing) last() bool { return s.next == 0 }

// forward has resize change the picture's size after the resnets.
func (s *resizing) forward(o tensor.Ops, c *canvas, resize func(tensor.Ops, *canvas)) {
	for i := range s.resnets {
		s.resnets[i].forward(o, c)
	}
	if !s.last() {
		resize(o, c)
	}
	o.Observe(s.path, c.x())
}
