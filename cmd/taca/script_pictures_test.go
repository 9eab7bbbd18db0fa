package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"taca/internal/checkpoint"
)

// mask FILE WIDTH HEIGHT X: a PNG that is black up to column X, then white.
func putMask(ts *testscript.TestScript, _ bool, args []string) {
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(args[1+i])
		ts.Check(err)
		numbers[i] = n
	}
	img := image.NewGray(image.Rect(0, 0, numbers[0], numbers[1]))
	for y := range numbers[1] {
		for x := numbers[2]; x < numbers[0]; x++ {
			img.SetGray(x, y, color.Gray{Y: 255})
		}
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, img))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}

// jpeg FROM TO: a PNG as a JPEG.
func asJPEG(ts *testscript.TestScript, _ bool, args []string) {
	img, err := png.Decode(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	var b bytes.Buffer
	ts.Check(jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o644))
}

// sampleFolder holds small pictures of all kinds. Tests start in their package's
// folder, scripts do not.
var sampleFolder, _ = filepath.Abs("../../internal/picture/testdata/files")

// putSample NAME FILE: a copy of a small picture.
func putSample(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(filepath.Join(sampleFolder, args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// without FILE PREFIX: the checkpoint loses the tensors whose names begin so.
func dropTensors(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	f, err := checkpoint.OpenFile(path)
	ts.Check(err)
	var kept []checkpoint.Tensor
	for _, name := range f.Names() {
		if !strings.HasPrefix(name, args[1]) {
			raw, _ := f.Tensor(name)
			values, err := checkpoint.Floats(raw)
			ts.Check(err)
			kept = append(kept, checkpoint.FromFloats(name, raw.Shape, values))
		}
	}
	ts.Check(f.Close())
	ts.Check(checkpoint.Write(path, kept, nil))
}
