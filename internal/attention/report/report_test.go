package report

import (
	"bytes"
	"encoding/json"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"taca/internal/attention"
	"taca/internal/figure"
	"taca/internal/model"
	"taca/internal/tensor"
)

// painted is a run of so many steps of a model with two blocks of two heads, a
// grid of 2×3 and four text tokens. boost is what gamma does to text.
func painted(name string, steps int, boost float64) Painted {
	p := Painted{Name: name, Picture: name + ".png", Image: figure.New(48, 32)}
	for i := range steps {
		s := attention.Step{Visual: 6, Text: 4}
		gamma := float32(1)
		if name == "taca" && i < 2 {
			gamma = 1.2
		} else {
			boost = 1
		}
		for b := range 2 {
			s.Blocks = append(s.Blocks, attention.Block{Index: b, Gamma: gamma, Share: []float64{0.2 * boost, 0.3 * boost}, Entropy: []float64{1.5, 1.25}})
		}
		for v := range 6 {
			for t := range 4 {
				s.Maps = append(s.Maps, float32(0.25*boost*float64(v+1)*float64(t+1)/(3.5*10)))
			}
		}
		p.Seen = append(p.Seen, s)
		p.Steps = append(p.Steps, model.Step{Sigma: 1 - float32(i)/float32(steps), Gamma: gamma})
	}
	return p
}

var words = []attention.Word{{Text: "A", Tokens: []int{0}}, {Text: "red,", Tokens: []int{1, 2}}, {Text: "Cube", Tokens: []int{3}}}

func made(t *testing.T, runs ...Painted) *Report {
	t.Helper()
	r := New(map[string]any{"seed": 7}, "a model", "A red, Cube", tensor.Grid{Height: 2, Width: 3}, words)
	for _, p := range runs {
		if err := r.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func near(t *testing.T, what string, got float32, want float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > 1e-6 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestNumbers are means that were worked out by hand.
func TestNumbers(t *testing.T) {
	r := made(t, painted("plain", 8, 1), painted("taca", 8, 1.2))
	near(t, "even share", r.EvenShare, 0.4)
	plain, taca := r.Runs[0].Steps[0], r.Runs[1].Steps[0]
	near(t, "plain share", plain.Share, 0.25)
	near(t, "share", taca.Share, 0.3)
	near(t, "share after gamma", r.Runs[1].Steps[2].Share, 0.25)
	near(t, "relative", plain.Relative, 0.25/4/(0.75/6))
	near(t, "entropy", taca.Entropy, 1.375)
	near(t, "share of a head", taca.Blocks[1].HeadShare[1], 0.36)
	near(t, "share of a word of two tokens", plain.Words[1], 0.25*5/10)
	sum := plain.Words[0] + plain.Words[1] + plain.Words[2]
	near(t, "words that are all text", sum, float64(plain.Share))
	if got := r.EarlyShares(); math.Abs(got[0]-0.25) > 1e-6 || math.Abs(got[1]-0.3) > 1e-6 {
		t.Errorf("early shares are %v", got)
	}
	if got := r.shownSteps(); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("steps %v are shown", got)
	}
	maps := map[string][]float64{}
	r.EachMap(func(name string, values []float64) { maps[name] = values })
	if len(maps) != 2*8*3 || len(maps["taca.step01.word01"]) != 6 {
		t.Errorf("%d maps", len(maps))
	}
	if got, want := maps["taca.step01.word01"][5], 0.25*1.2*6*5/35; math.Abs(got-want) > 1e-6 {
		t.Errorf("the last of a map is %v, want %v", got, want)
	}
}

// schema is every key of attention.json, and the kind of what it holds.
var schema = map[string]string{
	"settings": "object", "settings.seed": "number", "prompt": "string", "model": "string", "text_tokens": "number", "visual_tokens": "number",
	"grid": "object", "grid.height": "number", "grid.width": "number", "even_share": "number",
	"words": "array", "words.text": "string", "words.tokens": "array", "words.tokens.": "number",
	"runs": "array", "runs.name": "string", "runs.picture": "string", "runs.steps": "array",
	"runs.steps.step": "number", "runs.steps.sigma": "number", "runs.steps.timestep": "number", "runs.steps.gamma": "number",
	"runs.steps.share": "number", "runs.steps.relative": "number", "runs.steps.entropy": "number", "runs.steps.words": "array", "runs.steps.words.": "number",
	"runs.steps.blocks": "array", "runs.steps.blocks.block": "number", "runs.steps.blocks.gamma": "number",
	"runs.steps.blocks.share": "number", "runs.steps.blocks.entropy": "number",
	"runs.steps.blocks.head_share": "array", "runs.steps.blocks.head_share.": "number",
	"runs.steps.blocks.head_entropy": "array", "runs.steps.blocks.head_entropy.": "number",
}

// kinds collects what a JSON value holds, by path.
func kinds(into map[string]string, path string, v any) {
	below := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	switch v := v.(type) {
	case map[string]any:
		into[path] = "object"
		for key, inner := range v {
			kinds(into, below(key), inner)
		}
	case []any:
		for _, inner := range v {
			if _, object := inner.(map[string]any); object {
				kinds(into, path, inner)
			} else {
				kinds(into, below(""), inner)
			}
		}
		into[path] = "array"
	case string:
		into[path] = "string"
	case float64:
		into[path] = "number"
	default:
		into[path] = "nothing"
	}
}

// TestSchema: attention.json has these keys and no others, and reads back.
func TestSchema(t *testing.T) {
	r := made(t, painted("plain", 3, 1), painted("taca", 3, 1.2))
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	kinds(found, "", tree)
	delete(found, "")
	for key, kind := range schema {
		if found[key] != kind {
			t.Errorf("%s is %s, want %s", key, found[key], kind)
		}
	}
	for key := range found {
		if schema[key] == "" {
			t.Errorf("%s is not in the schema", key)
		}
	}
	again, err := r.JSON()
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("the same report has other bytes (%v)", err)
	}
}

// TestNotRecorded: a step that nobody saw is no step of zeros.
func TestNotRecorded(t *testing.T) {
	short := painted("plain", 3, 1)
	short.Seen = short.Seen[:2]
	blank := painted("plain", 3, 1)
	blank.Seen[1].Blocks = nil
	for _, p := range []Painted{short, blank} {
		r := New(nil, "", "", tensor.Grid{Height: 2, Width: 3}, words)
		if err := r.Add(p); err == nil || !strings.Contains(err.Error(), "not recorded in step") {
			t.Errorf("error is %v", err)
		}
	}
}

func TestChoose(t *testing.T) {
	r := New(nil, "", "", tensor.Grid{}, []attention.Word{{Text: "A"}, {Text: "“Red”"}, {Text: "fox"}, {Text: "and"}, {Text: "a"}, {Text: "red"}, {Text: "…"}})
	labels := func(named ...string) string {
		chosen, err := r.Choose(named)
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, c := range chosen {
			all = append(all, c.Label)
		}
		return strings.Join(all, "|")
	}
	for want, got := range map[string]string{
		"red|fox|red (2)|…": labels(),
		"fox|red|red (2)":   labels("FOX", "red"),
		`"cat" is no word of the prompt that the model reads`: labels("cat"),
		"9 words: a figure has room for 8":                    labels("fox", "fox", "fox", "fox", "fox", "fox", "fox", "fox", "fox"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	only := New(nil, "", "", tensor.Grid{}, []attention.Word{{Text: "of"}, {Text: "the"}})
	if chosen, err := only.Choose(nil); err != nil || len(chosen) != 2 {
		t.Errorf("of small words alone %v are chosen (%v)", chosen, err)
	}
}

// TestFigures: both are drawn for one run and for two, for any number of steps.
func TestFigures(t *testing.T) {
	for _, runs := range [][]Painted{{painted("plain", 1, 1)}, {painted("plain", 9, 1), painted("taca", 9, 2)}, {painted("plain", 2, 1), painted("taca", 2, 2)}} {
		r := made(t, runs...)
		chosen, err := r.Choose(nil)
		if err != nil {
			t.Fatal(err)
		}
		curves, err := r.Curves(chosen)
		if err != nil {
			t.Fatal(err)
		}
		maps, err := r.Maps(chosen)
		if err != nil {
			t.Fatal(err)
		}
		for _, img := range []*image.NRGBA{curves, maps} {
			if !has(img, figure.Blue) || has(img, figure.Vermilion) != (len(runs) == 2) {
				t.Errorf("%d runs: blue is %v, vermilion %v", len(runs), has(img, figure.Blue), has(img, figure.Vermilion))
			}
		}
	}
}

func has(img *image.NRGBA, c any) bool {
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if img.NRGBAAt(x, y) == c {
				return true
			}
		}
	}
	return false
}
