package checkpoint

import "taca/internal/mapping"

// Raw is one tensor as the file holds it.
type Raw struct {
	Shape []int   // row-major, outermost first
	Type  string  // number format as safetensors spells it, or ggml: F32, BF16, I64, Q4_K, ...
	Scale float32 // what its numbers are multiplied by; 0 stands for 1
	Bytes []byte  // a window of the mapping; nil where only shapes are known
}

// Elements is the product of the shape.
func (r Raw) Elements() int {
	n := 1
	for _, d := range r.Shape {
		n *= d
	}
	return n
}

// Leave takes the pages of r out of the program's memory, if they are a file's:
// what was wanted of them has been copied.
func (r Raw) Leave() {
	if window, mapped := mapping.Find(r.Bytes); mapped {
		window.Leave()
	}
}

// Source finds tensors by their canonical (diffusers) names. It is the seam
// behind which other programs' spellings are renamed.
type Source interface {
	// Tensor is the tensor called name; false where there is none.
	Tensor(name string) (Raw, bool)
	// Names lists all tensors in a stable order.
	Names() []string
	// String says where the tensors come from, for error messages.
	String() string
}

// Bytes is how many bytes the tensors of a source take.
func Bytes(s Source) int {
	total := 0
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		total += len(raw.Bytes)
	}
	return total
}
