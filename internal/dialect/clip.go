package dialect

import (
	"fmt"
	"strings"
)

// openCLIP is OpenCLIP's names of a text model with so many layers.
func openCLIP(layers int) Table {
	t := Table{}
	rules{"token_embedding": {"text_model.embeddings.token_embedding"}, "ln_final": {"text_model.final_layer_norm"}}.into(t, "", "")
	for i := range layers {
		openCLIPLayer.into(t, fmt.Sprintf("transformer.resblocks.%d.", i), fmt.Sprintf("text_model.encoder.layers.%d.", i))
	}
	// Where the projection is a layer and no bare matrix, it is as canonical.
	rules{"text_projection": {"text_projection"}}.into(t, "", "")
	return t
}

var openCLIPLayer = rules{
	"ln_1":          {"layer_norm1"},
	"ln_2":          {"layer_norm2"},
	"attn.in_proj":  {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
	"attn.out_proj": {"self_attn.out_proj"},
	"mlp.c_fc":      {"mlp.fc1"},
	"mlp.c_proj":    {"mlp.fc2"},
}

// openCLIPBare are the tensors that belong to no layer. The projection is
// multiplied from the right.
var openCLIPBare = Table{
	"positional_embedding": {Parts: []string{"text_model.embeddings.position_embedding.weight"}},
	"text_projection":      {Parts: []string{"text_projection.weight"}, transposed: true},
}

// bareCLIP is the names of transformers since 5.6, for which all but the
// projection lacks a prefix.
func bareCLIP(v view) spelling {
	t := Table{}
	for _, name := range v.names {
		full := "text_model." + name
		if strings.HasPrefix(name, "text_projection.") {
			full = name
		}
		t[name] = Module{Parts: []string{full}}
	}
	return spelling{bare: t}
}
