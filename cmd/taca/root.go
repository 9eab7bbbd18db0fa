package main

import (
	"github.com/spf13/cobra"
)

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "taca",
		Short: "paint pictures from prompts with FLUX.1 and Stable Diffusion 3.5, with TACA",
		Long: `taca paints pictures from prompts with FLUX.1 and Stable Diffusion 3.5.

While the layout of the picture forms, it multiplies the attention logits of
visual queries and text keys by gamma (TACA, arXiv 2506.07986), so that the
colours, shapes and places a prompt asks for end up where they belong.

Without --model it uses a miniature FLUX embedded in the program.

` + exitHelp,
		Example: `  taca generate -p "a red metal sphere to the left of a blue cube"
  taca generate -m ~/models/FLUX.1-dev -p "a fox in the snow" --seed 7 -o fox.png
  taca plan -m sd35-large -W 1024 -H 1024`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs, // so that an unknown command is a usage error of ours
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q; see taca --help", args[0])
			}
			return c.Help()
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetIn(a.stdin)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, c.CommandPath())
	})
	root.AddCommand(
		newGenerateCommand(a), newSweepCommand(a), newAttentionCommand(a), newTokenizeCommand(a), newInspectCommand(a), newPlanCommand(a), newPullCommand(a), newConvertCommand(a),
		newCompareCommand(a), newDevicesCommand(a), newSelftestCommand(a), newBenchCommand(a), newVersionCommand(a),
	)
	return root
}

// arguments is cobra's check of positional arguments as a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%w; see %s --help", err, c.CommandPath())
		}
		return nil
	}
}
