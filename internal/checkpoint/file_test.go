package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"taca/internal/checkpoint"
)

// file is a safetensors file of a header and so many bytes of data.
func file(header string, data int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, data)...)
}

func TestDefectsAreNamed(t *testing.T) {
	const ok = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"short", []byte("abc"), "is no safetensors file: it has 3 bytes"},
		{"absurd header", binary.LittleEndian.AppendUint64(nil, 1<<62), "claims a header of 4611686018427387904 bytes"},
		{"header beyond the file", file(ok, 8)[:20], "its header of 54 bytes ends 42 bytes after the file"},
		{"truncated", file(ok, 5), "it ends 3 bytes early: download it again"},
		{"too long", file(ok, 9), "1 bytes at its end belong to no tensor"},
		{"no JSON", file("nonsense", 0), "its header is no JSON object of tensors"},
		{"list", file("[1,2]", 0), "its header is no JSON object of tensors"},
		{"open", file(`{"a":`, 0), "unexpected EOF"},
		{"two objects", file(ok+"{}", 8), "bytes after the closing brace"},
		{"twice", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16), `its header names "a" twice`},
		{"dtype", file(strings.Replace(ok, "F32", "X32", 1), 8), `tensor "a" has the unknown number format "X32"`},
		{"negative", file(strings.Replace(ok, "[2]", "[-2]", 1), 8), "impossible shape [-2]"},
		{"overflow", file(strings.Replace(ok, "[2]", "[4294967296,4294967296,4]", 1), 8), "impossible shape"},
		{"shape", file(strings.Replace(ok, "[2]", "[3]", 1), 8), "takes 12 bytes, its offsets [0, 8] hold 8"},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), `tensor "a" has no shape`},
		{"null shape", file(strings.Replace(ok, "[2]", "null", 1), 8), `tensor "a" has no shape`},
		{"deep", file(strings.Repeat(`{"a":`, 1<<16), 0), "exceeded max depth"},
		{"metadata", file(`{"__metadata__":{"a":[1]}}`, 0), "its header is no JSON object of tensors"},
		{"dtype twice", file(strings.Replace(ok, `"dtype"`, `"dtype":"F32","dtype"`, 1), 8), `its header names "dtype" twice`},
		{"other spelling", file(strings.Replace(ok, "shape", "Shape", 1), 8), `tensor "a" has no shape`},
		{"null in shape", file(strings.Replace(ok, "[2]", "[2,null]", 1), 8), `tensor "a": null among numbers`},
		{"null offset", file(strings.Replace(ok, "[0,8]", "[null,8]", 1), 8), `tensor "a": null among numbers`},
		{"null tensor", file(`{"a":null}`, 0), `tensor "a": no opening brace`},
		{"no text", file(strings.Replace(ok, "a", "\xff", 1), 8), "not UTF-8"},
		{"offsets", file(strings.Replace(ok, "[0,8]", "[8,0]", 1), 8), "impossible offsets [8, 0]"},
		{"one offset", file(strings.Replace(ok, "[0,8]", "[8]", 1), 8), "no pair of data_offsets"},
		{"negative offset", file(strings.Replace(ok, "[0,8]", "[-8,0]", 1), 8), "impossible offsets [-8, 0]"},
		{"out of range", file(strings.Replace(ok, "[0,8]", "[8,16]", 1), 8), "8 bytes before tensor \"a\" belong to none"},
		{"overlap", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), `tensor "b" overlaps the one before it by 4 bytes`},
		{"hole", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16), `4 bytes before tensor "b" belong to none`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := checkpoint.OpenBytes("x.safetensors", c.data)
			var e *checkpoint.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.safetensors: ") {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
	if _, err := checkpoint.OpenBytes("x", file(ok, 8)); err != nil {
		t.Errorf("a sound file is refused: %v", err)
	}
}

func TestWrittenFilesAreReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	values := []float32{1, -2.5, float32(math.Inf(1)), 0, 1e-40, 3}
	err := checkpoint.Write(path, []checkpoint.Tensor{
		checkpoint.FromFloats("zeta", []int{2, 3}, values),
		checkpoint.FromFloats("alpha", nil, []float32{7}),
	}, map[string]string{"format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, _ := f.Tensor("zeta")
	got, err := checkpoint.Floats(raw)
	if err != nil || !slices.Equal(got, values) || !slices.Equal(raw.Shape, []int{2, 3}) {
		t.Errorf("zeta is %v %v (%v), want %v", raw.Shape, got, err, values)
	}
	if !slices.Equal(f.Names(), []string{"zeta", "alpha"}) || f.Metadata()["format"] != "pt" {
		t.Errorf("names %v, metadata %v", f.Names(), f.Metadata())
	}
	if bad := checkpoint.NonFinite(f); !slices.Equal(bad, []string{"zeta"}) {
		t.Errorf("NonFinite is %v, want zeta", bad)
	}
}

func TestNothingIsLeftWhenWritingFails(t *testing.T) {
	dir := t.TempDir()
	twice := []checkpoint.Tensor{checkpoint.FromFloats("a", nil, []float32{1}), checkpoint.FromFloats("a", nil, []float32{1})}
	if err := checkpoint.Write(filepath.Join(dir, "x"), twice, nil); err == nil {
		t.Error("two tensors of one name were written")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFloatsOfEveryFormat(t *testing.T) {
	for _, c := range []struct {
		kind  string
		bytes []byte
		want  []float32
	}{
		{"BF16", []byte{0x80, 0x3f, 0x20, 0xc0}, []float32{1, -2.5}},
		{"F16", []byte{0x00, 0x3c, 0x00, 0xc1, 0x01, 0x00, 0xff, 0x7b}, []float32{1, -2.5, 1.0 / (1 << 24), 65504}},
		{"F8_E4M3", []byte{0x38, 0xc2, 0x01, 0x7e}, []float32{1, -2.5, 1.0 / 512, 448}},
	} {
		got, err := checkpoint.Floats(checkpoint.Raw{Type: c.kind, Bytes: c.bytes})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", c.kind, got, err, c.want)
		}
	}
	nan, _ := checkpoint.Floats(checkpoint.Raw{Type: "F8_E4M3", Bytes: []byte{0x7f}})
	if !math.IsNaN(float64(nan[0])) {
		t.Errorf("F8_E4M3 0x7f is %v, want NaN", nan[0])
	}
	if _, err := checkpoint.Floats(checkpoint.Raw{Type: "I64", Bytes: make([]byte, 8)}); err == nil {
		t.Error("I64 passes for weights")
	}
}

// shard is a file with one tensor.
func shard(t *testing.T, name string) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.WriteTo(&b, []checkpoint.Tensor{checkpoint.FromFloats(name, []int{1}, []float32{1})}, nil); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

func TestShards(t *testing.T) {
	index := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	sound := `{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}`
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  string // in the error; empty: none
	}{
		{"whole", fstest.MapFS{"m.safetensors.index.json": index(sound), "m-1.safetensors": shard(t, "a"), "m-2.safetensors": shard(t, "b")}, ""},
		{"one file", fstest.MapFS{"m.safetensors": shard(t, "a")}, ""},
		{"variant", fstest.MapFS{"m.fp16.safetensors": shard(t, "a")}, ""},
		{"none", fstest.MapFS{}, "holds none of m.safetensors, m.safetensors.index.json and m.gguf"},
		{"shard missing", fstest.MapFS{"m.safetensors.index.json": index(sound), "m-1.safetensors": shard(t, "a")}, "m-2.safetensors: file does not exist"},
		{"tensor missing", fstest.MapFS{"m.safetensors.index.json": index(sound), "m-1.safetensors": shard(t, "a"), "m-2.safetensors": shard(t, "c")}, "1 tensors are not where it says, such as b in m-2.safetensors"},
		{"outside", fstest.MapFS{"m.safetensors.index.json": index(`{"weight_map":{"a":"../m-1.safetensors"}}`)}, "outside its folder"},
		{"outside and missing", fstest.MapFS{"m.safetensors.index.json": index(`{"weight_map":{"a":"/m","b":"..","c":"m-3.safetensors"}}`)}, "names the shard \"/m\" outside its folder: do not trust this model\nfolder/m-3.safetensors: file does not exist"},
		{"no shards", fstest.MapFS{"m.safetensors.index.json": index(`{"weight_map":{}}`)}, "its weight_map names no shards"},
		{"twice", fstest.MapFS{"m.safetensors.index.json": index(sound), "m-1.safetensors": shard(t, "a"), "m-2.safetensors": shard(t, "a")}, `tensor "a" is in`},
		{"index broken", fstest.MapFS{"m.safetensors.index.json": index("{\n\n!")}, "m.safetensors.index.json: line 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := checkpoint.NewFolder(c.files, "folder").Weights("m")
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want one that says %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := s.Tensor("a"); !ok {
				t.Errorf("a is missing in %v", s.Names())
			}
		})
	}
}
