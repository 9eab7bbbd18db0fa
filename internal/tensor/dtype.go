package tensor

// DType is how the elements of a tensor are stored.
type DType uint8

// The number formats a backend understands. Activations are F32 or BF16;
// weights may be any of them and are widened where they are used.
const (
	F32    DType = iota // IEEE binary32
	BF16                // upper half of a binary32
	F16                 // IEEE binary16
	F8E4M3              // 8 bits, bias 7, no infinities, largest value 448 (the "fn" variant)
)

var dtypes = [...]struct {
	name string // as safetensors spells it
	size int
}{F32: {"F32", 4}, BF16: {"BF16", 2}, F16: {"F16", 2}, F8E4M3: {"F8_E4M3", 1}}

// Size is the number of bytes of one element.
func (d DType) Size() int { return dtypes[d].size }

// String is the name safetensors gives the format.
func (d DType) String() string { return dtypes[d].name }

// ParseDType finds the format safetensors calls name; false where no verb
// understands it.
func ParseDType(name string) (DType, bool) {
	for d, t := range dtypes {
		if t.name == name {
			return DType(d), true
		}
	}
	return 0, false
}
