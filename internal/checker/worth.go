package checker

import "strconv"

// Worth is what the checker did on true renders of pairs of objects that it was
// not trained on, of which it knows what they show.
type Worth struct {
	Accepted int `json:"accepted"` // described rightly, and it agreed
	Rejected int `json:"rejected"` // described with one word wrong, and it objected
	Pairs    int `json:"pairs"`    // asked both ways
}

// Worth is that of a category of prompts in pictures of so many pixels a side.
// It is false where that was not measured.
func (d *Detector) Worth(category string, side int) (Worth, bool) {
	w, ok := d.worth[strconv.Itoa(side)][category]
	return w, ok
}
