package hubtest

import "net/http"

// Cut is a writer that breaks the connection after so many bytes.
func Cut(w http.ResponseWriter, after int) http.ResponseWriter { return &cutting{w, after} }

type cutting struct {
	http.ResponseWriter
	left int
}

// Write writes as much as is allowed, and no more ever.
func (c *cutting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b[:min(len(b), c.left)])
	c.left -= n
	if f, ok := c.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	if c.left == 0 {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// Pipeline is a small repository in the layout of FLUX.1, with what taca reads
// and what it does not; fill makes the bytes of a file of that size.
func Pipeline(fill func(name string, size int) []byte) map[string][]byte {
	files := map[string][]byte{
		"model_index.json": []byte(`{"_class_name": "FluxPipeline", "_diffusers_version": "0.30.0", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
			"text_encoder": ["transformers", "CLIPTextModel"], "text_encoder_2": ["transformers", "T5EncoderModel"], "text_encoder_3": [null, null],
			"tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "T5TokenizerFast"],
			"transformer": ["diffusers", "FluxTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"], "feature_extractor": ["transformers", "X"]}`),
		"transformer/diffusion_pytorch_model.safetensors.index.json": []byte(`{"weight_map": {
			"a": "diffusion_pytorch_model-00001-of-00002.safetensors", "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}}`),
		"tokenizer/special_tokens_map.json": []byte(`{"pad_token": "!"}`), "tokenizer_2/special_tokens_map.json": []byte(`{"pad_token": "!"}`), // one blob
	}
	for name, size := range map[string]int{
		"scheduler/scheduler_config.json": 100, "transformer/config.json": 200, "vae/config.json": 300, "text_encoder/config.json": 400, "text_encoder_2/config.json": 500,
		"transformer/diffusion_pytorch_model-00001-of-00002.safetensors": 500_000, "transformer/diffusion_pytorch_model-00002-of-00002.safetensors": 300_001,
		"vae/diffusion_pytorch_model.safetensors": 70_000, "text_encoder/model.safetensors": 40_000, "text_encoder_2/model.safetensors": 123_456,
		"tokenizer/vocab.json": 900, "tokenizer/merges.txt": 5000, "tokenizer_2/spiece.model": 8000, "tokenizer_2/tokenizer.json": 20_000,
		// Of no use to taca:
		"README.md": 700, ".gitattributes": 50, "flux1-dev.safetensors": 900_000, "ae.safetensors": 60_000, "dev_grid.jpg": 3000,
		"text_encoder/model.fp16.safetensors": 20_000, "text_encoder/pytorch_model.bin": 40_000, "text_encoder/flax_model.msgpack": 40_000,
		"vae/model.onnx": 40_000, "feature_extractor/preprocessor_config.json": 90, "text_encoder_3/config.json": 90,
	} {
		files[name] = fill(name, size)
	}
	return files
}

// Needed is the files of Pipeline that taca reads.
func Needed() []string {
	return []string{
		"model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder_2/config.json",
		"text_encoder_2/model.safetensors", "tokenizer/merges.txt", "tokenizer/special_tokens_map.json", "tokenizer/vocab.json",
		"tokenizer_2/special_tokens_map.json", "tokenizer_2/spiece.model", "tokenizer_2/tokenizer.json",
		"transformer/config.json", "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
		"transformer/diffusion_pytorch_model-00002-of-00002.safetensors", "transformer/diffusion_pytorch_model.safetensors.index.json", "vae/config.json",
		"vae/diffusion_pytorch_model.safetensors",
	}
}
