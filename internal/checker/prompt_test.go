package checker

import (
	"slices"
	"strings"
	"testing"

	"taca/internal/demo"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want Prompt
	}{
		{"a cube", Prompt{Objects: []Object{{Shape: "cube"}}}},
		{"a red metal sphere to the left of a cube", Prompt{Relation: "left", Objects: []Object{{Shape: "sphere", Color: "red", Material: "metal"}, {Shape: "cube"}}}},
		{"an orange cone behind a matte cylinder", Prompt{Relation: "behind", Objects: []Object{{Shape: "cone", Color: "orange"}, {Shape: "cylinder", Material: "matte"}}}},
	} {
		p, err := Parse(c.text)
		if err != nil || p.Text != c.text || p.Relation != c.want.Relation || !slices.Equal(p.Objects, c.want.Objects) {
			t.Errorf("%q is %+v (%v)", c.text, p, err)
		}
	}
	for _, bad := range []string{"", "a", "cube", "a fox", "a red", "a red red cube", "a cube and", "a cube red", "a cube and a cube and a cone", "two cubes"} {
		if p, err := Parse(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, p)
		}
	}
}

// TestEmbeddedPrompts: every prompt of the program is understood, and asks what
// its category is about.
func TestEmbeddedPrompts(t *testing.T) {
	count := map[string]int{}
	for line := range strings.Lines(demo.Prompts()) {
		category, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		p, err := Parse(text)
		if err != nil || len(p.Objects) != 2 {
			t.Fatalf("%q: %+v, %v", line, p, err)
		}
		count[category]++
		for _, o := range p.Objects {
			colour, material := category == "color" || category == "spatial", category == "texture"
			if o.Shape == "" || (o.Color != "") != colour || (o.Material != "") != material {
				t.Errorf("%s: %q asks for %+v", category, text, o)
			}
		}
		if (p.Relation != "") != (category == "spatial") {
			t.Errorf("%s: %q has relation %q", category, text, p.Relation)
		}
	}
	for _, category := range []string{"color", "shape", "texture", "spatial"} {
		if count[category] != 1024 {
			t.Errorf("%d prompts of %s, want 1024", count[category], category)
		}
	}
}

// TestVerify: objects count by detections of their own, relations by places.
func TestVerify(t *testing.T) {
	red, blue := Object{Shape: "cube", Color: "red", X: 30, Y: 60}, Object{Shape: "cube", Color: "blue", X: 90, Y: 75}
	for _, c := range []struct {
		text  string
		found []Object
		right bool
		share float64
	}{
		{"a red cube and a blue cube", []Object{red, blue}, true, 1},
		{"a blue cube and a red cube", []Object{red, blue}, true, 1},
		{"a cube and a cube", []Object{red}, false, 0.5},
		{"a red cube and a cone", []Object{red, blue}, false, 0.5},
		{"a red cube", []Object{red}, true, 1},
		{"a red cube", []Object{red, blue}, false, 1},
		{"a red cube to the left of a blue cube", []Object{red, blue}, true, 1},
		{"a red cube to the right of a blue cube", []Object{red, blue}, false, 1},
		{"a blue cube in front of a red cube", []Object{red, blue}, true, 1},
		{"a blue cube behind a red cube", []Object{red, blue}, false, 1},
		{"a red cube to the left of a blue cube", []Object{red, {Shape: "cube", Color: "blue", X: 41}}, false, 1},
		{"a red cube and a blue cube", nil, false, 0},
	} {
		p, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if right, share := p.Verify(c.found), p.Share(c.found); right != c.right || share != c.share {
			t.Errorf("%s in %+v: %v and %v, want %v and %v", c.text, c.found, right, share, c.right, c.share)
		}
	}
}
