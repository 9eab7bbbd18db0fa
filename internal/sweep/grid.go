package sweep

import (
	"fmt"
	"strings"
	"unicode"
)

// Grid is everything that decides the pictures of a sweep: what all cells share,
// and the axes whose combinations they are. Numbers are kept as the shortest
// decimals.
type Grid struct {
	Common
	Prompts  []Prompt `json:"prompts"`
	Seeds    []int64  `json:"seeds"`
	Apart    bool     `json:"seeds_apart,omitempty"` // every prompt has its own seeds: its place is added
	LoRAs    []string `json:"taca_loras,omitempty"`  // Off, or FILE:SCALE
	Steps    []int    `json:"steps"`
	Guidance []string `json:"guidance"`
	Whens    []string `json:"gamma_when"` // see When
	Gammas   []string `json:"gamma"`
}

// Common is what all cells of a sweep share.
type Common struct {
	Program   string   `json:"program"`
	Model     string   `json:"model"`
	Class     string   `json:"class"`
	Width     int      `json:"width"`
	Height    int      `json:"height"`
	TrueCFG   float32  `json:"true_cfg,omitempty"`
	MaxLength int      `json:"max_sequence_length"`
	Shape     string   `json:"gamma_schedule,omitempty"`
	Blocks    string   `json:"gamma_blocks,omitempty"`
	Cache     float32  `json:"cache,omitempty"`
	LoRAs     []string `json:"loras,omitempty"`       // FILE:SCALE, always active
	Digests   []string `json:"lora_sha256,omitempty"` // of all that is read of the adapters, which may change behind their names
	DType     string   `json:"dtype"`
	Weights   string   `json:"weights,omitempty"`
}

// Off is the state of an axis of adapters in which there is none.
const Off = "off"

// When is when gamma acts: in the first so many steps, at timesteps of at least
// a threshold, or, where the schedule says so itself, nothing.
func When(steps *int64, threshold string) string {
	switch {
	case steps != nil:
		return fmt.Sprintf("first %d steps", *steps)
	case threshold != "":
		return "timestep ≥ " + threshold
	}
	return ""
}

// Cell is one picture: a value, or its place, on every axis.
type Cell struct {
	Index    int
	Prompt   int // its place
	Seed     int64
	LoRA     int // its place, -1 where there is no such axis
	Steps    int
	Guidance string
	When     string
	Gamma    string
}

// Cells are all combinations: prompts outermost, so that few are in hand at a
// time, and gammas innermost, so that what is compared is painted together.
func (g *Grid) Cells() []Cell {
	var cells []Cell
	loras := max(len(g.LoRAs), 1)
	for prompt := range g.Prompts {
		for _, seed := range g.Seeds {
			for lora := range loras {
				for _, c := range g.schedules() {
					c.Index, c.Prompt, c.Seed, c.LoRA = len(cells), prompt, seed, lora
					if g.Apart {
						c.Seed += int64(prompt)
					}
					if len(g.LoRAs) == 0 {
						c.LoRA = -1
					}
					cells = append(cells, c)
				}
			}
		}
	}
	return cells
}

// schedules are the combinations of the axes that say how a picture is sampled.
func (g *Grid) schedules() []Cell {
	var cells []Cell
	for _, steps := range g.Steps {
		for _, guidance := range g.Guidance {
			for _, when := range g.Whens {
				for _, gamma := range g.Gammas {
					cells = append(cells, Cell{Steps: steps, Guidance: guidance, When: when, Gamma: gamma})
				}
			}
		}
	}
	return cells
}

// Size is how many cells there are.
func (g *Grid) Size() int {
	return len(g.Prompts) * len(g.Seeds) * max(len(g.LoRAs), 1) * len(g.Steps) * len(g.Guidance) * len(g.Whens) * len(g.Gammas)
}

// Row is what c has in common with the cells beside it, which differ in gamma.
func (g *Grid) Row(c Cell) int { return c.Index / len(g.Gammas) }

// adapter is c's state on the axis of adapters.
func (g *Grid) adapter(c Cell) string {
	if c.LoRA < 0 {
		return ""
	}
	return g.LoRAs[c.LoRA]
}

// File is the name of c's picture. It says all that axes can say, so that it is
// the same in every sweep that paints the cell.
func (g *Grid) File(c Cell) string {
	parts := []string{g.PromptFile(c.Prompt), fmt.Sprintf("s%d", c.Seed), fmt.Sprintf("n%d", c.Steps), "c" + c.Guidance}
	if c.LoRA >= 0 {
		state := fmt.Sprintf("lora%d", c.LoRA)
		if g.LoRAs[c.LoRA] == Off {
			state = "nolora"
		}
		parts = append(parts, state)
	}
	if c.When != "" {
		parts = append(parts, whenShort.Replace(c.When))
	}
	return strings.Join(append(parts, "g"+c.Gamma), "_") + ".png"
}

var whenShort = strings.NewReplacer("first ", "k", " steps", "", "timestep ≥ ", "t")

// PromptFile is the part of a file's name that tells its prompt.
func (g *Grid) PromptFile(i int) string {
	p := g.Prompts[i]
	text := p.Name
	if text == "" {
		text = p.Text
	}
	return strings.TrimSuffix(fmt.Sprintf("p%03d-%s", i, slug(text)), "-")
}

// slug is letters and digits of text, with dashes between, for people who read
// names of files.
func slug(text string) string {
	const most = 40 // letters
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	out := ""
	for _, w := range words {
		next := strings.TrimPrefix(out+"-"+w, "-")
		if len([]rune(next)) > most {
			break
		}
		out = next
	}
	return out
}

// Label tells c's row: the axes that have more than one value.
func (g *Grid) Label(c Cell) string {
	var parts []string
	add := func(values int, format string, args ...any) {
		if values > 1 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(len(g.Seeds), "seed %d", c.Seed)
	add(len(g.LoRAs), "LoRA %s", base(g.adapter(c)))
	add(len(g.Steps), "%d steps", c.Steps)
	add(len(g.Guidance), "guidance %s", c.Guidance)
	add(len(g.Whens), "%s", c.When)
	return strings.Join(parts, ", ")
}

// Shared tells what all cells have in common, the axes of one value included.
func (g *Grid) Shared() string {
	model := g.Model
	if model == "" {
		model = "the embedded model"
	}
	parts := []string{base(model), fmt.Sprintf("%d×%d", g.Width, g.Height)}
	add := func(when bool, format string, args ...any) {
		if when {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(len(g.Seeds) == 1 && !g.Apart, "seed %d", g.Seeds[0])
	add(len(g.Steps) == 1, "%d steps", g.Steps[0])
	add(len(g.Guidance) == 1, "guidance %s", g.Guidance[0])
	add(g.TrueCFG > 1, "true cfg %g", g.TrueCFG)
	if len(g.LoRAs) == 1 {
		add(true, "LoRA %s while γ acts", base(g.LoRAs[0]))
	}
	for _, l := range g.Common.LoRAs {
		add(true, "LoRA %s", base(l))
	}
	add(len(g.Whens) == 1 && g.Whens[0] != "", "γ at %s", strings.Replace(g.Whens[0], "first", "the first", 1))
	add(g.Shape != "", "γ schedule %s", g.Shape)
	add(g.Blocks != "", "γ in blocks %s", g.Blocks)
	add(g.Cache > 0, "cache %g", g.Cache)
	add(g.Weights != "", "weights %s", g.Weights)
	add(true, "%s", g.DType)
	return strings.Join(parts, ", ")
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
