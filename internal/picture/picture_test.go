package picture_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"taca/internal/fuzztest"
	"taca/internal/picture"
)

func sample() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	img.Set(1, 1, color.NRGBA{R: 200, A: 255})
	return img
}

// TestRemarksComeBack, and the picture is still one for others.
func TestRemarksComeBack(t *testing.T) {
	want := map[string]string{"parameters": "a red cube\nSteps: 2", "taca": `{"prompt":"红 🔴"}`, "latin": "é ß"}
	var remarks []picture.Text
	for k, v := range want {
		remarks = append(remarks, picture.Text{Key: k, Value: v})
	}
	data, err := picture.Encode(sample(), remarks...)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || img.At(1, 1) != (color.NRGBA{R: 200, A: 255}) {
		t.Errorf("decoded %v (%v)", img, err)
	}
	path := filepath.Join(t.TempDir(), "x.png")
	if err := picture.Write(path, data); err != nil {
		t.Fatal(err)
	}
	got, err := picture.Remarks(path)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
}

func TestParameters(t *testing.T) {
	got := picture.Parameters("a cube", "a sphere", picture.Text{Key: "Steps", Value: "4"}, picture.Text{Key: "Model", Value: "a,b"})
	if want := "a cube\nNegative prompt: a sphere\nSteps: 4, Model: \"a,b\""; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzRemarks: whatever the bytes, an error or texts.
func FuzzRemarks(f *testing.F) {
	data, err := picture.Encode(sample(), picture.Text{Key: "a", Value: "b"}, picture.Text{Key: "ü", Value: "红"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	path := filepath.Join(f.TempDir(), "x.png")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		var remarks map[string]string
		var err error
		fuzztest.Bounded(t, 1<<16, 16, len(data), func() { remarks, err = picture.Remarks(path) })
		if err != nil && remarks != nil {
			t.Errorf("both %v and %v", remarks, err)
		}
	})
}
