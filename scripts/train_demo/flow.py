"""Rectified flow with the miniature FLUX: attention with the TACA factor, velocity, loss weights, sampling."""
import math
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_flux import _get_qkv_projections
from latents import unpack
from networks import T5_LENGTH
from scenes import TOKENS

# exp(mu) of the model's scheduler: mu goes from 0.5 at 256 image tokens to 1.15 at 4096
SHIFT = math.exp(0.5 + (1.15 - 0.5) * (TOKENS ** 2 - 256) / (4096 - 256))


class Attention:
    """FLUX joint attention; logits of (image query, text key) pairs are multiplied by gamma (TACA, arXiv:2506.07986)."""

    def __init__(self, explicit=False):
        self.gamma = 1.0
        self.explicit = explicit    # plain softmax: its backward pass is much faster on a CPU than the fused one

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, image_rotary_emb=None):
        heads = lambda x: x.unflatten(-1, (attn.heads, -1))
        q, k, v, text_q, text_k, text_v = _get_qkv_projections(attn, hidden_states, encoder_hidden_states)
        q, k, v = attn.norm_q(heads(q)), attn.norm_k(heads(k)), heads(v)
        if attn.added_kv_proj_dim is not None:
            q = torch.cat([attn.norm_added_q(heads(text_q)), q], 1)
            k = torch.cat([attn.norm_added_k(heads(text_k)), k], 1)
            v = torch.cat([heads(text_v), v], 1)
        q, k = (apply_rotary_emb(x, image_rotary_emb, sequence_dim=1) for x in (q, k))
        out = self.mix(*(x.transpose(1, 2) for x in (q, k, v)))
        out = out.transpose(1, 2).flatten(2, 3).to(hidden_states.dtype)
        if encoder_hidden_states is None:
            return out
        text, image = out[:, :T5_LENGTH], out[:, T5_LENGTH:]
        return attn.to_out[1](attn.to_out[0](image.contiguous())), attn.to_add_out(text.contiguous())

    def mix(self, q, k, v):
        if self.explicit:
            return (q @ (k * 0.125).transpose(-1, -2)).softmax(-1).to(v.dtype) @ v
        if self.gamma == 1.0:
            return F.scaled_dot_product_attention(q, k, v)
        n = T5_LENGTH
        stressed = torch.cat([k[:, :, :n] * self.gamma, k[:, :, n:]], 2)
        return torch.cat([F.scaled_dot_product_attention(q[:, :, :n], k, v),
                          F.scaled_dot_product_attention(q[:, :, n:], stressed, v)], 2)


def rope(transformer):
    """Rotary tables of the joint sequence: text at the origin, image tokens at (0, row, column) of the picture's 16x16 grid.

    Smaller pictures spread their tokens over the same grid, so that what they teach about places holds at 256x256.
    """
    place = (torch.arange(TOKENS) + 0.5) * (16 / TOKENS) - 0.5
    ids = torch.zeros(TOKENS, TOKENS, 3)
    ids[..., 1] += place[:, None]
    ids[..., 2] += place[None]
    return transformer.pos_embed(torch.cat([torch.zeros(T5_LENGTH, 3), ids.reshape(-1, 3)]))


def velocity(transformer, x, text, pooled, sigma, tables):
    """(velocity [n, tokens, 64], image tokens after the double blocks [n, tokens, 256]) at latents x and noise level sigma [n]."""
    h = transformer.x_embedder(x)
    temb = transformer.time_text_embed(sigma * 1000, pooled)
    c = transformer.context_embedder(text)
    for block in transformer.transformer_blocks:
        c, h = block(hidden_states=h, encoder_hidden_states=c, temb=temb, image_rotary_emb=tables)
    middle = h
    for block in transformer.single_transformer_blocks:
        c, h = block(hidden_states=h, encoder_hidden_states=c, temb=temb, image_rotary_emb=tables)
    return transformer.proj_out(transformer.norm_out(h, temb)), middle


def guided(transformer, x, text, pooled, empty, sigma, tables, scale):
    """Classifier-free guidance: both passes in one batch; empty is the encoding of the empty prompt."""
    n = len(x)
    text = torch.cat([text, empty[0].expand(n, -1, -1)])
    pooled = torch.cat([pooled, empty[1].expand(n, -1)])
    v = velocity(transformer, torch.cat([x, x]), text, pooled, torch.cat([sigma, sigma]), tables)[0].float()
    return v[n:] + scale * (v[:n] - v[n:])


def object_weight(cover):
    """Loss weight per image token [n, tokens] from the fraction of it that objects cover: objects count more than the floor."""
    return 0.65 + 1.5 * (2 * cover).clamp(max=1)


def shifted(sigma, shift):
    """Noise levels moved towards the beginning, as the scheduler does for larger pictures."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def sigmas(steps):
    """steps + 1 noise levels, as FlowMatchEulerDiscreteScheduler sets them for this many image tokens."""
    s = torch.linspace(1, 1 / steps, steps)
    return torch.cat([shifted(s, SHIFT), torch.zeros(1)])


@torch.no_grad()
def sample(nets, vae, tokens, prompts, steps=24, seed=0, guidance=1.0, gamma=1.0, threshold=0.97, batch=64):
    """uint8 pictures [n, SIZE, SIZE, 3]; gamma acts while sigma >= threshold."""
    attention = Attention()
    nets.tr.set_attn_processor(attention)
    tables, levels = rope(nets.tr), sigmas(steps)
    noise = torch.randn(len(prompts), TOKENS ** 2, 64, generator=torch.Generator().manual_seed(seed))
    pictures = []
    with torch.autocast("cpu", torch.bfloat16):
        empty = nets.encode(*tokens([""])) if guidance != 1 else None
        for i in range(0, len(prompts), batch):
            x = noise[i:i + batch].clone()
            text, pooled = nets.encode(*tokens(prompts[i:i + batch]))
            for j in range(steps):
                sigma = levels[j].expand(len(x))
                attention.gamma = gamma if levels[j] >= threshold else 1.0
                if guidance == 1:
                    v = velocity(nets.tr, x, text, pooled, sigma, tables)[0].float()
                else:
                    v = guided(nets.tr, x, text, pooled, empty, sigma, tables, guidance)
                x = x + (levels[j + 1] - levels[j]) * v
            z = unpack(x / vae.config.scaling_factor + vae.config.shift_factor)
            y = vae.decoder(z.contiguous(memory_format=torch.channels_last)).float().clamp(-1, 1)
            pictures.append(((y + 1) * 127.5 + 0.5).byte().permute(0, 2, 3, 1))
    return torch.cat(pictures).numpy()
