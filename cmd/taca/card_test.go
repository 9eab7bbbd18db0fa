//go:build cuda

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCard runs testdata/card/*.txtar on the simulated driver that
// LD_LIBRARY_PATH leads to; scripts/test-cuda sets it.
func TestCard(t *testing.T) {
	sim := simulated(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/card",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HF_HOME", filepath.Join(e.WorkDir, "hub"))
			e.Setenv("TACA_MODELS", "")
			e.Setenv(conditioningVariable, "off")
			e.Setenv("SIM", sim)
			e.Setenv("LD_LIBRARY_PATH", sim)
			// A driver without cuBLASLt beside it.
			bare := filepath.Join(e.WorkDir, "bare")
			e.Setenv("BARE", bare)
			if err := os.Mkdir(bare, 0o755); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(sim, "libcuda.so.1"), filepath.Join(bare, "libcuda.so.1"))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fails": fails, "model": putModel, "nothing": nothing, "returned": returned, "remove": remove, "mask": putMask,
		},
	})
}

// simulated is the folder of the simulated driver.
func simulated(t *testing.T) string {
	for _, folder := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if _, err := os.Stat(filepath.Join(folder, "libcuda.so.1")); err == nil {
			return folder
		}
	}
	t.Fatal("no libcuda.so.1 on LD_LIBRARY_PATH: run scripts/test-cuda, which builds the simulated one")
	return ""
}

// returned FILE: the simulated driver reports that the program left the device.
// With "all", it had given everything back itself; after some failures a
// program can only leave the context, with which everything goes.
func returned(ts *testscript.TestScript, _ bool, args []string) {
	report := ts.ReadFile(args[0])
	want := `{"bytes":0,"streams":0,"events":0,"graphs":0,"modules":0,"pinned":0}`
	if len(args) > 1 && strings.TrimSpace(report) != want {
		ts.Fatalf("the device was left with %s, want %s", report, want)
	}
}

// remove FILE deletes a file that must be there.
func remove(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Remove(ts.MkAbs(args[0])))
}
