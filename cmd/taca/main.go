// Command taca paints pictures from prompts with FLUX.1 and Stable Diffusion
// 3.5, and balances what the picture hears of the prompt by TACA (arXiv
// 2506.07986).
//
// What people see follows a few rules: paths of pictures go to standard
// output, everything else to standard error; messages are lower case without a
// period and end with what to do; progress is silent where there is no
// terminal; exit codes are listed in taca --help.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is main with its exit code, so that tests can call it.
func run(args []string) int {
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go watch(signals, stop)

	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		terminal: term.IsTerminal(int(os.Stderr.Fd())), openBackend: openBackend,
	}
	root := newRootCommand(a)
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		code := exitCode(ctx, err)
		fmt.Fprintln(os.Stderr, "taca:", message(ctx, err))
		return code
	}
	return exitOK
}

// watch ends the work in hand on the first signal and the program on the
// second.
func watch(signals <-chan os.Signal, stop context.CancelCauseFunc) {
	first := (<-signals).(syscall.Signal)
	stop(interrupted{first})
	<-signals
	os.Exit(128 + int(first))
}
