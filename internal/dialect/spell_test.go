package dialect_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// TestLayout: canonical tensors under their authors' names are the files that
// they were read of, which diffusers' converters know, to the bit.
func TestLayout(t *testing.T) {
	for _, name := range []string{"flux-dev", "sd3-medium", "ae", "flux-whole", "sd35-whole"} {
		f := open(t, name)
		parts, err := dialect.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		all, err := dialect.Layout(parts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		prefix, left := "", map[string]bool{}
		if len(parts) == 1 { // then it is written without
			prefix = parts[0].Prefix
		}
		for _, n := range f.Names() {
			left[n] = true
		}
		for _, j := range all {
			want, ok := f.Tensor(prefix + j.Name)
			var got []byte
			for _, p := range j.Parts {
				got = append(got, p.Bytes...)
			}
			if !ok || !slices.Equal(j.Shape, want.Shape) || !bytes.Equal(got, want.Bytes) {
				t.Errorf("%s: %s is %v, want %v, or other bytes", name, j.Name, j.Shape, want.Shape)
			}
			delete(left, prefix+j.Name)
		}
		for n := range left {
			if !strings.HasSuffix(n, "logit_scale") && !strings.HasSuffix(n, "position_ids") {
				t.Errorf("%s: %s was lost", name, n)
			}
		}
	}
}

// TestLayoutRefuses what authors' files have no place for.
func TestLayoutRefuses(t *testing.T) {
	parts, err := dialect.Read(open(t, "flux-dev"))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		from, to, want string
	}{
		"a stranger": {"proj_out.bias", "proj_out.bios", `"proj_out.bios" has no name`},
		"a hole":     {"transformer_blocks.0.attn.to_k.weight", "", `"transformer_blocks.0.attn.to_k.weight", which is joined to others in a single file, is missing or of another shape`},
	} {
		e := edit(parts[0], func(n string) string {
			if n == c.from {
				return c.to
			}
			return n
		})
		_, err := dialect.Layout([]dialect.Component{{Source: e, Kind: dialect.FLUXTransformer}})
		var told *checkpoint.Error
		if !errors.As(err, &told) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", what, err, c.want)
		}
	}
}
