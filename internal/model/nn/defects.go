package nn

import (
	"fmt"
	"strings"
)

// Defects is all that is wrong between a checkpoint and its config, in one
// error.
type Defects struct {
	Source                     string // where the tensors come from
	Missing, Misshapen, Unused []string
	Device                     error // the backend refused a tensor
}

func (d *Defects) none() bool { return len(d.Missing)+len(d.Misshapen)+len(d.Unused) == 0 }

// Error lists the first few names of each kind.
func (d *Defects) Error() string {
	var parts []string
	for _, kind := range []struct {
		names []string
		what  string
	}{{d.Missing, "missing"}, {d.Misshapen, "misshapen"}, {d.Unused, "unused"}} {
		if len(kind.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s: %s", len(kind.names), kind.what, few(kind.names)))
		}
	}
	return fmt.Sprintf("%s does not fit its config.json: tensors %s", d.Source, strings.Join(parts, "; "))
}

func few(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}
