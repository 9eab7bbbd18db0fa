package checker

import (
	"encoding/json"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/model/modeltest"
	"taca/internal/tensor"
)

// render is a true picture of the embedded model's world, and what the
// reference found in it: scripts/golden/checker.py.
type render struct {
	File, Kind, Relation string
	Objects, Found       []Object
	image                *image.NRGBA
}

func renders(t *testing.T) []render {
	t.Helper()
	data, err := os.ReadFile("testdata/renders.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []render
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		f, err := os.Open(filepath.Join("testdata", all[i].File))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		all[i].image = image.NewNRGBA(img.Bounds())
		draw.Draw(all[i].image, img.Bounds(), img, image.Point{}, draw.Src)
	}
	if len(all) != 24 {
		t.Fatalf("%d renders, want 24", len(all))
	}
	return all
}

func open(t *testing.T, b tensor.Backend) *Detector {
	t.Helper()
	f, err := demo.Checker()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(f, b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// fast opens the processor at its best.
func fast(t *testing.T) tensor.Backend {
	t.Helper()
	b, err := modeltest.Fast()[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// TestOutputs holds the whole output against PyTorch's, with every instruction
// set. Activations are F32 on both sides, so only the order of sums differs.
func TestOutputs(t *testing.T) {
	golden, err := checkpoint.OpenFile("testdata/outputs.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	pictures := renders(t)
	for _, backend := range modeltest.Backends() {
		b, err := backend.Open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		d := open(t, b)
		names := golden.Names()
		if strings.HasPrefix(backend.Name, "reference") {
			names = names[:1] // plain Go takes its time
		}
		for _, name := range names {
			raw, _ := golden.Tensor(name)
			want, err := checkpoint.Floats(raw)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(pictures, func(r render) bool { return r.File == name })
			in, err := input(pictures[at].image)
			if err != nil {
				t.Fatal(err)
			}
			if off, most := apart(d.forward(in), want); off > 1e-5*most {
				t.Errorf("%s, %s: outputs up to %.3g differ by %.3g", backend.Name, name, most, off)
			}
		}
	}
}

// apart is the largest difference, and the largest of the numbers wanted.
func apart(got, want []float32) (off, most float64) {
	for i := range want {
		off = math.Max(off, math.Abs(float64(got[i])-float64(want[i])))
		most = math.Max(most, math.Abs(float64(want[i])))
	}
	return off, most
}

// TestFound compares what is found with what the reference finds.
func TestFound(t *testing.T) {
	d := open(t, fast(t))
	for _, r := range renders(t) {
		found, err := d.Detect(r.image)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != len(r.Found) {
			t.Errorf("%s: %d objects, want %d", r.File, len(found), len(r.Found))
			continue
		}
		for i, o := range found {
			w := r.Found[i]
			if o.Shape != w.Shape || o.Color != w.Color || o.Material != w.Material ||
				math.Abs(o.Score-w.Score) > 1e-5 || math.Abs(o.X-w.X) > 1e-3 || math.Abs(o.Y-w.Y) > 1e-3 {
				t.Errorf("%s: %+v, want %+v", r.File, o, w)
			}
		}
	}
}

// TestTrueRenders: what is there is accepted; with any one word wrong, or the
// relation turned round, it is rejected.
func TestTrueRenders(t *testing.T) {
	d := open(t, fast(t))
	turned := map[string]string{"left": "right", "right": "left", "front": "behind", "behind": "front"}
	asked := 0
	for _, r := range renders(t) {
		if r.Kind == "count" {
			continue
		}
		found, err := d.Detect(r.image)
		if err != nil {
			t.Fatal(err)
		}
		p := Prompt{Objects: r.Objects, Relation: r.Relation}
		if !p.Verify(found) || p.Share(found) != 1 {
			t.Errorf("%s: %+v is there, found was %+v", r.File, p, found)
		}
		if p.Relation != "" {
			wrong := p
			wrong.Relation = turned[p.Relation]
			if wrong.Verify(found) || wrong.Share(found) != 1 {
				t.Errorf("%s: it is not %s, or objects are not there", r.File, wrong.Relation)
			}
		}
		for i := range p.Objects {
			for _, wrong := range mutants(p, i) {
				if asked++; wrong.Verify(found) || wrong.Share(found) == 1 {
					t.Errorf("%s: %+v was accepted for %+v", r.File, wrong.Objects, found)
				}
			}
		}
	}
	if asked < 500 {
		t.Errorf("only %d wrong descriptions were asked", asked)
	}
}

// mutants are p with one word of its i-th object replaced by each other one.
func mutants(p Prompt, i int) []Prompt {
	var all []Prompt
	for _, words := range []struct {
		values []string
		field  func(*Object) *string
	}{
		{shapes, func(o *Object) *string { return &o.Shape }},
		{colors, func(o *Object) *string { return &o.Color }},
		{materials, func(o *Object) *string { return &o.Material }},
	} {
		for _, v := range words.values {
			wrong := p
			wrong.Objects = slices.Clone(p.Objects)
			if field := words.field(&wrong.Objects[i]); *field != v {
				*field = v
				all = append(all, wrong)
			}
		}
	}
	return all
}

func TestInput(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2*seen, 2*seen))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	img.Pix[img.PixOffset(3, 5)+1] = 51 // one pixel of cell (1, 2), green
	in, err := input(img)
	if err != nil || len(in) != seen*seen*colours {
		t.Fatalf("%d numbers, %v", len(in), err)
	}
	if at := (2*seen+1)*colours + 1; math.Abs(float64(in[at])-(204/127.5-1)) > 1e-6 || in[at-1] != 1 || in[at+1] != 1 {
		t.Errorf("pixel (1, 2) is %v", in[at-1:at+2])
	}
	for _, size := range []image.Rectangle{image.Rect(0, 0, 128, 256), image.Rect(0, 0, 64, 64), {}} {
		if _, err := input(image.NewNRGBA(size)); err == nil {
			t.Errorf("a picture of %v was looked at", size)
		}
	}
}
