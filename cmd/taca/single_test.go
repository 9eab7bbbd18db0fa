package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/dialect"
	"taca/internal/dialect/dialecttest"
	"taca/internal/gguf/gguftest"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// single FILE PART...: parts of the embedded model in one file: transformer,
// vae, clip and t5, in the names of whole pipelines where there are several.
func putSingle(ts *testscript.TestScript, _ bool, args []string) {
	inside := func(prefix string) string {
		if len(args) == 2 {
			return ""
		}
		return prefix
	}
	var all []checkpoint.Tensor
	for _, part := range args[1:] {
		switch part {
		case "transformer":
			s := stored(ts, "transformer", "diffusion_pytorch_model")
			all = append(all, dialecttest.Original(s, dialect.FLUX(blocks(s, "transformer_blocks."), blocks(s, "single_transformer_blocks.")), inside("model.diffusion_model."))...)
		case "vae":
			s := stored(ts, "vae", "diffusion_pytorch_model")
			all = append(all, dialecttest.LDM(s, blocks(s, "decoder.up_blocks."), inside("vae."))...)
		case "clip":
			all = append(all, dialecttest.Tensors(stored(ts, "text_encoder", "model"), inside("text_encoders.clip_l.transformer."))...)
		case "t5":
			all = append(all, dialecttest.Tensors(stored(ts, "text_encoder_2", "model"), inside("text_encoders.t5xxl.transformer."))...)
		default: // the name of a tensor
			all = append(all, checkpoint.FromFloats(part, []int{4, 4}, make([]float32, 16)))
		}
	}
	ts.Check(checkpoint.Write(ts.MkAbs(args[0]), all, nil))
}

// original.gguf FILE FORMAT: the embedded model's transformer as GGUF, in its
// authors' names.
func putOriginalGGUF(ts *testscript.TestScript, _ bool, args []string) {
	s := stored(ts, "transformer", "diffusion_pytorch_model")
	d, _ := tensor.ParseDType(args[1])
	blocksOf, err := gguftest.Convert(s, d)
	ts.Check(err)
	var canonical dialecttest.Memory
	for _, b := range blocksOf {
		canonical = append(canonical, checkpoint.Tensor{Name: b.Name, Raw: checkpoint.Raw{Shape: b.Shape, Type: b.Type, Bytes: b.Bytes}})
	}
	table := dialect.FLUX(blocks(s, "transformer_blocks."), blocks(s, "single_transformer_blocks."))
	file := gguftest.File(gguftest.Of(dialecttest.Original(canonical, table, "")), map[string]string{"general.architecture": "flux"})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file, 0o644))
}

// scaled DIR: the embedded model as a folder, the matrices of its transformer's
// blocks in 8 bits with a scale each.
func putScaled(ts *testscript.TestScript, neg bool, args []string) {
	putModel(ts, neg, args)
	s := stored(ts, "transformer", "diffusion_pytorch_model")
	eights, err := quantise.New(s, tensor.F8E4M3, false)
	ts.Check(err)
	all := dialecttest.Tensors(eights, "")
	for i := range all {
		if all[i].Type == "F8_E4M3" {
			all[i].Scale = 1.25
		}
	}
	ts.Check(checkpoint.Write(filepath.Join(ts.MkAbs(args[0]), "transformer", "diffusion_pytorch_model.safetensors"), all, nil))
}

// stored is a component's weights in the embedded model.
func stored(ts *testscript.TestScript, component, stem string) checkpoint.Source {
	s, err := demo.Folder().Sub(component).Weights(stem)
	ts.Check(err)
	return s
}

// blocks is how many a prefix numbers.
func blocks(s checkpoint.Source, prefix string) int {
	var seen []string
	for _, name := range s.Names() {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			seen = append(seen, strings.Split(rest, ".")[0])
		}
	}
	slices.Sort(seen)
	return len(slices.Compact(seen))
}
