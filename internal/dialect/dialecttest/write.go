package dialecttest

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// Memory is tensors as a Source.
type Memory []checkpoint.Tensor

// Tensor implements checkpoint.Source.
func (m Memory) Tensor(name string) (checkpoint.Raw, bool) {
	i := slices.IndexFunc(m, func(t checkpoint.Tensor) bool { return t.Name == name })
	if i < 0 {
		return checkpoint.Raw{}, false
	}
	return m[i].Raw, true
}

// Names implements checkpoint.Source.
func (m Memory) Names() []string {
	var names []string
	for _, t := range m {
		names = append(names, t.Name)
	}
	return names
}

// String implements checkpoint.Source.
func (m Memory) String() string { return "memory" }

// Tensors are those of a source, with a prefix.
func Tensors(s checkpoint.Source, prefix string) []checkpoint.Tensor {
	var out []checkpoint.Tensor
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		out = append(out, checkpoint.Tensor{Name: prefix + name, Raw: raw})
	}
	return out
}

// Original is a transformer in its authors' names, by its table, which is held
// against diffusers' converters elsewhere.
func Original(s checkpoint.Source, table dialect.Table, prefix string) []checkpoint.Tensor {
	var out []checkpoint.Tensor
	for name, m := range table {
		for _, kind := range []string{".weight", ".bias"} {
			if raw, ok := joined(s, m, kind); ok {
				out = append(out, checkpoint.Tensor{Name: prefix + name + kind, Raw: raw})
			}
		}
	}
	if raw, ok := s.Tensor("pos_embed.pos_embed"); ok {
		out = append(out, checkpoint.Tensor{Name: prefix + "pos_embed", Raw: raw})
	}
	slices.SortFunc(out, func(a, b checkpoint.Tensor) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// joined is the parts of a module one below the other; false where there are
// none.
func joined(s checkpoint.Source, m dialect.Module, kind string) (all checkpoint.Raw, ok bool) {
	for i, part := range m.Parts {
		raw, there := s.Tensor(part + kind)
		if !there {
			return all, false
		}
		if i > 0 {
			raw.Shape = append([]int{raw.Shape[0] + all.Shape[0]}, raw.Shape[1:]...)
		}
		raw.Bytes = slices.Concat(all.Bytes, raw.Bytes)
		all = raw
	}
	if half := len(all.Bytes) / 2; m.Swapped {
		all.Bytes = slices.Concat(all.Bytes[half:], all.Bytes[:half])
	}
	return all, true
}

var upBlock = regexp.MustCompile(`decoder\.up_blocks\.(\d)\.`)

// LDM is a VAE of so many sizes in latent diffusion's names.
func LDM(s checkpoint.Source, sizes int, prefix string) []checkpoint.Tensor {
	rename := strings.NewReplacer(
		"mid_block.resnets.0", "mid.block_1", "mid_block.resnets.1", "mid.block_2",
		"mid_block.attentions.0.group_norm", "mid.attn_1.norm", "mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out", "mid_block.attentions.0.to_", "mid.attn_1.",
		"conv_norm_out", "norm_out", "conv_shortcut", "nin_shortcut",
		"down_blocks", "down", "resnets", "block", "downsamplers.0", "downsample", "upsamplers.0", "upsample")
	out := Tensors(s, "")
	for i, x := range out {
		name := rename.Replace(upBlock.ReplaceAllStringFunc(x.Name, func(block string) string {
			n, _ := strconv.Atoi(upBlock.FindStringSubmatch(block)[1])
			return "decoder.up." + strconv.Itoa(sizes-1-n) + "."
		}))
		out[i].Name = prefix + name
		if shape := x.Shape; strings.Contains(name, "attn_1") && len(shape) == 2 {
			out[i].Shape = []int{shape[0], shape[1], 1, 1}
		}
	}
	return out
}
