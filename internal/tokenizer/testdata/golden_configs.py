#!/usr/bin/env python3
"""Writes configs.json.gz: how the reference reads the small files of a tokenizer folder.

Random tokenizer_config.json, special_tokens_map.json, added_tokens.json and added_tokens of tokenizer.json are put on top
of the vocabularies in folders/. Recorded are the small files and a checksum of the padded ids of some strings, or that
the reference refuses the folder.

Made with transformers==5.23.0, tokenizers==0.23.3:    golden_configs.py configs.json.gz
"""
import gzip
import json
import os
import random
import shutil
import sys
import tempfile
import zlib

import transformers

transformers.logging.set_verbosity(50)
HERE = os.path.dirname(os.path.abspath(__file__))
CASES, LENGTHS = 300, (9, 40)
STRINGS = [
    "a cat </s> b <pad>", "A<|ENDOFTEXT|>b <|endoftext|> c!<|startoftext|> !",
    "<extra_id_0> x <extra_id_1>\u00a0<extra_id_99> <extra_id_100>",
    "foo FOO xfoo foo. bar  bar BAZ baz qux <new> e\u0301 \u00e9", "</S> <unk> <s> <mask> <end> <fill> tok1 Tok2", "word " * 12,
]
TOKENS = ["<pad>", "</s>", "<unk>", "<s>", "!", "<|endoftext|>", "<|startoftext|>", "<mask>", "<end>", "foo", "BAZ", "qux",
          "e\u0301", "tok1", "<extra_id_0>", "<extra_id_1>", "bar"]
ROLES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "my_token"]
rng = random.Random(3)


def likely(p):
    return rng.random() < p


def token():
    return rng.choice(TOKENS)


def properties(content):
    object = {"content": content, "lstrip": likely(.3), "rstrip": likely(.3), "single_word": likely(.2)}
    if likely(.8):
        object["normalized"] = likely(.5)
    return object


def value(content):
    return content if likely(.6) else {"__type": "AddedToken", **properties(content)}


def plain_or_object(content):
    return content if likely(.5) else properties(content)


def config():
    c = {role: value(token()) for role in ROLES if likely(.3)}
    for side in ("padding_side", "truncation_side"):
        if likely(.2):
            c[side] = rng.choice(("left", "right"))
    if likely(.15):
        c["split_special_tokens"] = likely(.7)
    if likely(.3):
        c["extra_ids"] = rng.choice((0, 1, 2, 3, 100))
    if likely(.5):
        c["extra_special_tokens"] = rng.choice(([], [value(t) for t in rng.sample(TOKENS, 3)]))
    elif "my_token" not in c and likely(.2):
        c["extra_special_tokens"] = {"my_token": token()}
    if likely(.25):
        c["additional_special_tokens"] = rng.choice(
            ([value(t) for t in rng.sample(TOKENS, 3)], ["<extra_id_0>", "<extra_id_1>"]))
    if likely(.4):
        c["added_tokens_decoder"] = {
            str(rng.choice((0, 1, 2, 5, 300, 1500, 5000, 5001))): {**properties(t), "special": likely(.6)}
            for t in rng.sample(TOKENS, rng.randrange(4))}
    return c


def special_map():
    m = {role: plain_or_object(token()) for role in ROLES if likely(.35)}
    if likely(.3):
        m["additional_special_tokens"] = rng.sample(TOKENS, 2)
    if likely(.1):
        m["extra_special_tokens"] = [plain_or_object(t) for t in rng.sample(TOKENS, 2)]
    return m


def added_tokens():
    return [{"id": rng.choice((0, 1, 2, 500, 1499, 1500, 1600, 9000)) + i, "special": likely(.6), "normalized": likely(.4),
             "content": t, "lstrip": likely(.3), "rstrip": likely(.3), "single_word": likely(.2)}
            for i, t in enumerate(rng.sample(TOKENS, rng.randrange(5)))]


def case():
    base = rng.choice(("clip-bare", "clip-json", "t5-ident", "t5-bytes", "t5-saved"))
    c = {"base": base, "files": {}}
    if likely(.85):
        c["files"]["tokenizer_config.json"] = config()
    if likely(.5):
        c["files"]["special_tokens_map.json"] = special_map()
    if likely(.3):
        c["files"]["added_tokens.json"] = {t: 3000 + i * rng.choice((1, -1)) for i, t in enumerate(rng.sample(TOKENS, 2))}
    if base in ("clip-json", "t5-saved"):
        c["added_tokens"] = added_tokens()
    return c


def answer(c, folder):
    source = os.path.join(HERE, "folders", c["base"])
    for name in ("vocab.json", "merges.txt", "spiece.model"):
        if os.path.exists(os.path.join(source, name)):
            shutil.copy(os.path.join(source, name), folder)
    files = dict(c["files"])
    if "added_tokens" in c:
        with open(os.path.join(source, "tokenizer.json"), encoding="utf-8") as f:
            files["tokenizer.json"] = {**json.load(f), "added_tokens": c["added_tokens"]}
    for name, content in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(content, f)
    cls = transformers.CLIPTokenizer if c["base"].startswith("clip") else transformers.T5TokenizerFast
    try:
        tokenizer = cls.from_pretrained(folder)
        ids = [tokenizer([s], padding="max_length", max_length=n, truncation=True).input_ids[0]
               for s in STRINGS for n in LENGTHS]
    except Exception:
        return None
    return [zlib.crc32(",".join(map(str, row)).encode()) for row in ids]


def main():
    cases = []
    for _ in range(CASES):
        c = case()
        with tempfile.TemporaryDirectory() as folder:
            c["want"] = answer(c, folder)
        cases.append(c)
    with open(sys.argv[1], "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as f:
        f.write(json.dumps({"strings": STRINGS, "lengths": LENGTHS, "cases": cases}, separators=(",", ":")).encode())
    print(len(cases), "cases,", sum(c["want"] is None for c in cases), "refused")


main()
