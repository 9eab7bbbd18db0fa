package attention

// Word is a word of a prompt, as it stands between white space, and the text
// tokens it is read as, rows of the denoiser's text: T5's, and CLIP's where
// those are among them.
type Word struct {
	Text   string `json:"text"`
	Tokens []int  `json:"tokens"`
}

// Map is what each visual token spends on a word in the step: on all of its
// tokens together.
func (s Step) Map(w Word) []float64 {
	out := make([]float64, s.Visual)
	for i := range out {
		for _, t := range w.Tokens {
			out[i] += float64(s.Maps[i*s.Text+t])
		}
	}
	return out
}
