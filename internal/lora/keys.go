package lora

import "strings"

// role is what a tensor of an adapter file is for.
type role uint8

const (
	down    role = iota // A, r × in
	up                  // B, out × r
	alpha               // a scalar over r
	refused             // part of a method that is not a plain low-rank update
)

// key is a tensor's name, taken apart.
type key struct {
	module string // path in the model, component first: "transformer.proj_out"
	role   role
	why    string // of refused
}

// suffixes are the endings that diffusers, PEFT and their forebears write.
var suffixes = []struct {
	text string
	role role
	why  string
}{
	{".lora_A.weight", down, ""},
	{".lora_B.weight", up, ""},
	{".lora_down.weight", down, ""},
	{".lora_up.weight", up, ""},
	{".lora.down.weight", down, ""},
	{".lora.up.weight", up, ""},
	{".alpha", alpha, ""},
	{".lora_B.bias", refused, "a bias of lora_B is not supported"},
	{".lora_magnitude_vector", refused, dora},
	{".lora_magnitude_vector.weight", refused, dora},
	{".dora_scale", refused, dora},
	{".lora_mid.weight", refused, "convolutions in three factors are not supported"},
	{".diff", refused, "full-rank differences are not supported"},
	{".diff_b", refused, "differences of biases are not supported"},
}

const dora = "DoRA is not supported, and without its magnitudes the adapter would be a different one"

// parse takes a tensor's name apart; false where it is no adapter's.
func parse(name string) (key, bool) {
	for _, s := range suffixes {
		if module, ok := strings.CutSuffix(dropAdapter(name), s.text); ok {
			return refuse(key{module: canonical(module), role: s.role, why: s.why}), true
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

// component is where a key without one belongs.
const component = "transformer."

// isEncoder tells keys of the components that come before the transformer.
var isEncoder = prefix("text_encoder.", "text_encoder_2.", "text_encoder_3.")

// canonical is a module's path as diffusers has it today.
func canonical(module string) string {
	module = strings.TrimPrefix(module, "base_model.model.")
	if !strings.HasPrefix(module, component) && !isEncoder(module) {
		module = component + module
	}
	if inner, ok := strings.CutPrefix(module, component+"base_model.model."); ok {
		module = component + inner
	}
	if strings.HasSuffix(module, ".to_out") { // older writers drop the list's index
		module += ".0"
	}
	return module
}

// refuse sorts out the modules that no adapter can hang on.
func refuse(k key) key {
	switch {
	case k.role == refused:
	case isEncoder(k.module):
		k.role, k.why = refused, "adapters of text encoders are not read yet"
	case k.module == component+"pos_embed.proj":
		k.role, k.why = refused, "an adapter of the patch embedding is a convolution, which is not supported"
	}
	return k
}
