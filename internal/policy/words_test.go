package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// machinePath is a path that exists on the machine somebody worked on and on
// no other.
var machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_.~-])/(work|root)/[A-Za-z.]|/tmp/(team|pyenv)`)

// TestMachinePaths looks into all files, the binary ones too: metadata
// remembers where it was written.
func TestMachinePaths(t *testing.T) {
	for _, name := range committed(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !suspicious(data) {
			continue
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if at := machinePath.FindIndex(line); at != nil {
				t.Errorf("%s:%d: a path of this machine: %q", name, i+1, line[at[0]:min(len(line), at[1]+30)])
			}
		}
	}
}

// suspicious is a quick look that spares most files the slow one.
func suspicious(data []byte) bool {
	for _, part := range []string{"work/", "root/", "/tmp/"} {
		if bytes.Contains(data, []byte(part)) {
			return true
		}
	}
	return false
}

func TestMachinePathPattern(t *testing.T) {
	for text, want := range map[string]bool{
		"cd /" + "work/main": true, "(/" + "root/.cache)": true, "https://example.org/work/x": false,
		"frame/work/": false, "/worker/x": false, "~/work/models": false, "see /tmp" + "/team/brief": true,
	} {
		if got := suspicious([]byte(text)) && machinePath.MatchString(text); got != want {
			t.Errorf("%q: %v, want %v", text, !want, want)
		}
	}
}
