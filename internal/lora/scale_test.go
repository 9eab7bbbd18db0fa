package lora_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// TestScales holds every module's scale against what diffusers and PEFT give
// it when they load the same file. testdata/scales.py made the numbers.
func TestScales(t *testing.T) {
	raw, err := os.ReadFile("testdata/scales.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct {
		Metadata string
		Modules  map[string]struct {
			Rank, In, Out int
			Scale         float64
		}
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden) == 0 {
		t.Fatal("no goldens")
	}
	for name, g := range golden {
		t.Run(name, func(t *testing.T) {
			b := opstest.NewReference()
			at, file := map[string]*nn.Linear{}, source{}
			for path, m := range g.Modules {
				w, err := b.New(m.Out, m.In, tensor.F32)
				if err != nil {
					t.Fatal(err)
				}
				at["transformer."+path] = &nn.Linear{W: w}
				file[path+".lora_A.weight"] = matrix(m.Rank, m.In)
				file[path+".lora_B.weight"] = matrix(m.Out, m.Rank)
			}
			if _, err := attach(at, file, map[string]string{"lora_adapter_metadata": g.Metadata}, b, 1); err != nil {
				t.Fatal(err)
			}
			for path, m := range g.Modules {
				if got := float64(at["transformer."+path].Adapters[0].Scale); math.Abs(got-m.Scale) > 1e-6*m.Scale {
					t.Errorf("%s: scale %v, PEFT has %v", path, got, m.Scale)
				}
			}
		})
	}
}

func TestBadMetadata(t *testing.T) {
	const q = "transformer.blocks.0.to_q"
	for _, c := range []struct{ text, want string }{
		{`[1]`, "metadata lora_adapter_metadata is no JSON object"},
		{`{"transformer.lora_alpha":"much"}`, "metadata lora_adapter_metadata of transformer"},
		{`{"transformer.alpha_pattern":3}`, "a pattern is 3, want an object"},
		{`{"transformer.alpha_pattern":{"to_q(?=x)":3}}`, "is not understood"},
	} {
		b := opstest.NewReference()
		at := layers(t, b)
		file := source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 2)}
		_, err := attach(at, file, map[string]string{"lora_adapter_metadata": c.text}, b, 1)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.text, err, c.want)
		}
		if len(at[q].Adapters) != 0 {
			t.Errorf("%s: attached all the same", c.text)
		}
	}
	// A null is what PEFT writes for what was not set.
	b := opstest.NewReference()
	file := source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 2)}
	metadata := map[string]string{"lora_adapter_metadata": `{"transformer.lora_alpha":4,"transformer.alpha_pattern":null}`}
	at := layers(t, b)
	if _, err := attach(at, file, metadata, b, 1); err != nil || at[q].Adapters[0].Scale != 2 {
		t.Errorf("a pattern of null: error %v, adapters %v", err, at[q].Adapters)
	}
}

// TestAlphaFormats: alpha is one number in any format and shape.
func TestAlphaFormats(t *testing.T) {
	for name, raw := range map[string]checkpoint.Raw{
		"F32":        number(6),
		"of shape 1": {Shape: []int{1}, Type: "F32", Bytes: number(6).Bytes},
		"BF16":       stored(tensor.BF16, []float64{6}),
		"F16":        stored(tensor.F16, []float64{6}, 1),
		"F64":        {Type: "F64", Bytes: binary.LittleEndian.AppendUint64(nil, math.Float64bits(6))},
	} {
		b := opstest.NewReference()
		at := layers(t, b)
		if _, err := attach(at, whole(source{toQ + ".alpha": raw}), nil, b, 1); err != nil || at[toQ].Adapters[0].Scale != 3 {
			t.Errorf("%s: error %v, adapters %v", name, err, at[toQ].Adapters)
		}
	}
}

func TestTrainers(t *testing.T) {
	for key, want := range map[string]string{
		"lora_unet_single_blocks_3_linear1.lora_up.weight":                  "kohya, FLUX",
		"lora_unet_joint_blocks_0_x_block_attn_qkv.lora_up.weight":          "kohya, SD3",
		"lora_unet_img_in.lora_down.weight":                                 "kohya",
		"lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight":     "kohya",
		"lora_transformer_transformer_blocks_0_attn_to_q.lora_down.weight":  "OneTrainer",
		"lycoris_transformer_blocks_0_attn_to_q.lokr_w1":                    "LyCORIS",
		"transformer.transformer_blocks.0.attn.to_q.hada_w1_a":              "LyCORIS",
		"single_blocks.0.processor.proj_lora.up.weight":                     "XLabs",
		"base_model.model.double_blocks.0.img_attn.qkv.lora_A.weight":       "PEFT on the original names",
		"diffusion_model.joint_blocks.0.x_block.attn.qkv.lora_B.weight":     "ComfyUI",
		"double_blocks.0.img_attn.qkv.lora_A.weight":                        "original names",
		"transformer.transformer_blocks.0.attn.to_q.lora_A.weight":          "diffusers",
		"base_model.model.transformer_blocks.0.attn.to_q.lora_A.weight":     "PEFT",
		"single_transformer_blocks.0.attn.to_q.lora_A.default.weight":       "diffusers",
		"text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_down.weight": "diffusers",
		"double_blocks.0.img_attn.norm.query_norm.scale":                    "", // a whole model
		"transformer_blocks.0.attn.to_q.weight":                             "",
	} {
		if got, ok := lora.Trainer([]string{"__x", key}); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", key, got, ok, want)
		}
	}
	control := []string{"double_blocks.0.img_attn.norm.query_norm.scale", "double_blocks.0.img_attn.qkv.lora_A.weight"}
	if got, _ := lora.Trainer(control); got != "BFL control" {
		t.Errorf("%v: %q", control, got)
	}
}
