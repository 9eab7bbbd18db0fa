"""The three trained networks of the miniature FLUX: transformer, T5 encoder, CLIP text encoder; and their tokenizers."""
import torch
import torch.nn as nn
from diffusers import AutoencoderKL, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5TokenizerFast
from prompts import SAID, phrases

T5_LENGTH = 32      # the T5 encoder sees no attention mask, so training and inference must pad alike
CLIP_LENGTH = 28    # causal and pooled at the end token: longer padding changes nothing

TRANSFORMER = dict(patch_size=1, in_channels=64, num_layers=2, num_single_layers=4, attention_head_dim=64,
                   num_attention_heads=4, joint_attention_dim=192, pooled_projection_dim=128,
                   guidance_embeds=False, axes_dims_rope=(16, 24, 24))


def t5_config(vocabulary):
    return T5Config(vocab_size=vocabulary, d_model=192, d_kv=64, num_heads=3, d_ff=384, num_layers=2,
                    num_decoder_layers=0, feed_forward_proj="gated-gelu", dropout_rate=0.0,
                    tie_word_embeddings=False, use_cache=False, is_encoder_decoder=False,
                    pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)


def clip_config(vocabulary):
    return CLIPTextConfig(vocab_size=vocabulary, hidden_size=128, intermediate_size=256, projection_dim=128,
                          num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=77,
                          hidden_act="quick_gelu", attention_dropout=0.0, bos_token_id=vocabulary - 2,
                          eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1)


class Tokens:
    """Both tokenizers of a model folder; a call gives (T5 ids, CLIP ids), each [prompts, length]."""

    def __init__(self, folder):
        self.t5 = T5TokenizerFast.from_pretrained(f"{folder}/tokenizer_2")
        self.clip = CLIPTokenizer.from_pretrained(f"{folder}/tokenizer")

    def sizes(self):
        return len(self.t5), len(self.clip)

    def __call__(self, texts):
        ids = lambda t, n: t(texts, padding="max_length", max_length=n, truncation=True, return_tensors="pt").input_ids
        return ids(self.t5, T5_LENGTH), ids(self.clip, CLIP_LENGTH)

    def objects(self, texts):
        """What the phrase that each T5 token belongs to says of its object, as bits of prompts.SAID; int32 [prompts, 32]."""
        bits = torch.zeros(len(texts), T5_LENGTH, dtype=torch.int32)
        for i, (text, read) in enumerate(zip(texts, self.t5(texts, max_length=T5_LENGTH, truncation=True).encodings)):
            for start, end, named in phrases(text):
                for j, (_, last) in enumerate(read.offsets):
                    if start < last <= end:
                        bits[i, j] = named
        return bits


def unpacked(bits):
    """What Tokens.objects says, one number of 0 or 1 for each of prompts.SAID; adds an axis."""
    return (bits[..., None] >> torch.arange(len(SAID), dtype=bits.dtype)) & 1


class Networks(nn.Module):
    """Transformer and text encoders as one module: one state dict, one optimizer, one average."""

    def __init__(self, transformer, t5, clip):
        super().__init__()
        self.tr, self.t5, self.clip = transformer, t5, clip

    def encode(self, t5_ids, clip_ids):
        """Prompt ids -> text tokens [n, 32, 192] and pooled vector [n, 128]."""
        return self.t5(t5_ids)[0], self.clip(clip_ids).pooler_output

    def compile_blocks(self):
        for block in list(self.tr.transformer_blocks) + list(self.tr.single_transformer_blocks):
            block.compile(dynamic=False)

    def load_ema(self, ema):
        """Takes the averaged weights of a training checkpoint; those of the auxiliary head are left out."""
        own = self.state_dict()
        self.load_state_dict({k: v for k, v in ema.items() if k in own})
        return self


def fresh(t5_vocabulary, clip_vocabulary):
    """Random weights, with every modulation and the output at zero (adaLN-zero), so that training starts from the identity."""
    transformer = FluxTransformer2DModel(**TRANSFORMER)
    t5 = T5EncoderModel(t5_config(t5_vocabulary))
    clip = CLIPTextModel(clip_config(clip_vocabulary))
    zero = [transformer.norm_out.linear, transformer.proj_out]
    for block in transformer.transformer_blocks:
        zero += [block.norm1.linear, block.norm1_context.linear]
    zero += [block.norm.linear for block in transformer.single_transformer_blocks]
    with torch.no_grad():
        for linear in zero:
            linear.weight.zero_()
            linear.bias.zero_()
        t5.shared.weight.normal_(0, 1.0)
    return Networks(transformer, t5, clip)


def from_folder(folder):
    """The networks of a diffusers folder, in float32."""
    return Networks(FluxTransformer2DModel.from_pretrained(f"{folder}/transformer", torch_dtype=torch.float32),
                    T5EncoderModel.from_pretrained(f"{folder}/text_encoder_2", dtype=torch.float32),
                    CLIPTextModel.from_pretrained(f"{folder}/text_encoder", dtype=torch.float32))


def vae_from_folder(folder):
    """The image autoencoder of a diffusers folder, in float32 and frozen."""
    vae = AutoencoderKL.from_pretrained(f"{folder}/vae", torch_dtype=torch.float32)
    return vae.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def is_t5_logit(name):
    """Whether weights make queries or keys of T5, whose logits nothing scales or normalises."""
    return any(f"layer.0.SelfAttention.{s}.weight" in name for s in "qk")


def optimizer_groups(module):
    """(parameters for Muon, groups for AdamW): Muon takes the 2-D weights inside blocks, except modulations and embeddings.

    It leaves T5's logits alone, too: they grew to some thirty, where softmax passes no gradient on. Distances are added to
    them, so that what other weights move by in thousands of steps is nothing there; and they are all that tells the order of
    words, as FLUX puts every text token in the same place.
    """
    muon, adam, distances = [], [], []
    for name, p in module.named_parameters():
        in_block = any(s in name for s in ("transformer_blocks", "encoder.block", "encoder.layers"))
        other = any(s in name for s in ("norm", "embed")) or is_t5_logit(name)
        if "relative_attention" in name:
            distances.append(p)
        else:
            (muon if in_block and p.ndim == 2 and not other else adam).append(p)
    return muon, [dict(params=adam, gain=1), dict(params=distances, gain=30)]
