package vae_test

import (
	"encoding/json"
	"image/color"
	"math"
	"os"
	"testing"

	"taca/internal/model/vae"
	"taca/internal/tensor"
)

// Bytes are those of diffusers, on the edges between bytes, too.
func TestPixels(t *testing.T) {
	data, err := os.ReadFile("testdata/levels.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Bits  []uint32
		Bytes []uint16 // encoding/json takes []uint8 for a string
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.Bits) == 0 {
		t.Fatalf("%d values (%v)", len(want.Bits), err)
	}
	rows := make([]float32, 0, 3*len(want.Bits))
	for _, bits := range want.Bits {
		v := math.Float32frombits(bits)
		rows = append(rows, v, v, v)
	}
	picture := vae.Pixels(rows, tensor.Grid{Height: 1, Width: len(want.Bits)})
	for x, value := range want.Bytes {
		level := uint8(value)
		if got := picture.NRGBAAt(x, 0); got != (color.NRGBA{R: level, G: level, B: level, A: 255}) {
			t.Errorf("%g becomes %v, want %d", rows[3*x], got, level)
		}
	}
}

func TestPixelsAreRowMajor(t *testing.T) {
	nan := float32(math.NaN())
	picture := vae.Pixels([]float32{
		1, -1, -1, -1, 1, -1,
		-1, -1, 1, 1, 1, 1,
		0, nan, -7, 7, nan, 0,
	}, tensor.Grid{Height: 3, Width: 2})
	if size := picture.Bounds().Size(); size.X != 2 || size.Y != 3 {
		t.Fatalf("size is %v", size)
	}
	want := [3][2]color.NRGBA{
		{{R: 255, A: 255}, {G: 255, A: 255}},
		{{B: 255, A: 255}, {R: 255, G: 255, B: 255, A: 255}},
		{{R: 128, A: 255}, {R: 255, B: 128, A: 255}},
	}
	for y := range want {
		for x := range want[y] {
			if got := picture.NRGBAAt(x, y); got != want[y][x] {
				t.Errorf("pixel (%d, %d) is %v, want %v", y, x, got, want[y][x])
			}
		}
	}
}
