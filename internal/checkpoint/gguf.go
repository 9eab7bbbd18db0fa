package checkpoint

import (
	"bytes"
	"errors"

	"taca/internal/gguf"
)

func isGGUF(data []byte) bool { return bytes.HasPrefix(data, []byte(gguf.Magic)) }

// parseGGUF is parse of a GGUF file.
func parseGGUF(data []byte) (*header, *Error) {
	g, err := gguf.Parse(data)
	var unread *gguf.Unread
	switch {
	case errors.As(err, &unread):
		return nil, problem("get it in F16, BF16, Q4_0 to Q8_0 or Q2_K to Q6_K", "%v", err)
	case err != nil:
		return nil, problem(downloadAgain, "%v", err)
	}
	h := &header{data: g.End, metadata: g.Metadata}
	for _, t := range g.Tensors {
		h.entries = append(h.entries, entry{name: t.Name, dtype: t.Type, shape: t.Shape, lo: t.Lo - g.End, hi: t.Hi - g.End})
	}
	return h, nil
}
