package report

import (
	"encoding/json"
	"fmt"
	"image"
	"math"

	"taca/internal/attention"
	"taca/internal/model"
	"taca/internal/tensor"
)

// Report is the numbers of all runs of one prompt, as attention.json has them.
// Shares are of the attention of visual queries, 0 to 1; entropies are in nats.
type Report struct {
	Settings     any              `json:"settings"` // of the run with TACA, as its picture remembers them
	Prompt       string           `json:"prompt"`
	Model        string           `json:"model"`
	TextTokens   int              `json:"text_tokens"`
	VisualTokens int              `json:"visual_tokens"`
	Grid         Grid             `json:"grid"`       // of the visual tokens, and of each map
	EvenShare    float32          `json:"even_share"` // text tokens of all tokens: its share if attention were even
	Words        []attention.Word `json:"words"`
	Runs         []Run            `json:"runs"`
}

// Grid is a height and a width.
type Grid struct {
	Height int `json:"height"`
	Width  int `json:"width"`
}

// Run is one picture.
type Run struct {
	Name    string `json:"name"` // "plain" or "taca"
	Picture string `json:"picture"`
	Steps   []Step `json:"steps"`

	image *image.NRGBA
	seen  []attention.Step
}

// Step is the means over all blocks, heads and queries, and each block.
type Step struct {
	Step     int     `json:"step"` // from 1
	Sigma    float32 `json:"sigma"`
	Timestep float32 `json:"timestep"`
	Gamma    float32 `json:"gamma"`
	Share    float32 `json:"share"`
	// Relative is what a text token has on average, over what a visual token has.
	Relative float32   `json:"relative"`
	Entropy  float32   `json:"entropy"`
	Words    []float32 `json:"words"` // the share of each word
	Blocks   []Block   `json:"blocks"`
}

// Block is the means over heads and queries, and over queries by head.
type Block struct {
	Block       int       `json:"block"`
	Gamma       float32   `json:"gamma"`
	Share       float32   `json:"share"`
	Entropy     float32   `json:"entropy"`
	HeadShare   []float32 `json:"head_share"`
	HeadEntropy []float32 `json:"head_entropy"`
}

// Painted is a picture and what was recorded of it.
type Painted struct {
	Name    string // of the run
	Picture string // its file
	Image   *image.NRGBA
	Steps   []model.Step
	Seen    []attention.Step
}

// New is a report of no run yet, of a prompt's words on a grid of visual tokens.
// Settings become JSON.
func New(settings any, modelName, prompt string, grid tensor.Grid, words []attention.Word) *Report {
	return &Report{Settings: settings, Prompt: prompt, Model: modelName, VisualTokens: grid.Rows(), Grid: Grid{grid.Height, grid.Width}, Words: words}
}

// Add adds the numbers of a run. The error says that attention was not recorded
// in all of its steps.
func (r *Report) Add(p Painted) error {
	run := Run{Name: p.Name, Picture: p.Picture, image: p.Image, seen: p.Seen}
	for i, at := range p.Steps {
		if i >= len(p.Seen) || len(p.Seen[i].Blocks) == 0 || p.Seen[i].Visual != r.VisualTokens {
			return fmt.Errorf("run %s: attention was not recorded in step %d of %d", p.Name, i+1, len(p.Steps))
		}
		r.TextTokens = p.Seen[i].Text
		run.Steps = append(run.Steps, step(i, at, p.Seen[i], r.Words))
	}
	r.Runs = append(r.Runs, run)
	r.EvenShare = float32(float64(r.TextTokens) / float64(r.TextTokens+r.VisualTokens))
	return nil
}

// step adds up what was seen in one.
func step(i int, at model.Step, seen attention.Step, words []attention.Word) Step {
	s := Step{Step: i + 1, Sigma: at.Sigma, Timestep: at.Sigma * 1000, Gamma: at.Gamma, Words: make([]float32, len(words))}
	share, entropy := 0.0, 0.0
	for _, b := range seen.Blocks {
		own := Block{Block: b.Index, Gamma: b.Gamma, Share: float32(mean(b.Share)), Entropy: float32(mean(b.Entropy)),
			HeadShare: narrow(b.Share), HeadEntropy: narrow(b.Entropy)}
		s.Blocks = append(s.Blocks, own)
		share += mean(b.Share) / float64(len(seen.Blocks))
		entropy += mean(b.Entropy) / float64(len(seen.Blocks))
	}
	s.Share, s.Entropy = float32(share), float32(entropy)
	s.Relative = float32(share / float64(seen.Text) / math.Max((1-share)/float64(seen.Visual), math.SmallestNonzeroFloat32))
	for k, w := range words {
		s.Words[k] = float32(mean(seen.Map(w)))
	}
	return s
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func narrow(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

// JSON is the report as a file has it.
func (r *Report) JSON() ([]byte, error) {
	data, err := json.Marshal(r)
	return append(data, '\n'), err
}

// EachMap visits the map of every word in every step of every run: its name,
// such as taca.step01.word00, and its values row by row.
func (r *Report) EachMap(visit func(name string, values []float64)) {
	for _, run := range r.Runs {
		for i, s := range run.seen {
			for k, w := range r.Words {
				visit(fmt.Sprintf("%s.step%02d.word%02d", run.Name, i+1, k), s.Map(w))
			}
		}
	}
}

// EarlyShares is the share of text in each run, over the steps in which gamma
// acts in any.
func (r *Report) EarlyShares() []float64 {
	var shares []float64
	for _, run := range r.Runs {
		shares = append(shares, run.over(r.early(), func(s Step) float32 { return s.Share }))
	}
	return shares
}

// over is the mean of a number over some steps, from 0.
func (r Run) over(steps []int, number func(Step) float32) float64 {
	sum := 0.0
	for _, i := range steps {
		sum += float64(number(r.Steps[i]))
	}
	return sum / float64(len(steps))
}

// early is the steps, from 0, in which gamma is not 1 in any run; all where
// there are none.
func (r *Report) early() []int {
	var at, all []int
	for i := range r.Runs[0].Steps {
		all = append(all, i)
		for _, run := range r.Runs {
			if run.Steps[i].Gamma != 1 {
				at = append(at, i)
				break
			}
		}
	}
	if len(at) == 0 {
		return all
	}
	return at
}
