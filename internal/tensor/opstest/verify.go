package opstest

import (
	"context"
	"slices"
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
	for _, c := range byVerb(cases()) {
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

// byVerb puts cases of the same verb together, verbs in the order in which they
// appear.
func byVerb(all []testCase) []testCase {
	order := map[string]int{}
	verb := func(c testCase) int {
		name, _, _ := strings.Cut(c.name, "/")
		if _, seen := order[name]; !seen {
			order[name] = len(order)
		}
		return order[name]
	}
	for _, c := range all {
		verb(c)
	}
	slices.SortStableFunc(all, func(a, b testCase) int { return verb(a) - verb(b) })
	return all
}
