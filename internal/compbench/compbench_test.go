package compbench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"taca/internal/sweep"
)

// evaluated is what the evaluators make of a folder samples: prompts by the
// number of their picture, in its order. BLIP-VQA and CLIPScore sort by what
// stands after the last _ and before the first dot after it, UniDet by what
// stands after the first; all take what stands before the first for the prompt.
func evaluated(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	prompts := make([]string, len(entries))
	for _, e := range entries {
		parts := strings.Split(e.Name(), "_")
		blip, errBLIP := strconv.Atoi(strings.Split(parts[len(parts)-1], ".")[0])
		unidet, errUniDet := strconv.Atoi(strings.Split(parts[1], ".")[0])
		if err := errors.Join(errBLIP, errUniDet); err != nil || blip != unidet || blip >= len(prompts) || prompts[blip] != "" {
			t.Fatalf("%q: number %d or %d of %d (%v)", e.Name(), blip, unidet, len(entries), err)
		}
		prompts[blip] = parts[0]
	}
	return prompts
}

// odd are prompts that names can hold, if only just.
var odd = []string{
	"a green bench and a blue bowl", "The red hat was on top of the brown coat rack.", " blanks before and after ", `"quotes", (brackets) & 50% * ? : < > | \`,
	"...", "-n", ".taca-1-0", "ein Bär, 红色的球 🔴", "a girl's 1.5 m tall dog", strings.Repeat("x", 244), strings.Repeat("é", 122), "twice", "twice",
}

func grid(categories []Category, perPrompt int) *sweep.Grid {
	g := &sweep.Grid{Gammas: []string{"1"}, Whens: []string{""}, Guidance: []string{"1"}, Steps: []int{4}}
	for _, c := range categories {
		for _, p := range c.Prompts {
			g.Prompts = append(g.Prompts, sweep.Prompt{Text: p, Columns: map[string]string{"category": c.Name}})
		}
	}
	for n := range perPrompt {
		g.Seeds = append(g.Seeds, 42+int64(n))
	}
	return g
}

// TestEvaluated writes pictures of odd prompts, in two shards that work at once,
// and reads prompts and order back.
func TestEvaluated(t *testing.T) {
	const perPrompt = 10
	dir, out := t.TempDir(), t.TempDir()
	write(t, dir, "color_val.txt", strings.Join(odd, "\r\n"))
	write(t, dir, "spatial_val.txt", "a cat on the left of a dog\ta column\nlast")
	write(t, dir, "color_val_seen.txt", "not these")
	categories, err := ReadCategories(dir, nil)
	if err != nil || len(categories) != 2 || categories[0].Name != "color" || !slices.Equal(categories[1].Prompts, []string{"a cat on the left of a dog", "last"}) {
		t.Fatalf("%+v (%v)", categories, err)
	}
	g := grid(categories, perPrompt)
	var shards [2]*Folder
	for i := range shards {
		if shards[i], err = Open(out, categories, g, sweep.Shard{Index: i, Count: 2}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range g.Cells() {
		f := shards[c.Index%2]
		if f.Has(c) {
			t.Errorf("%s was there", f.CellPath(c))
		}
		if err := f.Keep(c, sweep.Painted{Picture: []byte(fmt.Sprint(c.Prompt, " ", c.Seed))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(shards[0].Close(), shards[1].Close()); err != nil {
		t.Fatal(err)
	}
	first := 0
	for _, c := range categories {
		got := evaluated(t, filepath.Join(out, c.Name, "samples"))
		for i, prompt := range got {
			if prompt != c.Prompts[i/perPrompt] || len(got) != perPrompt*len(c.Prompts) {
				t.Fatalf("%s: picture %d of %d is of %q, want %q", c.Name, i, len(got), prompt, c.Prompts[i/perPrompt])
			}
			data, err := os.ReadFile(filepath.Join(out, c.Name, "samples", fmt.Sprintf("%s_%06d.png", prompt, i)))
			if want := fmt.Sprint(first+i/perPrompt, " ", 42+i%perPrompt); err != nil || string(data) != want {
				t.Errorf("picture %d of %q holds %q, want %q (%v)", i, prompt, data, want, err)
			}
		}
		first += len(c.Prompts)
	}
	names, _ := filepath.Glob(filepath.Join(out, "*"))
	if want := []string{filepath.Join(out, "color"), filepath.Join(out, "compbench.json"), filepath.Join(out, "spatial")}; !slices.Equal(names, want) {
		t.Errorf("the folder holds %v, want %v", names, want)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedPrompts: what cannot be read back from a name is refused, with its
// line.
func TestRefusedPrompts(t *testing.T) {
	for text, want := range map[string]string{
		"good\na snake_case cat":            "line 2: prompt \"a snake_case cat\": the evaluators read a prompt from its pictures' names, up to the first _",
		"a cat/dog":                         "line 1: prompt \"a cat/dog\": .* no /",
		"nul\x00":                           "no NUL",
		"a file.png":                        "cut a picture's name at .png",
		strings.Repeat("x", 245):            "may have 255 bytes, and this would have 256: shorten it",
		strings.Repeat("é", 123):            "may have 255 bytes, and this would have 257",
		"a\n\nb":                            "line 2: it has no prompt: remove it",
		"a\n \t b":                          "line 2: it has no prompt",
		"":                                  "it holds no prompts",
		"\xff":                              "no UTF-8",
		"one\u2028two\nx_y":                 "line 3",
		"one\x1ctwo\rthree\x85\x0bfour\nx_": "UTF-8",
	} {
		dir := t.TempDir()
		write(t, dir, "color_val.txt", text)
		categories, err := ReadCategories(dir, []string{"color"})
		before, after, _ := strings.Cut(want, ".*")
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(before)) || !strings.Contains(err.Error(), strings.TrimSpace(after)) {
			t.Errorf("%.20q: %v, %v; want an error with %q", text, categories, err, want)
		}
	}
	for _, names := range [][]string{{"color", "color"}, {"../color"}, {""}, {"missing"}, nil} {
		dir := t.TempDir()
		if len(names) > 0 {
			write(t, dir, "color_val.txt", "a cat")
		}
		if categories, err := ReadCategories(dir, names); err == nil {
			t.Errorf("%q: %v", names, categories)
		}
	}
}

// TestGoOn: what was killed is gone on with, by one run at a time, with the same
// settings only; nothing lies beside pictures but pictures.
func TestGoOn(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new")
	categories := []Category{{"color", []string{"a cat", "a dog"}}}
	g := grid(categories, 2)
	whole := sweep.Shard{Count: 1}
	killed, err := Open(out, categories, g, whole)
	if err != nil {
		t.Fatal(err)
	}
	cells := g.Cells()
	if err := killed.Keep(cells[2], sweep.Painted{Picture: []byte("dog")}); err != nil {
		t.Fatal(err)
	}
	write(t, killed.work, ".taca-1-0", "half a pic")
	if _, err := Open(out, categories, g, whole); err == nil || !strings.Contains(err.Error(), "another taca is painting this part") {
		t.Errorf("two at once: %v", err)
	}
	killed.lock.Close() // as the kernel does for the dead
	again, err := Open(out, categories, g, whole)
	if err != nil {
		t.Fatal(err)
	}
	if again.Has(cells[0]) || !again.Has(cells[2]) {
		t.Error("what was painted is lost")
	}
	if left, _ := os.ReadDir(again.work); len(left) > 0 {
		t.Errorf("half a picture is still there: %v", left)
	}
	if entries, _ := os.ReadDir(filepath.Join(out, "color", "samples")); len(entries) != 1 {
		t.Errorf("beside the picture lie %v", entries)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	other := grid(categories, 2)
	other.Gammas = []string{"1.2"}
	var refused *sweep.Refused
	if _, err := Open(out, categories, other, whole); !errors.As(err, &refused) || !strings.Contains(err.Error(), `gamma was ["1"], now it is ["1.2"]`) {
		t.Errorf("other settings: %v", err)
	}
	foreign := t.TempDir()
	write(t, foreign, "thesis.tex", "")
	if _, err := Open(foreign, categories, g, whole); !errors.As(err, &refused) {
		t.Errorf("a folder of other things: %v", err)
	}
}
