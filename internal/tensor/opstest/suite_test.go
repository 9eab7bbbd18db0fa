package opstest

import (
	"math"
	"testing"

	"taca/internal/dry"
	"taca/internal/tensor"
)

func TestReference(t *testing.T) {
	Run(t, func(*testing.T) tensor.Backend { return NewReference() })
}

// TestNaive holds a backend that sums in F32 against the small cases, to see
// that the suite asks for no more than that.
func TestNaive(t *testing.T) {
	b := NewNaive(tensor.F32)
	for _, c := range cases() {
		if c.scale == small {
			if err := check(b, c); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestCaseNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases() {
		if seen[c.name] {
			t.Errorf("two cases are called %s, and would share an expectation", c.name)
		}
		seen[c.name] = true
	}
}

// TestDry sees that the dry backend takes all cases and counts what they say
// they cost.
func TestDry(t *testing.T) {
	for _, c := range cases() {
		if c.scale == huge {
			continue // the numbers alone take seconds
		}
		b := dry.New()
		_, run := c.build(newStage(b, 0, c.strided))
		run()
		if c.flops > 0 && b.FLOPs() != c.flops {
			t.Errorf("%s: %v FLOPs, want %v", c.name, b.FLOPs(), c.flops)
		}
	}
}

// TestTACAMutants breaks TACA's attention in the ways it can break, and fails
// where the property that is broken does not notice.
func TestTACAMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("costs 3 s")
	}
	nudged := func(s *tensor.AttentionSpec) {
		if !s.Text.Empty() {
			s.Scale = math.Nextafter32(s.Scale, 1)
		}
	}
	everyRow := func(s *tensor.AttentionSpec) {
		if s.Tempered() {
			s.Visual = tensor.Span{Lo: min(s.Text.Lo, s.Visual.Lo), Hi: max(s.Text.Hi, s.Visual.Hi)}
		}
	}
	everyKey := func(s *tensor.AttentionSpec) {
		if s.Tempered() {
			s.Text = tensor.Span{Lo: min(s.Text.Lo, s.Visual.Lo), Hi: max(s.Text.Hi, s.Visual.Hi)}
		}
	}
	anyGamma := func(s *tensor.AttentionSpec) { s.Scale *= s.Gamma; s.Gamma = 1 }
	for name, m := range map[string]struct {
		property string
		mistake  func(*tensor.AttentionSpec)
	}{
		"another path with gamma 1":       {"gamma 1 is plain attention", nudged},
		"gamma without spans":             {"an empty span makes gamma moot", anyGamma},
		"text queries feel gamma":         {"only visual rows feel gamma", everyRow},
		"visual keys feel gamma":          {"gamma scales the text keys", everyKey},
		"gamma ignored":                   {"gamma scales the text keys", func(s *tensor.AttentionSpec) { s.Gamma = 1 }},
		"gamma squared":                   {"gamma scales the text keys", func(s *tensor.AttentionSpec) { s.Gamma *= s.Gamma }},
		"keys in order":                   {"token order is immaterial", func(s *tensor.AttentionSpec) { s.Causal = true }},
		"text assumed first":              {"token order is immaterial", textFirst},
		"gamma ignored, boundaries":       {"every boundary within two tiles", func(s *tensor.AttentionSpec) { s.Gamma = 1 }},
		"text a row short":                {"every boundary within two tiles", func(s *tensor.AttentionSpec) { s.Text.Hi = max(s.Text.Hi-1, s.Text.Lo) }},
		"text a row late":                 {"every boundary within two tiles", func(s *tensor.AttentionSpec) { s.Text.Lo = min(s.Text.Lo+1, s.Text.Hi) }},
		"text a row long":                 {"every boundary within two tiles", longer},
		"visual a row late":               {"every boundary within two tiles", func(s *tensor.AttentionSpec) { s.Visual.Lo = min(s.Visual.Lo+1, s.Visual.Hi) }},
		"a boundary on a tile's last":     {"every boundary within two tiles", atOneBoundary(127)},
		"a boundary on a tile's first":    {"every boundary within two tiles", atOneBoundary(64)},
		"a boundary on the second tile's": {"every boundary within two tiles", atOneBoundary(128)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range tacaProperties {
				if p.name == m.property {
					if p.holds(attended{&reference{}, m.mistake}) == nil {
						t.Errorf("%q holds", p.name)
					}
					return
				}
			}
			t.Fatalf("no property is called %q", m.property)
		})
	}
}

func TestMutantOfLastQueries(t *testing.T) {
	if everywhere(lastQueries)(countsQueries{&reference{}}) == nil {
		t.Error("queries counted from 0 go unnoticed")
	}
}

// textFirst puts the spans where most models have them.
func textFirst(s *tensor.AttentionSpec) {
	if s.Tempered() {
		text, visual := s.Text.Len(), s.Visual.Len()
		s.Text, s.Visual = tensor.Span{Hi: text}, tensor.Span{Lo: text, Hi: text + visual}
	}
}

func longer(s *tensor.AttentionSpec) {
	if s.Tempered() && s.Text.Hi < s.Visual.Hi {
		s.Text.Hi++
	}
}

// atOneBoundary is a mistake at a single position of the boundary.
func atOneBoundary(at int) func(*tensor.AttentionSpec) {
	return func(s *tensor.AttentionSpec) {
		if s.Text.Hi == at {
			s.Text.Hi--
		}
	}
}
