package lora

import "strings"

// role is what a tensor of an adapter file is for.
type role uint8

const (
	down    role = iota // A, r × in
	up                  // B, out × r
	alpha               // a scalar over r
	full                // the whole update of a weight or a bias
	refused             // part of a method that is not a plain low-rank update
)

// key is a tensor's name, taken apart.
type key struct {
	module string // as the file spells it
	role   role
	why    string // of refused, and of full that is not all zero
}

// suffix is an ending of names; those further up win.
type suffix struct {
	text string
	role role
	why  string
}

// suffixes are the endings that trainers write.
var suffixes = []suffix{
	{".lora_A.weight", down, ""},                 // PEFT, diffusers, ai-toolkit, SimpleTuner
	{".lora_B.weight", up, ""},                   //
	{".lora_down.weight", down, ""},              // kohya, OneTrainer, ComfyUI
	{".lora_up.weight", up, ""},                  //
	{".lora_linear_layer.down.weight", down, ""}, // diffusers before PEFT
	{".lora_linear_layer.up.weight", up, ""},     //
	{".lora.down.weight", down, ""},              //
	{".lora.up.weight", up, ""},                  //
	{"_lora.down.weight", down, ""},              // and XLabs, in single blocks
	{"_lora.up.weight", up, ""},                  //
	{".down.weight", down, ""},                   // XLabs, in double blocks
	{".up.weight", up, ""},                       //
	{".alpha", alpha, ""},                        //
	{".diff", full, "full-rank differences are not supported"},
	{".diff_b", full, "differences of biases are not supported"},
	{".lora_B.bias", full, "a bias of lora_B is not supported"},
	{".lora_magnitude_vector", refused, dora},
	{".lora_magnitude_vector.weight", refused, dora},
	{".dora_scale", refused, dora},
	{".lora_mid.weight", refused, "convolutions in three factors (lora_mid) are not supported"},
	{".lora_embedding_A", refused, embedding},
	{".lora_embedding_B", refused, embedding},
	{".set_weight", refused, "tensors that replace the model's (set_weight) are not supported"},
	{".reshape_weight", refused, "adapters that change the shape of a layer are not supported"},
	{".w_norm", refused, norms},
	{".b_norm", refused, norms},
}

const (
	dora      = "DoRA is not supported, and without its magnitudes the adapter would be a different one"
	embedding = "adapters of embeddings are not supported"
	norms     = "differences of norms are not supported"
)

// others are methods that are no low-rank update, by the tensors they have.
var others = []struct {
	name  string
	parts []string
}{
	{"LoHa", []string{"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"}},
	{"LoKr", []string{"lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"}},
	{"OFT", []string{"oft_blocks", "oft_diag", "oft_R", "oft_R.weight"}},
	{"BOFT", []string{"boft_R", "boft_s"}},
	{"GLoRA", []string{"a1.weight", "a2.weight", "b1.weight", "b2.weight"}},
	{"IA3", []string{"ia3_l"}},
}

// parse takes a tensor's name apart; false where it is no adapter's.
func parse(name string) (key, bool) {
	name = dropAdapter(name)
	for _, s := range suffixes {
		if module, ok := strings.CutSuffix(name, s.text); ok {
			return key{module, s.role, s.why}, true
		}
	}
	for _, method := range others {
		for _, part := range method.parts {
			if module, ok := strings.CutSuffix(name, "."+part); ok {
				return key{module, refused, method.name + " is not supported: it is no product of two matrices"}, true
			}
		}
	}
	return key{}, false
}

// dropAdapter takes out the adapter's name that raw PEFT files carry:
// "x.lora_A.default.weight".
func dropAdapter(name string) string {
	for _, part := range []string{".lora_A.", ".lora_B.", ".lora_magnitude_vector."} {
		before, after, found := strings.Cut(name, part)
		if adapter, rest, deeper := strings.Cut(after, "."); found && deeper && adapter != "" {
			return before + part + rest
		}
	}
	return name
}
