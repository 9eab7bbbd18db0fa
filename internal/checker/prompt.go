package checker

import (
	"fmt"
	"slices"
	"strings"
)

// Prompt is a sentence of the embedded model's world, and what it asks for: one
// object, or two.
type Prompt struct {
	Text     string
	Objects  []Object
	Relation string // of the first object to the second: left, right, front, behind, or none
}

// relations are the words between two objects.
var relations = []struct{ words, relation string }{
	{" to the left of ", "left"}, {" to the right of ", "right"}, {" in front of ", "front"}, {" behind ", "behind"}, {" and ", ""},
}

// Parse reads a sentence such as "a red sphere to the left of a metal cube".
func Parse(text string) (Prompt, error) {
	p := Prompt{Text: text}
	phrases := []string{text}
	for _, r := range relations {
		if first, second, found := strings.Cut(text, r.words); found {
			phrases, p.Relation = []string{first, second}, r.relation
			break
		}
	}
	for _, phrase := range phrases {
		o, err := parseObject(phrase)
		if err != nil {
			return p, fmt.Errorf("prompt %q: %w", text, err)
		}
		p.Objects = append(p.Objects, o)
	}
	return p, nil
}

// parseObject reads "a red metal sphere".
func parseObject(phrase string) (Object, error) {
	var o Object
	words := strings.Fields(phrase)
	if len(words) < 2 || words[0] != "a" && words[0] != "an" {
		return o, fmt.Errorf("%q is no object: write a, its colour or material, and its shape", phrase)
	}
	for i, w := range words[1:] {
		last := i == len(words)-2
		switch {
		case last && slices.Contains(shapes, w):
			o.Shape = w
		case !last && o.Color == "" && slices.Contains(colors, w):
			o.Color = w
		case !last && o.Material == "" && slices.Contains(materials, w):
			o.Material = w
		default:
			return o, fmt.Errorf("%q in %q is no word of this world, or out of its place", w, phrase)
		}
	}
	return o, nil
}

// Verify reports whether all that the prompt asks for was found: every object,
// by a detection of its own, and the relation. With one object nothing else may
// be there.
func (p Prompt) Verify(found []Object) bool {
	if len(p.Objects) == 1 {
		return len(found) == 1 && found[0].fits(p.Objects[0])
	}
	for i, a := range found {
		for j, b := range found {
			if i != j && a.fits(p.Objects[0]) && b.fits(p.Objects[1]) && related(a, b, p.Relation) {
				return true
			}
		}
	}
	return false
}

// Share is the share of the prompt's objects that were found, wherever they are.
func (p Prompt) Share(found []Object) float64 {
	left, hits := slices.Clone(found), 0
	for _, wanted := range p.Objects {
		if i := slices.IndexFunc(left, func(o Object) bool { return o.fits(wanted) }); i >= 0 {
			left = slices.Delete(left, i, i+1)
			hits++
		}
	}
	return float64(hits) / float64(len(p.Objects))
}

// fits compares what is said of the wanted object.
func (o Object) fits(wanted Object) bool {
	same := func(a, b string) bool { return b == "" || a == b }
	return same(o.Shape, wanted.Shape) && same(o.Color, wanted.Color) && same(o.Material, wanted.Material)
}

// related compares places: beside each other is further apart than before or
// behind, since the floor is seen from above at a slant.
func related(a, b Object, relation string) bool {
	const beside, depth = 12, 8
	switch relation {
	case "left":
		return a.X-b.X < -beside
	case "right":
		return a.X-b.X > beside
	case "front":
		return a.Y-b.Y > depth
	case "behind":
		return a.Y-b.Y < -depth
	}
	return true
}
