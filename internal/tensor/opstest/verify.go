package opstest

import (
	"context"
	"strings"

	"taca/internal/tensor"
)

// Result is what one case of the suite showed of a backend.
type Result struct {
	Verb, Case string
	Err        error // what is wrong, or nil
}

// Verify holds a backend against the definition of every verb and the
// properties of TACA, as Run does, for a program on a machine where no test
// can be run. It ends early where ctx does or the device fails.
func Verify(ctx context.Context, b tensor.Backend, tell func(Result)) error {
	for _, c := range cases() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.scale == huge {
			continue
		}
		verb, rest, _ := strings.Cut(c.name, "/")
		tell(Result{verb, rest, check(b, c)})
		if err := b.Err(); err != nil {
			return err
		}
	}
	for _, p := range tacaProperties {
		if err := ctx.Err(); err != nil {
			return err
		}
		tell(Result{"TACA", p.name, p.holds(b)})
	}
	return b.Err()
}
