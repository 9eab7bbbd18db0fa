// Package tokenizer turns prompts into the token ids that CLIP and T5 text encoders were trained on.
//
// Ids equal those of transformers 5.23 (tokenizers 0.23), as diffusers' FLUX and Stable Diffusion 3 pipelines
// call it, on any text. That includes what is odd there:
//
//   - CLIPTokenizer and T5Tokenizer take only the vocabulary, the merges, the added tokens and the charsmap from
//     tokenizer.json; how text is normalised and split is theirs. tokenizer.json wins over the older files.
//   - The charsmap of a sentencepiece model is applied to grapheme clusters, and its shortest entry wins.
//   - T5Tokenizer never falls back to bytes, whatever the model declares, and its unknown token is id 2.
//   - Every library involved has its own version of Unicode; unicode.txt holds their tables, not Go's.
package tokenizer
