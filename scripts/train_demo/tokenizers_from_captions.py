"""Makes both tokenizers from the captions: T5 unigram (SentencePiece) and CLIP byte-pair encoding.

usage: tokenizers_from_captions.py OUT    -> OUT/tokenizer, OUT/tokenizer_2
"""
import collections
import json
import os
import sys
import tempfile
import numpy as np
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import CLIPTokenizer, T5TokenizerFast
from prompts import caption
from scenes import sample_scene

CAPTIONS = 60000
MERGES = 510
OTHER_WORDS = (     # words beyond the scenes, so that any English prompt stays short
    "the quick brown fox jumps over lazy dog picture painting scene with small large big tiny object floor table wall "
    "light dark bright color colour shape texture above below under top bottom near beside between four five six many "
    "some no black white brown wooden glass plastic fluffy leather cat tree house car person man woman sky water sun moon "
    "star flower bird horse city street beautiful detailed style portrait landscape cinematic high quality hello world "
    "what who is are was it this that these those and or not for from by as at be have has do does make made image "
    "photograph drawing sketch geometric circle square triangle pyramid background foreground room studio shadow soft "
    "hard yellowish reddish greenish bluish one two three 0 1 2 3 4 5 6 7 8 9 , ; : ! ? ' - ( )").split()


def corpus():
    rng, words = np.random.default_rng(0), list(OTHER_WORDS)
    lines = [caption(rng, sample_scene(rng)) for _ in range(CAPTIONS)]
    rng.shuffle(words)
    lines += [" ".join(rng.permutation(words)[:12]) for _ in range(400)]
    return lines + [c + " " + c.upper() for c in "abcdefghijklmnopqrstuvwxyz"] * 3


def unigram(lines, out):
    """SentencePiece unigram model in which every word of the captions is one piece; returns the vocabulary size."""
    os.makedirs(out, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as text:
        text.write("\n".join(lines))
        text.flush()
        sentencepiece.SentencePieceTrainer.train(
            input=text.name, model_prefix=f"{out}/spiece", model_type="unigram", vocab_size=512, pad_id=0, eos_id=1, unk_id=2,
            bos_id=-1, character_coverage=1.0, hard_vocab_limit=False, num_threads=1, minloglevel=2)
    os.remove(f"{out}/spiece.vocab")
    model = sentencepiece_model_pb2.ModelProto()
    with open(f"{out}/spiece.model", "rb") as f:
        model.ParseFromString(f.read())
    counts = collections.Counter(w for line in lines for w in line.replace(".", " .").split())
    pieces, total = {p.piece: p for p in model.pieces}, sum(counts.values())
    for word, count in counts.most_common():
        if count >= 3 and len(word) > 1:
            kind = sentencepiece_model_pb2.ModelProto.SentencePiece.NORMAL
            piece = pieces.get("\u2581" + word) or model.pieces.add(piece="\u2581" + word, type=kind)
            piece.score = float(np.log(count / total))
    model.trainer_spec.vocab_size = len(model.pieces)
    with open(f"{out}/spiece.model", "wb") as f:
        f.write(model.SerializeToString())
    T5TokenizerFast(vocab=[(p.piece, p.score) for p in model.pieces], extra_ids=0, model_max_length=512,
                    _spm_precompiled_charsmap=model.normalizer_spec.precompiled_charsmap).save_pretrained(out)
    return len(model.pieces)


def byte_symbols():
    """The printable stand-ins of the 256 bytes in GPT-2's and CLIP's vocabularies."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]


def merged(symbols, pair):
    out, i = [], 0
    while i < len(symbols):
        n = 2 if tuple(symbols[i:i + 2]) == pair else 1
        out.append("".join(symbols[i:i + n]))
        i += n
    return tuple(out)


def learn_merges(words):
    """The MERGES most frequent pairs in turn; words: Counter of lower-case words."""
    alphabet = set(byte_symbols())
    split = {w: tuple(w[:-1]) + (w[-1] + "</w>",) for w in words if set(w) <= alphabet}
    merges = []
    while len(merges) < MERGES:
        pairs = collections.Counter()
        for w, s in split.items():
            for p in zip(s, s[1:]):
                pairs[p] += words[w]
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        split = {w: merged(s, best) for w, s in split.items()}
    return merges


def byte_pairs(lines, out):
    """CLIP's tokenizer: 256 bytes, the same at word ends, merges, two specials; returns the vocabulary size."""
    os.makedirs(out, exist_ok=True)
    merges = learn_merges(collections.Counter(w for line in lines for w in line.lower().replace(".", " .").split()))
    symbols = byte_symbols()
    symbols += [c + "</w>" for c in symbols] + ["".join(p) for p in merges] + ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {t: i for i, t in enumerate(symbols)}
    CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77).save_pretrained(out)
    with open(f"{out}/vocab.json", "w") as f:
        json.dump(vocabulary, f, ensure_ascii=False)
    with open(f"{out}/merges.txt", "w") as f:
        f.write("#version: 0.2\n" + "\n".join(" ".join(p) for p in merges) + "\n")
    return len(vocabulary)


if __name__ == "__main__":
    text = corpus()
    print("T5 pieces", unigram(text, f"{sys.argv[1]}/tokenizer_2"), "CLIP tokens", byte_pairs(text, f"{sys.argv[1]}/tokenizer"))
