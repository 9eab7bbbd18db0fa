package checkpoint

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"taca/internal/tensor"
)

// Weights of 8 bits are published with one scale a tensor, in two spellings of
// ComfyUI's: LAYER.scale_weight beside a marker called scaled_fp8, and
// LAYER.weight_scale beside LAYER.comfy_quant, whose bytes are JSON. Scales of
// inputs are for products of 8 bits, which are formed nowhere here.
const (
	quantSuffix    = ".comfy_quant"
	quantMetadata  = "_quantization_metadata" // the same JSON for all layers
	markerName     = "scaled_fp8"
	oldScaleSuffix = ".scale_weight"
)

var scaleSuffixes = []string{oldScaleSuffix, ".weight_scale"}

// takeScales gives weights their scales, which are no tensors of their own from
// then on.
func (f *File) takeScales() *Error {
	if problem := f.checkKinds(); problem != nil {
		return problem
	}
	gone := map[string]bool{}
	for _, name := range f.names {
		for _, suffix := range scaleSuffixes {
			layer, is := strings.CutSuffix(name, suffix)
			weight, ok := f.tensors[layer+".weight"]
			if !is || !ok {
				continue
			}
			scale, problem := scaleOf(name, f.tensors[name], weight)
			if problem != nil {
				return problem
			}
			weight.Scale = scale
			f.tensors[layer+".weight"] = weight
			for _, also := range []string{suffix, quantSuffix, ".scale_input", ".input_scale"} {
				gone[layer+also] = true
			}
		}
		if name == markerName || strings.HasSuffix(name, "."+markerName) {
			gone[name] = true
		}
	}
	if len(gone) > 0 {
		f.names = slices.DeleteFunc(f.names, func(name string) bool { return gone[name] })
		maps.DeleteFunc(f.tensors, func(name string, _ Raw) bool { return gone[name] })
	}
	return nil
}

// scaleOf reads the scale of a weight.
func scaleOf(name string, scale, weight Raw) (float32, *Error) {
	if d, ok := tensor.ParseDType(weight.Type); !ok || d.Quantised() {
		return 0, problem("get it in bf16 or fp8", "tensor %q scales weights of %s, which is not read", name, weight.Type)
	}
	if weight.Scale != 0 {
		return 0, problem(downloadAgain, "tensor %q is a second scale of one weight", name)
	}
	if scale.Elements() != 1 {
		return 0, problem("get it in bf16, or with one scale a tensor", "tensor %q holds %d scales of one weight, which are not read", name, scale.Elements())
	}
	values, err := Floats(scale)
	if err != nil {
		return 0, problem(downloadAgain, "tensor %q: %v", name, err)
	}
	if v := float64(values[0]); v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, problem(downloadAgain, "tensor %q holds the impossible scale %v", name, values[0])
	}
	return values[0], nil
}

// checkKinds refuses what is scaled in other ways.
func (f *File) checkKinds() *Error {
	type kind struct {
		Format string `json:"format"`
	}
	var all struct {
		Layers map[string]kind `json:"layers"`
	}
	if text, ok := f.metadata[quantMetadata]; ok && json.Unmarshal([]byte(text), &all) != nil {
		return problem(downloadAgain, "its metadata %s is no JSON", quantMetadata)
	}
	if all.Layers == nil {
		all.Layers = map[string]kind{}
	}
	for _, name := range f.names {
		if layer, is := strings.CutSuffix(name, quantSuffix); is {
			var k kind
			if json.Unmarshal(f.tensors[name].Bytes, &k) != nil {
				return problem(downloadAgain, "tensor %q is no JSON", name)
			}
			all.Layers[layer] = k
		}
	}
	for _, layer := range slices.Sorted(maps.Keys(all.Layers)) {
		switch format := all.Layers[layer].Format; format {
		case "float8_e4m3fn", "float8_e5m2":
		default:
			return problem("get it in bf16 or fp8", "layer %q is quantised as %q, which is not read", layer, format)
		}
	}
	return nil
}

// scales are the tensors that hold the scales of others, to be written.
func scales(tensors []Tensor) []Tensor {
	var all []Tensor
	for _, t := range tensors {
		if layer, is := strings.CutSuffix(t.Name, ".weight"); is && t.Scale != 0 {
			all = append(all, FromFloats(layer+oldScaleSuffix, nil, []float32{t.Scale}))
		}
	}
	return all
}
