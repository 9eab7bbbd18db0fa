package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"taca/internal/checkpoint"
	"taca/internal/fuzztest"
)

// FuzzOpenBytes: whatever the bytes, an error, or a file whose tensors fill what
// follows its header and hold as many numbers as their shapes say. What was read
// is written, and read again as it was.
func FuzzOpenBytes(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"__metadata__":{"k":"v"}}`, 0))
	f.Add(file(`{"__metadata__":{"taca_quantised":"Q8"},"a":{"dtype":"U8","shape":[1,36],"data_offsets":[0,36]}}`, 36))
	f.Add(file(`{"a.weight":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[4,7]},"a.scale_weight":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"scaled_fp8":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[7,7]}}`, 7))
	f.Fuzz(func(t *testing.T, data []byte) {
		var opened *checkpoint.File
		var err error
		fuzztest.Bounded(t, 1<<16, 128, len(data), func() { opened, err = checkpoint.OpenBytes("x", data) })
		if err != nil {
			refused(t, err)
			return
		}
		for _, name := range opened.Names() {
			raw, _ := opened.Tensor(name)
			if values, err := checkpoint.Floats(raw); err == nil && len(values) != raw.Elements() {
				t.Fatalf("%s of %v holds %d values", name, raw.Shape, len(values))
			}
		}
		checkpoint.NonFinite(opened)
		if opened.Kind() == "safetensors" {
			rewrite(t, opened)
		}
	})
}

// refused holds an error to what people are told of a file.
func refused(t *testing.T, err error) {
	t.Helper()
	var e *checkpoint.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v of another kind", err)
	}
}

// rewrite writes what was read, and reads that.
func rewrite(t *testing.T, read *checkpoint.File) {
	t.Helper()
	var tensors []checkpoint.Tensor
	for _, name := range read.Names() {
		raw, _ := read.Tensor(name)
		tensors = append(tensors, checkpoint.Tensor{Name: name, Raw: raw})
	}
	var b bytes.Buffer
	if err := checkpoint.WriteTo(&b, tensors, read.Metadata()); err != nil {
		t.Fatal(err)
	}
	again, err := checkpoint.OpenBytes("y", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Names(), read.Names()) || !maps.Equal(again.Metadata(), read.Metadata()) {
		t.Fatalf("%v of %v became %v of %v", read.Names(), read.Metadata(), again.Names(), again.Metadata())
	}
	for _, name := range again.Names() {
		a, _ := again.Tensor(name)
		r, _ := read.Tensor(name)
		if a.Type != r.Type || a.Scale != r.Scale || !slices.Equal(a.Shape, r.Shape) || !bytes.Equal(a.Bytes, r.Bytes) {
			t.Fatalf("%s became %v", name, a)
		}
	}
}

// FuzzIndex: whatever the index of shards says, an error, or all that it names
// is where it says.
func FuzzIndex(f *testing.F) {
	one := fstest.MapFile{Data: file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}`, 1)}
	other := fstest.MapFile{Data: file(`{"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1)}
	f.Add([]byte(`{"metadata":{"total_size":2},"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"2.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../1.safetensors","b":"/etc/passwd","c":".."}}`))
	f.Add([]byte("{\n\"weight_map\":{\"a\":\"m.safetensors.index.json\",\"a\":\"\\u001b[2J\"}}"))
	f.Fuzz(func(t *testing.T, index []byte) {
		files := fstest.MapFS{"m/1.safetensors": &one, "m/2.safetensors": &other, "3.safetensors": &other, "m/m.safetensors.index.json": {Data: index}}
		var w checkpoint.Weights
		var err error
		fuzztest.Bounded(t, 1<<18, 512, len(index), func() { w, err = checkpoint.NewFolder(files, "folder").Sub("m").Weights("m") })
		if err != nil {
			refused(t, err)
			return
		}
		var said struct {
			Map map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal(index, &said); err != nil {
			t.Fatal(err)
		}
		for name := range said.Map {
			if _, ok := w.Tensor(name); !ok {
				t.Errorf("%q is in no shard", name)
			}
		}
	})
}
