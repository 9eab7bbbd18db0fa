package checker

import (
	"cmp"
	"math"
	"slices"
)

// What there is in the embedded model's world, in the order of the detector's
// channels.
var (
	shapes    = []string{"sphere", "cube", "cylinder", "cone"}
	colors    = []string{"red", "green", "blue", "yellow", "orange", "purple", "cyan", "pink"}
	materials = []string{"matte", "metal", "striped", "checkered"}
)

// Object is a solid, as it was found or as it is wanted; a word that is empty
// was not said.
type Object struct {
	Shape    string  `json:"shape"`
	Color    string  `json:"color,omitempty"`
	Material string  `json:"material,omitempty"`
	Score    float64 `json:"score,omitempty"` // how sure the detector is, up to 1
	X        float64 `json:"x,omitempty"`     // its middle, where the picture's sides are 128 long
	Y        float64 `json:"y,omitempty"`
}

// objects are where presence is above peak and no less than in the cells around.
func objects(out []float32, peak float32) []Object {
	heat := make([]float32, cells*cells)
	for i := range heat {
		heat[i] = float32(1 / (1 + math.Exp(-float64(out[i*channels]))))
	}
	var found []Object
	for i, here := range heat {
		if x, y, highest := around(heat, i/cells, i%cells); here == highest && here > peak {
			o := Object{Score: float64(here), X: x, Y: y}
			kinds := out[i*channels+1 : (i+1)*channels]
			o.Shape, kinds = likeliest(shapes, kinds)
			o.Color, kinds = likeliest(colors, kinds)
			o.Material, _ = likeliest(materials, kinds)
			found = append(found, o)
		}
	}
	slices.SortStableFunc(found, func(a, b Object) int { return cmp.Compare(b.Score, a.Score) })
	return found
}

// around is the middle of the heat in a cell and those next to it, and the
// highest of it.
func around(heat []float32, row, col int) (x, y float64, highest float32) {
	sum := 0.0
	for j := max(0, row-1); j <= min(cells-1, row+1); j++ {
		for i := max(0, col-1); i <= min(cells-1, col+1); i++ {
			w := heat[j*cells+i]
			highest, sum = max(highest, w), sum+float64(w)
			x += float64(w) * (float64(i) + 0.5)
			y += float64(w) * (float64(j) + 0.5)
		}
	}
	return x / sum * pixel, y / sum * pixel, highest
}

// likeliest is the word with the largest of the leading numbers, and the other
// numbers.
func likeliest(words []string, numbers []float32) (string, []float32) {
	own := numbers[:len(words)]
	return words[slices.Index(own, slices.Max(own))], numbers[len(words):]
}
