"""Writes a FluxPipeline folder in bfloat16 from the averaged weights of a checkpoint.

usage: export.py OUT [--checkpoint checkpoints/flux_distilled.pt] [--model model] [--keep-vae]
Tokenizers come from the folder --model; with --keep-vae so does the autoencoder, bit for bit.
"""
import argparse
import os
import shutil
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from safetensors.torch import load_file, save_file
import latents
from networks import Tokens, fresh, vae_from_folder
from vae import load_vae

VOCABULARIES = ("tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer_2/spiece.model")


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("--checkpoint", default="checkpoints/flux_distilled.pt")
    ap.add_argument("--model", default="model")
    ap.add_argument("--keep-vae", action="store_true")
    return ap.parse_args()


def autoencoder(a):
    if a.keep_vae:
        return vae_from_folder(a.model).to(torch.bfloat16)
    vae, (shift, scale) = load_vae(), latents.scale()
    vae.register_to_config(scaling_factor=scale, shift_factor=shift)
    return vae.to(torch.bfloat16)


def rewrite(path, change):
    """Replaces the tensors of a safetensors file by change(tensors)."""
    tensors = change(load_file(path))
    save_file(tensors, path, metadata={"format": "pt"})


def both_embeddings(tensors):
    """T5 with its embedding under both names, as in the FLUX repositories."""
    embedding = tensors.get("shared.weight", tensors.get("encoder.embed_tokens.weight"))
    return dict(tensors, **{"shared.weight": embedding, "encoder.embed_tokens.weight": embedding.clone()})


def published_prefix(tensors):
    """CLIP with the prefix of the published text encoders."""
    return {k if k.startswith("text_model.") else "text_model." + k: v for k, v in tensors.items()}


def main():
    a = options()
    tokens = Tokens(a.model)
    nets = fresh(*tokens.sizes()).load_ema(torch.load(a.checkpoint)["ema"]).to(torch.bfloat16)
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=True, base_shift=0.5,
                                                max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096)
    FluxPipeline(scheduler=scheduler, vae=autoencoder(a), text_encoder=nets.clip, tokenizer=tokens.clip, text_encoder_2=nets.t5,
                 tokenizer_2=tokens.t5, transformer=nets.tr).save_pretrained(a.out)
    for name in VOCABULARIES:       # the older formats, which save_pretrained leaves out
        shutil.copyfile(f"{a.model}/{name}", f"{a.out}/{name}")
    if a.keep_vae:                  # without the name of the folder it came from
        shutil.copytree(f"{a.model}/vae", f"{a.out}/vae", dirs_exist_ok=True)
    rewrite(f"{a.out}/text_encoder_2/model.safetensors", both_embeddings)
    rewrite(f"{a.out}/text_encoder/model.safetensors", published_prefix)
    sizes = [os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(a.out) for f in files]
    print(f"{a.out}: {len(sizes)} files, {sum(sizes) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
