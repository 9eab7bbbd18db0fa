package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

func newDevicesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "list the devices this program can run on",
		Args:  arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			b, err := a.openBackend(hardware{device: "cpu"})
			if err != nil {
				return err
			}
			defer b.Close()
			_, err = fmt.Fprintf(a.stdout, "cpu   %s; instruction sets: %s; %d processors; %s of memory free\ncuda  not in this binary\n",
				b.Name(), strings.Join(instructionSets(), ", "), runtime.NumCPU(), size(freeMemory()))
			return err
		},
	}
}
