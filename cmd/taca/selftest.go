package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/tensor/opstest"
)

func newSelftestCommand(a *app) *cobra.Command {
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "selftest",
		Short: "hold this machine's device against a float64 reference, verb by verb",
		Long: `selftest runs every verb of a model on the device, on the shapes and in the
formats of the project's tests, and compares with a float64 reference: the
error may be at most twice that of naive arithmetic in the same format. It
also checks what TACA's attention guarantees, such as that gamma 1 is plain
attention to the bit. It prints one line a verb, and what failed.`,
		Example: `  taca selftest --device cuda
  taca selftest --device cuda:1 && echo ok`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settings.resolve(c, sources{})
			if err != nil {
				return err
			}
			return runSelftest(c.Context(), a, s)
		},
	}
	settings.device(c)
	c.Flags().SortFlags = false
	return c
}

func runSelftest(ctx context.Context, a *app, s configs.Settings) (err error) {
	b, err := a.open(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	fmt.Fprintln(a.stdout, b.Name())
	t := tally{app: a}
	if err := opstest.Verify(ctx, b, t.note); err != nil {
		return err
	}
	t.line()
	if t.failed > 0 {
		return deviceError{fmt.Errorf("%d of %d cases failed on %s; please report the lines above", t.failed, t.total, b.Name())}
	}
	fmt.Fprintf(a.stdout, "all %d cases passed\n", t.total)
	return nil
}

// tally counts results verb by verb.
type tally struct {
	app           *app
	verb          string
	passed, tried int // of verb
	total, failed int
}

func (t *tally) note(r opstest.Result) {
	if r.Verb != t.verb {
		t.line()
		t.verb, t.passed, t.tried = r.Verb, 0, 0
	}
	t.tried++
	t.total++
	if r.Err == nil {
		t.passed++
		return
	}
	t.failed++
	fmt.Fprintf(t.app.stdout, "  FAIL %s/%s: %s\n", r.Verb, r.Case, strings.ReplaceAll(r.Err.Error(), "\n", "\n    "))
}

// line sums up a verb.
func (t *tally) line() {
	if t.tried == 0 {
		return
	}
	verdict := "pass"
	if t.passed < t.tried {
		verdict = "FAIL"
	}
	fmt.Fprintf(t.app.stdout, "%s  %-14s %d of %d cases\n", verdict, t.verb, t.passed, t.tried)
}
