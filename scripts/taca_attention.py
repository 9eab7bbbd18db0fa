"""TACA (arXiv 2506.07986) inside diffusers: attention processors for FLUX.1 and SD3 transformers that know gamma.

Logits of (visual query, text key) pairs are multiplied by gamma, which may differ between the samples of a batch, all others
stay. SD3.5-medium's second attention, which sees no text, is left alone.
"""
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import apply_rotary_emb


class Gamma:
    """The factor of this step, shared by all processors: a number, or a tensor with one of each sample."""

    def __init__(self):
        self.value = 1.0

    def attend(self, q, k, v, text, visual):
        """Softmax attention of [n, heads, tokens, size] matrices; text and visual are the slices of their tokens."""
        stressed = k.clone()
        stressed[:, :, text] *= torch.as_tensor(self.value, dtype=k.dtype, device=k.device).view(-1, 1, 1, 1)
        out = torch.empty_like(q)
        out[:, :, text] = F.scaled_dot_product_attention(q[:, :, text], k, v)
        out[:, :, visual] = F.scaled_dot_product_attention(q[:, :, visual], stressed, v)
        return out


class FluxProcessor:
    """Joint attention of FLUX's double and single blocks: text first; count says how many text tokens a sample has."""

    def __init__(self, gamma):
        self.gamma, self.count = gamma, 0

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, image_rotary_emb=None):
        heads = lambda x: x.unflatten(-1, (attn.heads, -1))
        q, k, v = attn.norm_q(heads(attn.to_q(hidden_states))), attn.norm_k(heads(attn.to_k(hidden_states))), heads(attn.to_v(hidden_states))
        if encoder_hidden_states is not None:
            c = encoder_hidden_states
            q = torch.cat([attn.norm_added_q(heads(attn.add_q_proj(c))), q], 1)
            k = torch.cat([attn.norm_added_k(heads(attn.add_k_proj(c))), k], 1)
            v = torch.cat([heads(attn.add_v_proj(c)), v], 1)
        q, k = (apply_rotary_emb(x, image_rotary_emb, sequence_dim=1) for x in (q, k))
        text, visual = slice(0, self.count), slice(self.count, None)
        out = self.gamma.attend(*(x.transpose(1, 2) for x in (q, k, v)), text, visual).transpose(1, 2).flatten(2)
        if encoder_hidden_states is None:
            return out
        return attn.to_out[1](attn.to_out[0](out[:, visual])), attn.to_add_out(out[:, text])


class SD3Processor:
    """Joint attention of SD3's blocks: visual tokens first; without text, as in SD3.5-medium's second attention, plain."""

    def __init__(self, gamma):
        self.gamma = gamma

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        heads = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        norm = lambda f, x: x if f is None else f(x)
        q, k, v = norm(attn.norm_q, heads(attn.to_q(hidden_states))), norm(attn.norm_k, heads(attn.to_k(hidden_states))), heads(attn.to_v(hidden_states))
        count = hidden_states.shape[1]
        text, visual = slice(count, None), slice(0, count)
        if encoder_hidden_states is None:
            out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            return attn.to_out[1](attn.to_out[0](out))
        c = encoder_hidden_states
        q = torch.cat([q, norm(attn.norm_added_q, heads(attn.add_q_proj(c)))], 2)
        k = torch.cat([k, norm(attn.norm_added_k, heads(attn.add_k_proj(c)))], 2)
        v = torch.cat([v, heads(attn.add_v_proj(c))], 2)
        out = self.gamma.attend(q, k, v, text, visual).transpose(1, 2).flatten(2)
        c = out[:, text]
        return attn.to_out[1](attn.to_out[0](out[:, visual])), c if attn.context_pre_only else attn.to_add_out(c)


def install(transformer):
    """Gives every attention of a FluxTransformer2DModel or SD3Transformer2DModel a processor with gamma, and returns their Gamma.

    The number of text tokens is taken from each call of the transformer.
    """
    gamma = Gamma()
    if type(transformer).__name__ == "SD3Transformer2DModel":
        transformer.set_attn_processor(SD3Processor(gamma))
        return gamma
    processor = FluxProcessor(gamma)
    transformer.set_attn_processor(processor)

    def count(_, arguments, named):
        processor.count = named["encoder_hidden_states"].shape[1]

    transformer.register_forward_pre_hook(count, with_kwargs=True)
    return gamma
