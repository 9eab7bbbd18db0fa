package main

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"taca/internal/checkpoint"
	"taca/internal/trace"
)

func newCompareCommand(a *app) *cobra.Command {
	var tolerance float64
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "compare two traces, latents or pictures",
		Long: `compare says how A differs from B: traces (folders written by --trace) and
safetensors files tensor by tensor in forward order, pictures by their pixels.
It exits with 1 where a relative error is above the tolerance.`,
		Example: `  taca compare trace-f32 trace-bf16 --tolerance 0.02
  taca compare a.png b.png`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			return runCompare(a, args[0], args[1], tolerance)
		},
	}
	c.Flags().Float64Var(&tolerance, "tolerance", 1e-3, "largest relative error; for pictures the largest difference of a channel, over 255")
	return c
}

// errDiffers is the result of a comparison, not a failure.
var errDiffers = errors.New("they differ by more than the tolerance")

func runCompare(a *app, left, right string, tolerance float64) error {
	info, err := os.Stat(left)
	switch {
	case err != nil:
		return usagef("compare %s: %w", left, cause(err))
	case info.IsDir():
		return compareFolders(a, left, right, tolerance)
	case strings.EqualFold(filepath.Ext(left), ".png"):
		return comparePictures(a, left, right, tolerance)
	}
	return compareFiles(a, left, right, tolerance)
}

func compareFolders(a *app, left, right string, tolerance float64) error {
	files, err := filepath.Glob(filepath.Join(left, "*.safetensors"))
	if err != nil || len(files) == 0 {
		return usagef("compare %s: it holds no trace (no .safetensors files)", left)
	}
	others, err := filepath.Glob(filepath.Join(right, "*.safetensors"))
	if err != nil || len(others) != len(files) {
		return usagef("compare %s and %s: %d and %d stages: they are traces of different runs", left, right, len(files), len(others))
	}
	slices.SortFunc(files, inOrder)
	var differ error
	for _, f := range files {
		fmt.Fprintln(a.stdout, filepath.Base(f))
		err := compareFiles(a, f, filepath.Join(right, filepath.Base(f)), tolerance)
		if err != nil && !errors.Is(err, errDiffers) {
			return err
		}
		differ = errors.Join(differ, err)
	}
	if differ != nil {
		return errDiffers
	}
	return nil
}

// inOrder is the order in which a run writes its stages: text, step00, ...,
// step100, decode.
func inOrder(x, y string) int {
	x, y = filepath.Base(x), filepath.Base(y)
	rank := map[byte]int{'t': 0, 's': 1, 'd': 2}
	return cmp.Or(cmp.Compare(rank[x[0]], rank[y[0]]), cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
}

func compareFiles(a *app, left, right string, tolerance float64) error {
	got, err := matrices(left)
	if err != nil {
		return err
	}
	want, err := matrices(right)
	if err != nil {
		return err
	}
	report := trace.Compare(got, want, tolerance)
	if _, err := fmt.Fprint(a.stdout, report); err != nil {
		return err
	}
	if _, bad := report.First(); bad {
		return errDiffers
	}
	return nil
}

// matrices reads a safetensors file as a trace.
func matrices(path string) ([]trace.Named, error) {
	f, err := checkpoint.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return trace.Read(f)
}

func comparePictures(a *app, left, right string, tolerance float64) error {
	x, err := readPixels(left)
	if err != nil {
		return err
	}
	y, err := readPixels(right)
	if err != nil {
		return err
	}
	if x.Rect.Size() != y.Rect.Size() {
		return usagef("compare %s and %s: sizes %v and %v differ", left, right, x.Rect.Size(), y.Rect.Size())
	}
	most, squares, changed := 0, 0.0, 0
	for i := range x.Pix {
		d := int(x.Pix[i]) - int(y.Pix[i])
		most = max(most, d, -d)
		squares += float64(d * d)
		if d != 0 {
			changed++
		}
	}
	rms := math.Sqrt(squares / float64(len(x.Pix)))
	fmt.Fprintf(a.stdout, "largest difference %d of 255, rms %.3f, %.2f%% of values differ\n", most, rms, 100*float64(changed)/float64(len(x.Pix)))
	if float64(most)/255 > tolerance {
		return errDiffers
	}
	return nil
}

func readPixels(path string) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, usagef("read %s: %w", path, cause(err))
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, usagef("read %s: %w", path, err)
	}
	out := image.NewNRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Src)
	return out, nil
}
