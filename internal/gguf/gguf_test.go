package gguf_test

import (
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/fuzztest"
	"taca/internal/gguf"
	"taca/internal/gguf/gguftest"
)

// TestPackagesFile reads what the Python package wrote: scripts/golden/gguf_formats.py.
func TestPackagesFile(t *testing.T) {
	data, err := os.ReadFile("testdata/formats.gguf")
	if err != nil {
		t.Fatal(err)
	}
	h, err := gguf.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := checkpoint.OpenFile("testdata/formats.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	var names []string
	for _, tensor := range h.Tensors {
		want, ok := numbers.Tensor(tensor.Name)
		if !ok || !slices.Equal(tensor.Shape, want.Shape) {
			t.Errorf("%s is %v, want %v", tensor.Name, tensor.Shape, want.Shape)
		}
		if named := strings.ToUpper(tensor.Name) == tensor.Name; named && tensor.Type != tensor.Name {
			t.Errorf("%s is of %s", tensor.Name, tensor.Type)
		}
		names = append(names, tensor.Name)
	}
	if slices.Sort(names); !slices.Equal(names, slices.Sorted(slices.Values(numbers.Names()))) {
		t.Errorf("tensors %v, want %v", names, numbers.Names())
	}
	for key, want := range map[string]string{
		"a.text": "Grüße", "a.long": "2000 bytes of text", "a.bool": "true", "a.int8": "-3", "a.uint64": "18446744073709551615",
		"a.float": "0.1", "a.double": "0.1", "a.texts": "3 texts", "a.numbers": "100 numbers", "general.architecture": "test",
	} {
		if h.Metadata[key] != want {
			t.Errorf("%s is %q, want %q", key, h.Metadata[key], want)
		}
	}
}

// patch is a file of one tensor of four numbers with bytes of its header replaced.
func patch(replace map[int][]byte) []byte {
	data := gguftest.File([]gguftest.Tensor{{Name: "abc", Shape: []int{2, 2}, Type: "F32", Bytes: make([]byte, 16)}}, map[string]string{"key": "text"})
	for at, b := range replace {
		copy(data[at:], b)
	}
	return data
}

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func TestDefectsAreNamed(t *testing.T) {
	const version, tensors, pairs, key, kind, text, name = 4, 8, 16, 24, 35, 39, 51
	const dims, size, second, format, offset = name + 11, name + 15, name + 23, name + 31, name + 35
	twice := gguftest.File([]gguftest.Tensor{{Name: "a", Type: "F32", Bytes: make([]byte, 4)}, {Name: "a", Type: "F32", Bytes: make([]byte, 4)}}, nil)
	overlap := gguftest.File([]gguftest.Tensor{{Name: "a", Shape: []int{16}, Type: "F32", Bytes: make([]byte, 64)}, {Name: "b", Shape: []int{16}, Type: "F32", Bytes: make([]byte, 64)}}, nil)
	copy(overlap[24+2*(9+4+8+4)+8:], u64(32))
	for _, c := range []struct {
		what string
		data []byte
		want string
	}{
		{"sound", patch(nil), ""},
		{"other", []byte("GGML and more"), "is no GGUF file"},
		{"short", []byte("GGUF\x03"), "ends within its header, where 3 bytes more"},
		{"first version", patch(map[int][]byte{version: u32(1)}), "of version 1, and only 2 and 3"},
		{"big-endian", patch(map[int][]byte{version: {0, 0, 0, 3}}), "big-endian"},
		{"more tensors", patch(map[int][]byte{tensors: u64(1 << 60)}), "a tensor without a name"},
		{"more pairs", patch(map[int][]byte{pairs: u64(1 << 60)}), "its header"},
		{"long key", patch(map[int][]byte{key: u64(1 << 62)}), "ends within its header"},
		{"key of bytes", patch(map[int][]byte{key + 8: {0xff}}), "a key of 3 bytes that is no name"},
		{"kind", patch(map[int][]byte{kind: u32(13)}), "value of the unknown kind 13"},
		{"list", patch(map[int][]byte{kind: u32(9), text: u32(9)}), "a list of the unknown kind 9"},
		{"long text", patch(map[int][]byte{text: u64(1 << 63)}), "ends within its header"},
		{"long name", patch(map[int][]byte{name: u64(1 << 40)}), "ends within its header"},
		{"many sizes", patch(map[int][]byte{dims: u32(9)}), `tensor "abc" has 9 sizes`},
		{"large", patch(map[int][]byte{size: u64(1 << 40)}), `"abc" has the impossible size`},
		{"overflow", patch(map[int][]byte{size: u64(1<<31 - 1), second: u64(1<<31 - 1)}), `"abc" has the impossible size`},
		{"format", patch(map[int][]byte{format: u32(99)}), `"abc" has the unknown number format 99`},
		{"format not read", patch(map[int][]byte{format: u32(23)}), `"abc" is in IQ4_XS, which is not read`},
		{"no block", patch(map[int][]byte{format: u32(8)}), `"abc" of Q8_0 has rows of 2 numbers, which are no whole blocks of 32`},
		{"far", patch(map[int][]byte{offset: u64(1 << 63)}), `"abc" has the impossible offset`},
		{"beyond", patch(map[int][]byte{offset: u64(64)}), "ends 48 bytes early"},
		{"hole", append(patch(map[int][]byte{offset: u64(64)}), make([]byte, 64)...), `64 bytes before tensor "abc" belong to none`},
		{"long", append(patch(nil), make([]byte, 32)...), "48 bytes at its end belong to no tensor"},
		{"odd", patch(map[int][]byte{offset: u64(3)}), "begins at byte 3 of the data, which is no multiple of 32"},
		{"truncated", patch(nil)[:len(patch(nil))-17], `ends 1 bytes early, within tensor "abc"`},
		{"twice", twice, `names tensor "a" twice`},
		{"overlap", overlap, `"b" overlaps the one before it by 32 bytes`},
		{"alignment", gguftest.File(nil, map[string]string{"general.alignment": "7"}), "impossible general.alignment 7"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := gguf.Parse(c.data)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<16 {
			t.Errorf("%s: %d bytes allocated", c.what, taken)
		}
		if err == nil && c.want != "" || err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one that says %q", c.what, err, c.want)
		}
	}
}

// FuzzGGUF: a header is read or refused, and what is read lies in the file.
func FuzzGGUF(f *testing.F) {
	f.Add(patch(nil))
	f.Add(gguftest.File([]gguftest.Tensor{{Name: "q", Shape: []int{1, 256}, Type: "Q4_K", Bytes: make([]byte, 144)}}, map[string]string{"comfy.gguf.orig_shape.q": "x", "general.alignment": "32"}))
	if data, err := os.ReadFile("testdata/formats.gguf"); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var h *gguf.Header
		var err error
		fuzztest.Bounded(t, 1<<16, 64, len(data), func() { h, err = gguf.Parse(data) })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("an error of more than one line: %q", err)
			}
			return
		}
		for _, tensor := range h.Tensors {
			if tensor.Lo < h.End || tensor.Hi < tensor.Lo || tensor.Hi > len(data) {
				t.Errorf("%s lies at %d to %d of %d bytes", tensor.Name, tensor.Lo, tensor.Hi, len(data))
			}
		}
		if f, err := checkpoint.OpenBytes("f", data); err == nil {
			checkpoint.NonFinite(f)
		}
	})
}
