package lora_test

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"

	"taca/internal/lora"
	"taca/internal/tensor/opstest"
)

// refusal is a file and what the error says of it.
type refusal struct {
	name string
	file source
	want string
}

// test sees that the error names what does not fit, and that nothing is
// attached.
func (c refusal) test(t *testing.T) {
	b := opstest.NewReference()
	at := layers(t, b)
	_, err := attach(at, c.file, nil, b, 1)
	if err == nil {
		t.Fatal("no error")
	}
	var e *lora.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
		t.Errorf("error %v, want one that says %q", err, c.want)
	}
	for name, l := range at {
		if len(l.Adapters) != 0 {
			t.Errorf("%s was changed all the same", name)
		}
	}
}

// whole is a pair of matrices that fits, and more.
func whole(more source) source {
	s := source{toQ + ".lora_A.weight": matrix(2, 4), toQ + ".lora_B.weight": matrix(3, 2)}
	maps.Copy(s, more)
	return s
}

const toQ = "transformer.blocks.0.to_q"

// TestRefusals: what is wrong is named with the tensors that are.
func TestRefusals(t *testing.T) {
	const q, other = toQ, "transformer.other"
	for _, c := range []refusal{
		{"empty", source{}, "x.safetensors: it holds no LoRA"},
		{"a model", source{"transformer_blocks.0.attn.to_q.weight": matrix(2, 4)}, "it holds no LoRA: transformer_blocks.0.attn.to_q.weight"},
		{"foreign layer", whole(source{other + ".lora_A.weight": matrix(2, 4), other + ".lora_B.weight": matrix(3, 2)}), "no such layers; is this LoRA for another model?: transformer.other.lora_A.weight, transformer.other.lora_B.weight; --lora-lenient goes on without them"},
		{"nothing fits", source{other + ".lora_A.weight": matrix(2, 4), other + ".lora_B.weight": matrix(3, 2)}, "nothing in it matches the model's layers; is this LoRA (diffusers) for another model?: transformer.other.lora_A.weight"},
		{"foreign tensors", whole(source{"weights": matrix(2, 4), "more": matrix(2, 4)}), "no part of a LoRA: more, weights"},
		{"half", source{q + ".lora_A.weight": matrix(2, 4)}, "half of a pair of matrices is missing: " + q},
		{"width", source{q + ".lora_A.weight": matrix(2, 5), q + ".lora_B.weight": matrix(3, 2)}, "matrices are [2 5] and [3 2], the layer is [3 4]"},
		{"height", source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(4, 2)}, "matrices are [2 4] and [4 2], the layer is [3 4]"},
		{"rank", source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 3)}, "matrices are [2 4] and [3 3], which have no product"},
		{"no rank", source{q + ".lora_A.weight": matrix(0, 4), q + ".lora_B.weight": matrix(3, 0)}, "matrices are [0 4] and [3 0], which have no product"},
		{"convolution", source{q + ".lora_A.weight": number(1), q + ".lora_B.weight": matrix(3, 2)}, "matrices are [] and [3 2], which have no product"},
		{"format", whole(source{q + ".lora_B.weight": {Shape: []int{3, 2}, Type: "I32", Bytes: make([]byte, 24)}}), "a matrix holds I32, which is no format of an adapter"},
		{"alpha", whole(source{q + ".alpha": matrix(1, 2)}), "want one number"},
		{"an encoder that is not there", whole(source{"text_encoder.text_model.x.lora_A.weight": matrix(2, 4)}), "no such layers; is this LoRA for another model?: text_encoder."},
		{"another family", source{"lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight": matrix(2, 4)}, "nothing in it matches the model's layers; is this LoRA (kohya, SD3) for another model?: lora_unet_joint"},
		{"twice", whole(source{"blocks.0.to_q.lora_A.weight": matrix(2, 4), "blocks.0.to_q.lora_B.weight": matrix(3, 2)}), "two tensors of one file update the same layer: transformer.blocks"},
		{"one factor twice", whole(source{q + ".lora_A.default.weight": matrix(2, 4)}), "two tensors of one file update the same layer"},
		{"alpha that is none", whole(source{q + ".alpha": number(float32(math.NaN()))}), "alpha over the rank is no finite number"},
	} {
		t.Run(c.name, c.test)
	}
}

// TestMethods: what is no product of two matrices is refused by its name.
func TestMethods(t *testing.T) {
	const q = toQ
	for _, c := range []refusal{
		{"DoRA", whole(source{q + ".lora_magnitude_vector": matrix(1, 3)}), "DoRA is not supported"},
		{"DoRA with a name", whole(source{q + ".lora_magnitude_vector.default.weight": matrix(1, 3)}), "DoRA is not supported"},
		{"DoRA of kohya", whole(source{q + ".dora_scale": matrix(1, 3)}), "DoRA is not supported"},
		{"bias", whole(source{q + ".lora_B.bias": matrix(1, 3)}), "a bias of lora_B is not supported: " + q + ".lora_B.bias"},
		{"bias with a name", whole(source{q + ".lora_B.default.bias": matrix(1, 3)}), "a bias of lora_B is not supported"},
		{"control", source{"double_blocks.0.img_attn.norm.query_norm.scale": matrix(1, 4), q + ".lora_A.weight": matrix(2, 4)}, "a control LoRA wants a picture"},
		{"LoHa", source{"lycoris_blocks_0_to_q.hada_w1_a": matrix(2, 4)}, "LoHa is not supported: it is no product of two matrices"},
		{"LoKr", source{q + ".lokr_w1": matrix(2, 4)}, "LoKr is not supported"},
		{"OFT", source{q + ".oft_blocks": matrix(2, 4)}, "OFT is not supported"},
		{"GLoRA", source{q + ".a1.weight": matrix(2, 4)}, "GLoRA is not supported"},
		{"mid", whole(source{q + ".lora_mid.weight": matrix(2, 2)}), "convolutions in three factors (lora_mid) are not supported: " + q + ".lora_mid.weight"},
		{"full rank", whole(source{"transformer.x.diff": matrix(2, 2)}), "full-rank differences are not supported: transformer.x.diff"},
		{"bias difference", whole(source{q + ".diff_b": matrix(1, 3)}), "differences of biases are not supported"},
		{"replacement", whole(source{q + ".set_weight": matrix(1, 3)}), "(set_weight) are not supported"},
	} {
		t.Run(c.name, c.test)
	}
}
