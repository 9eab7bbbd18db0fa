package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// paint is a picture that differs from cell to cell.
func paint(t *testing.T, c Cell) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 48, 32))
	gamma := uint8(0)
	for _, r := range c.Gamma {
		gamma = gamma*7 + uint8(r)
	}
	for i := range img.Pix {
		img.Pix[i] = uint8(i) ^ gamma
	}
	img.Set(int(c.Seed), c.Prompt, color.NRGBA{255, 0, 0, 255})
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fill paints some of a folder's cells, each a different time.
func fill(t *testing.T, f *Folder, cells []Cell) {
	t.Helper()
	for i, c := range cells {
		seconds := Seconds{Denoising: 1 + float64(i), Decoding: 0.5, Total: 2 + float64(i)}
		if err := f.Keep(c, Painted{Picture: paint(t, c), Settings: json.RawMessage(`{"program":"taca test"}`), Seconds: seconds}); err != nil {
			t.Fatal(err)
		}
	}
}

func begin(t *testing.T, path string, g *Grid, s Shard) *Folder {
	t.Helper()
	f, err := Open(path, g, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // closed by the test, where that matters
	return f
}

// files are a folder's, by name; times are taken out.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	seconds := regexp.MustCompile(`,"seconds":\{[^}]*\}`)
	block := regexp.MustCompile(`(?m)^<script id="times".*$`)
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if d.IsDir() && strings.HasPrefix(d.Name(), shardPrefix) {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name := strings.TrimPrefix(path, root)
		found[name] = string(block.ReplaceAll(seconds.ReplaceAll(data, nil), nil))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s is not the same", what, name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s: %s is too many", what, name)
	}
}

// TestGoingOn: what is painted stays, what a killed run left goes, and the
// results tell of the pictures that are there.
func TestGoingOn(t *testing.T) {
	g, dir := small(), filepath.Join(t.TempDir(), "new", "sweep")
	f := begin(t, dir, g, Shard{0, 1})
	cells := g.Cells()
	fill(t, f, cells[:3])
	if _, err := Open(dir, g, Shard{0, 1}); err == nil || !strings.Contains(err.Error(), "another taca is painting into") {
		t.Errorf("two may open it: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// A cell whose line is there and whose picture is not, one without a line,
	// and a line that was cut off.
	if err := errors.Join(
		appendLine(f.in(resultsFile), mustJSON(t, g.Result(cells[9]))),
		os.WriteFile(f.CellPath(cells[5]), paint(t, cells[5]), 0o666),
		appendLine(f.in(resultsFile), []byte(`{"index":7,"fi`)),
		os.WriteFile(f.in(".taca-1-0"), nil, 0o666),
		os.WriteFile(filepath.Join(f.in(cellsFolder), ".taca-22-1"), []byte("half"), 0o666),
	); err != nil {
		t.Fatal(err)
	}
	f = begin(t, dir, g, Shard{0, 1})
	for i, c := range cells {
		if want := i < 3 || i == 5; f.Has(c) != want {
			t.Errorf("cell %d is painted: %v", i, !want)
		}
	}
	data, err := os.ReadFile(f.in(resultsFile))
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if err != nil || len(lines) != 4 || !strings.Contains(lines[2], `"total":4`) || strings.Contains(lines[3], "seconds") || !strings.Contains(lines[3], `"index":5,`) {
		t.Errorf("the results are %s (%v)", data, err)
	}
	for name := range files(t, dir) {
		if strings.Contains(name, ".taca-") {
			t.Errorf("%s is left", name)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRefusals: another grid, and folders that hold something else.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	f := begin(t, dir, small(), Shard{0, 1})
	_ = f.Close()
	for want, change := range map[string]func(*Grid){
		`gamma was ["1","1.2"], now it is ["1","1.4"]`:                            func(g *Grid) { g.Gammas[1] = "1.4" },
		`width was 128, now it is 64`:                                             func(g *Grid) { g.Width = 64 },
		`cache was not given, now it is 0.5`:                                      func(g *Grid) { g.Cache = 0.5 },
		`taca_loras was ["off","models/taca.safetensors:1"], now it is not given`: func(g *Grid) { g.LoRAs = nil },
		`program was "taca test", now it is "taca 2"`:                             func(g *Grid) { g.Program = "taca 2" },
	} {
		g := small()
		change(g)
		var refused *Refused
		if _, err := Open(dir, g, Shard{0, 1}); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %s", err, want)
		}
		if _, err := Look(dir, g, Shard{0, 1}); !errors.As(err, &refused) {
			t.Errorf("to look is not refused: %v", err)
		}
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.tex"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other, small(), Shard{0, 1}); err == nil || !strings.Contains(err.Error(), "is not empty and holds no sweep") {
		t.Errorf("error %v", err)
	}
	parts := t.TempDir()
	_ = begin(t, parts, small(), Shard{1, 2}).Close()
	if _, err := Open(parts, small(), Shard{0, 1}); err == nil || !strings.Contains(err.Error(), "holds shards of a sweep") {
		t.Errorf("error %v", err)
	}
	_ = begin(t, parts, small(), Shard{0, 2}).Close() // its sibling may
	if _, err := Parts([]string{other}); err == nil || !strings.Contains(err.Error(), "holds no sweep") {
		t.Errorf("error %v", err)
	}
	strange := small()
	strange.Gammas = []string{"7"}
	_ = begin(t, other+"2", strange, Shard{0, 1}).Close()
	if _, err := Parts([]string{parts, other + "2"}); err == nil || !strings.Contains(err.Error(), "does not belong to the others") {
		t.Errorf("error %v", err)
	}
}

// TestMerged: parts that were painted at other times, brought together in any
// order, and bit by bit, are the sweep in one piece.
func TestMerged(t *testing.T) {
	g := small()
	whole := begin(t, t.TempDir(), g, Shard{0, 1})
	fill(t, whole, g.Cells())
	written, err := whole.Report()
	if err != nil || len(written) != 3 {
		t.Fatalf("%v (%v)", written, err)
	}
	want := files(t, whole.Path)

	dir := t.TempDir()
	even := func(Cell) float64 { return 1 }
	for i := range 3 {
		s := Shard{2 - i, 3}
		f := begin(t, dir, g, s)
		fill(t, f, s.Of(g.Cells(), even))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		parts, err := Parts([]string{dir})
		if err != nil {
			t.Fatal(err)
		}
		to, err := Merge(dir, parts)
		if err != nil {
			t.Fatal(err)
		}
		if missing := []int{43, 21, 0}[i]; to.Missing() != missing && to.Missing() != missing-1 && to.Missing() != missing+1 {
			t.Errorf("%d cells are missing, want about %d", to.Missing(), missing)
		}
		if _, err := to.Report(); err != nil {
			t.Fatal(err)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "merged in place", files(t, dir), want)

	parts, err := Parts([]string{dir + "/shard-1-of-3", dir + "/shard-0-of-3", dir + "/shard-2-of-3"})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	to, err := Merge(out, parts)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := to.Report(); err != nil {
		t.Fatal(err)
	}
	same(t, "merged elsewhere", files(t, out), want)
}

// TestMetrics: the difference to γ = 1 is what it is, and 0 there.
func TestMetrics(t *testing.T) {
	g := small()
	f := begin(t, t.TempDir(), g, Shard{0, 1})
	cells := g.Cells()
	fill(t, f, cells[:3]) // the third has no neighbour to compare with
	if _, err := f.Report(); err != nil {
		t.Fatal(err)
	}
	a, b := decode(t, paint(t, cells[0])), decode(t, paint(t, cells[1]))
	sum, n := 0.0, 0.0
	for y := range 32 {
		for x := range 48 {
			r, gr, bl, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			for _, d := range []float64{float64(r) - float64(r2), float64(gr) - float64(g2), float64(bl) - float64(b2)} {
				sum, n = sum+d/257*d/257, n+1
			}
		}
	}
	got := readResults([]byte(files(t, f.Path)["/"+resultsFile]))
	if d := got[1].Metrics[differenceMetric]; d < 1 || d*d/(sum/n) < 0.999999 || d*d/(sum/n) > 1.000001 {
		t.Errorf("difference %v, want the root of %v", d, sum/n)
	}
	if d, ok := got[0].Metrics[differenceMetric]; d != 0 || !ok {
		t.Errorf("difference %v of γ = 1 itself", d)
	}
	if d := got[2].Metrics[differenceMetric]; d != 0 {
		t.Errorf("difference %v", d)
	}
	page := files(t, f.Path)["/"+reportFile]
	if n := strings.Count(page, "not painted</em>"); n != 61 {
		t.Errorf("the page has %d empty places, want 61", n)
	}
	if found := regexp.MustCompile(`(src|href|url)[="(]+(https?:|//)[^"]*`).FindString(page); found != "" {
		t.Errorf("the page asks the network for %s", found)
	}
}

func decode(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestManySeeds: a prompt with more rows than a sheet has goes on in another.
func TestManySeeds(t *testing.T) {
	g := small()
	g.Prompts, g.LoRAs, g.Guidance, g.Whens, g.Seeds = g.Prompts[1:], nil, g.Guidance[:1], g.Whens[:1], nil
	for i := range mostRows + 3 {
		g.Seeds = append(g.Seeds, int64(i%48))
	}
	f := begin(t, t.TempDir(), g, Shard{0, 1})
	cells := g.Cells()
	fill(t, f, []Cell{cells[0], cells[len(cells)-1]})
	written, err := f.Report()
	if err != nil {
		t.Fatal(err)
	}
	var heights []int
	for _, name := range []string{"p000-zweite-zeile.png", "p000-zweite-zeile-2.png"} {
		data, err := os.ReadFile(filepath.Join(f.in(sheetFolder), name))
		if err != nil {
			t.Fatal(err)
		}
		heights = append(heights, decode(t, data).Bounds().Dy())
	}
	if want := (mostRows - 3) * (32 + gap); len(written) != 3 || heights[0]-heights[1] != want {
		t.Errorf("%v: the sheets are %v high, want %d between them", written, heights, want)
	}
}
