package checker

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"strconv"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

const (
	seen     = 128                   // pixels per side that the detector looks at
	stems    = 3                     // convolutions that each halve the sides
	cells    = seen >> stems         // per side of what it says
	residual = 3                     // pairs of convolutions that add to what they read
	channels = 1 + 4 + 8 + 4         // presence, shapes, colours, materials
	colours  = 3                     // of a pixel
	pixel    = float64(seen) / cells // of a cell
)

// widths is channels before and after each of the stems.
var widths = [stems + 1]int{colours, 24, 48, 96}

// Detector finds objects in pictures.
type Detector struct {
	backend tensor.Backend
	binder  *nn.Binder
	stem    [stems]conv
	res     [residual][2]conv
	out     nn.Linear
	peak    float32
	worth   map[string]map[string]Worth
}

// conv is a 3×3 convolution with the norm that followed it in training.
type conv struct{ w, b tensor.Tensor }

// Open binds the weights of a file that scripts/train_demo/export_checker.py has
// made, on a backend that holds no scratch at the moment.
func Open(f *checkpoint.File, b tensor.Backend) (*Detector, error) {
	d, err := bind(f, b)
	if err != nil {
		return nil, err
	}
	peak, err := strconv.ParseFloat(f.Metadata()["peak"], 32)
	d.peak = float32(peak)
	if err = errors.Join(err, json.Unmarshal([]byte(f.Metadata()["measured"]), &d.worth)); err != nil {
		d.Close()
		return nil, &checkpoint.Error{Path: f.String(), Problem: "what it was measured to be worth is damaged: " + err.Error()}
	}
	trial := dry.New()
	shapes, err := bind(nil, trial)
	if err != nil {
		return nil, err
	}
	shapes.forward(make([]float32, seen*seen*colours))
	if err := b.Reserve(trial.PeakScratch()); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// bind binds the weights; of no file, shapes alone.
func bind(f *checkpoint.File, b tensor.Backend) (*Detector, error) {
	var source checkpoint.Source
	if f != nil {
		source = f
	}
	d := &Detector{backend: b, binder: nn.NewBinder(source, b)}
	layer := func(c *conv, name string, out, in int) { d.binder.Conv3x3(&c.w, &c.b, name, out, in) }
	for i := range d.stem {
		layer(&d.stem[i], fmt.Sprintf("stem.%d", i), widths[i+1], widths[i])
	}
	width := widths[stems]
	for i := range d.res {
		for j := range d.res[i] {
			layer(&d.res[i][j], fmt.Sprintf("res.%d.%d", i, j), width, width)
		}
	}
	d.binder.Linear(&d.out, "out", channels, width)
	if err := d.binder.Close(nil); err != nil {
		d.binder.Drop()
		return nil, err
	}
	d.binder.Weights().Keep()
	return d, nil
}

// Close gives back the weights.
func (d *Detector) Close() { d.binder.Drop() }

// Detect finds the objects in a picture, the surest first.
func (d *Detector) Detect(img *image.NRGBA) ([]Object, error) {
	in, err := input(img)
	if err != nil {
		return nil, err
	}
	out := d.forward(in)
	if err := d.backend.Err(); err != nil {
		return nil, err
	}
	return objects(out, d.peak), nil
}

// Looks reports whether the detector can look at pictures of a size.
func Looks(width, height int) bool { return width == height && width > 0 && width%seen == 0 }

// input is the picture's rows of pixels, -1 to 1, averaged over squares where it
// is larger than what the detector looks at.
func input(img *image.NRGBA) ([]float32, error) {
	size := img.Bounds().Size()
	if !Looks(size.X, size.Y) {
		return nil, fmt.Errorf("a picture of %d×%d: the checker looks at squares of %d pixels, and of multiples of it", size.X, size.Y, seen)
	}
	n := size.X / seen
	in := make([]float32, 0, seen*seen*colours)
	for y := range seen {
		for x := range seen {
			var sum [colours]int
			for i := range n * n {
				at := img.PixOffset(img.Rect.Min.X+x*n+i%n, img.Rect.Min.Y+y*n+i/n)
				for c := range sum {
					sum[c] += int(img.Pix[at+c])
				}
			}
			for _, s := range sum {
				in = append(in, float32(s)/float32(n*n)/127.5-1)
			}
		}
	}
	return in, nil
}

// forward is the detector's output, channels numbers for each cell.
func (d *Detector) forward(in []float32) []float32 {
	o := d.backend
	defer o.Release(o.Mark())
	none := tensor.Tensor{}
	grid := tensor.Grid{Height: seen, Width: seen}
	x := o.Scratch(grid.Rows(), colours, tensor.F32)
	o.Upload(x, in)
	for _, c := range d.stem {
		x = c.halved(o, x, grid)
		grid = tensor.Grid{Height: grid.Height / 2, Width: grid.Width / 2}
		nn.ReLU(o, x, x)
	}
	inner, added := o.Scratch(x.Rows, x.Cols, x.DType), o.Scratch(x.Rows, x.Cols, x.DType)
	for _, r := range d.res {
		o.Conv3x3(inner, x, r[0].w, r[0].b, grid)
		nn.ReLU(o, inner, inner)
		o.Conv3x3(added, inner, r[1].w, r[1].b, grid)
		nn.ReLU(o, added, added)
		o.GatedAdd(x, added, none)
	}
	found := o.Scratch(x.Rows, channels, tensor.F32)
	d.out.Apply(o, found, x, tensor.Identity)
	host := make([]float32, found.Rows*found.Cols)
	o.Download(host, found)
	return host
}

// halved is the convolution in steps of two pixels: what it is at even places
// of even lines. The verb has no steps, so three quarters are computed in vain,
// some milliseconds a picture.
func (c conv) halved(o tensor.Ops, x tensor.Tensor, grid tensor.Grid) tensor.Tensor {
	width := c.w.Rows
	flat := func(rows int) tensor.Tensor { return shaped(o.Scratch(1, rows*width, x.DType), rows, width, width) }
	dst, whole, lines := flat(grid.Rows()/4), flat(grid.Rows()), flat(grid.Rows()/2)
	o.Conv3x3(whole, x, c.w, c.b, grid)
	o.Copy(lines, shaped(whole, lines.Rows, width, 2*width))
	line := grid.Width / 2 * width
	o.Copy(shaped(dst, grid.Height/2, line, line), shaped(lines, grid.Height/2, line, 2*line))
	return dst
}

// shaped is t's memory, without gaps, seen as another matrix.
func shaped(t tensor.Tensor, rows, cols, stride int) tensor.Tensor {
	t.Rows, t.Cols, t.Stride = rows, cols, stride
	return t
}
