#!/usr/bin/env python3
"""Records what the reference tokenizers make of hard strings, for internal/tokenizer.

usage: golden_tokens.py FOLDER... OUTPUT.json.gz [--random N] [--seed S] [--sweep NAME,...]

Each FOLDER is the tokenizer folder of a diffusers model, opened as the pipelines open it: CLIPTokenizer if it has
merges, T5TokenizerFast otherwise; files named *.gz in it count unpacked. Recorded are the ids of every string without
truncation, a checksum of its padded and truncated ids for several lengths and, for the folders named by --sweep,
checksums of the ids of all of Unicode that is not uniform, one character at a time in several contexts.

Versions the committed files were made with:
    python 3.11, transformers==5.23.0, tokenizers==0.23.3, sentencepiece==0.2.3, diffusers==0.42.1
"""
import argparse
import gzip
import json
import os
import random
import shutil
import tempfile
import zlib

import transformers

LENGTHS = (3, 8, 32, 77, 256, 512)
CONTEXTS = ("{}", "x{}\u0301y", "{} {}{}", "{}foo{}bar")
BLOCK = 0x1000
# Blocks whose characters are all alike: ideographs, syllables, and planes where nothing is assigned.
UNIFORM = [*range(0x5000, 0x9000, BLOCK), 0xB000, 0xC000, *range(0x21000, 0x29000, BLOCK), *range(0x34000, 0x3F000, BLOCK),
           *(lo for lo in range(0x40000, 0x110000, BLOCK) if lo % 0x10000 and lo >> 16 != 0xE)]

PLAIN = [
    "", " ", "  ", "   ", "a", "a photo of a cat", "A red metal sphere to the left of a blue cube.", "x" * 300,
    "ab" * 150, "!", "!!!", "hello!", "hello !", "a!b!c", "...", "?!?!", "#hashtag @user $5 50% & co. *star* (paren) [x] {y}",
    "\\ / | ~ ` ^ _ + - = < >", "a_b_c", "snake_case camelCase PascalCase SCREAMING", "e-mail@example.com",
    "https://example.com/a?b=c&d=%20e#f", "3.14159", "1234567890", "1,000,000", "2nd 3rd 4th", "v1.2.3-rc4", "\u00bd \u2153 \u2460 \u2160 \u00b2\u00b3",
    "it's", "IT'S", "they're we've I'm you'll he'd don't", "THEY'RE", "'s", "''s", "'''", "'S 'T 'RE 'VE 'M 'LL 'D", "\u2019s it\u2019s",
    "rock 'n' roll", "o'clock's", "'re're", "'sa", "a's'b", "\"quoted\" \u201ccurly\u201d \u2018single\u2019 \u00abguillemets\u00bb",
    " leading", "trailing ", "  two  spaces  ", "\ttab\tseparated\t", "line\nbreak", "crlf\r\nline", "\n\n\n", "a\u00a0b", "a\u0085b",
    "a\u2003b\u2009c\u200ad", "a\u2028b\u2029c", "a\u3000b", "a\u1680b", "a\u202fb\u205fc", "a\u180eb", "a\u200bb", "a\u200cb\u200db",
    "a\u2060b", "\ufeffbom", "bo\ufeffm", "bom\ufeff", "soft\u00adhyphen", "\u200e\u200fmarks\u202a\u202b\u202c\u202d\u202e", "\u0000",
    "a\u0000b", "\u0000\u0000", "a \u0000 b", "\u0001\u0002\u0003", "a\u0007b\u0008c", "\u001b[31mred\u001b[0m", "a\u001cb\u001db\u001eb\u001fb",
    "\u007f", "a\u007fb", "\u0080\u0081\u008f\u009f", "a\u000bb\u000cc", "\ufffd", "a\ufffdb", "\ufffe\uffff", "\U0001fffe\U0010ffff",
    "\ue000\uf8ff", "a\ue000b", "\U000f0000\U00100000", "\ud7ff", "\ue000", "\ufdd0", "\U000e0001\U000e0041", "\ufff9a\ufffab\ufffb",
]

ACCENTS = [
    "caf\u00e9", "cafe\u0301", "\u00c9COLE", "E\u0301COLE", "na\u00efve r\u00e9sum\u00e9", "\u00c5ngstr\u00f6m A\u030angstro\u0308m \u212b",
    "\u1e69", "s\u0323\u0307", "s\u0307\u0323", "\u1e63\u0307", "\u1e61\u0323", "q\u0307\u0323", "q\u0323\u0307", "a\u0301\u0302\u0303\u0304", "e\u0302\u0301 \u1ebf",
    "\u1ec7 e\u0323\u0302 \u1eb9\u0302", "o\u031b\u0323", "a" + "\u0301" * 40, "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034dA\u036b\u0357\u0334\u0362\u0335\u031c\u0330\u0354L",
    "\u0301", "\u0301a", " \u0301", "a \u0301b", "\u0300\u0316\u0334", "\u0344", "\u0340\u0341\u0343", "\u1fc1 \u1fee \u0385", "\u00a8\u0301", "\u00a8\u0300", "\u00b4", "\u00af\u0304",
    "\u0130stanbul", "I\u0307", "i\u0307", "\u0131", "STRASSE \u1e9e \u00df", "\u01c5 \u01c4 \u01c6", "\u03a3\u0391\u03a3 \u03c3\u03b1\u03c2", "\u1f88 \u1fb3 \u1fbc",
    "\u0390 \u03aa\u0301 \u03b9\u0308\u0301", "\u0419\u0439 \u0418\u0306\u0438\u0306", "\u0401\u0451 \u0415\u0308", "\u0958 \u0915\u093c", "\u0931 \u0930\u093c",
    "\u09cb \u09c7\u09be", "\u0b94 \u0b92\u0bd7", "\u0f43 \u0f73 \u0f75 \u0f81", "\u0f71\u0f72\u0f74", "\u1b06 \u1b05\u1b35", "\U0001109a \U00011099\U000110ba",
    "\U0001d15e \U0001d157\U0001d165", "\u2adc", "\ufb1d \ufb2a \ufb4e", "\u05e9\u05bc\u05c1", "\u0627\u0653 \u0622", "\u06c0 \u06d5\u0654", "\u0149", "\u1e9b\u0323",
    "\u2126 \u03a9", "\u212a K k", "\u1e9e", "\ua64a\ua64b", "\u10a0\u2d00", "\u1c90\u10d0", "\u13a0\uab70 \u13f8", "\ua7c5\ua7c6 \ua7ae", "\U00010400\U00010428", "\U0001e900\U0001e922",
]

SCRIPTS = [
    "\u4e00\u53ea\u7ea2\u8272\u7684\u91d1\u5c5e\u7403", "\u4e2d\u6587 \u548c English \u6df7\u5408", "\u6f22\u5b57\uff0c\u6a19\u9ede\u3002\u300c\u5f15\u865f\u300d", "\ufa0e\ufa10\uf900\U0002f800", "\U00020000\U0002a6df\U00030000\U00031350",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c", "\u30ab\u30bf\u30ab\u30ca \u30ac \u30ab\u3099", "\uff76\uff9e", "\uff8a\uff9f\uff8b\uff9f", "\uff76\uff9e\uff77\uff9e\uff78", "\u304b\u3099\u304d\u3099", "\uff71\uff72\uff73\uff74\uff75", "\uff9e\uff9f", "a\uff9e",
    "\u3099\u309a", "\u309b\u309c", "\u3042\u30fc\u30fc\u3063", "\u32d0\u3300\u3350\u337f", "\u3371\u33a5", "\u2ff0\u2e80\u2f00", "\u3131\u3132\u314f", "\uffa1\uffc2",
    "\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "\u1100", "\u1100\u1161", "\uac00\u11a8", "\u1161\u11a8", "\u1100\u1100\u1161\u1161\u11a8\u11a8", "\uac01\u11a8", "\uac00\u11a7", "\u115f\u1160", "\ua960\ud7b0\ud7cb", "\ud55c\u0301",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22", "\u0e19\u0e49\u0e33 \u0e19\u0e33\u0e49", "\u0e40\u0e01\u0e47\u0e1a \u0e01\u0e33\u0e33", "\u0eb3\u0edc\u0edd", "\u1780\u17d2\u1798\u17c2\u179a", "\u1019\u103c\u1014\u103a\u1019\u102c", "\u0f56\u0f7c\u0f51\u0f0b\u0f61\u0f72\u0f42",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u0627\u064e\u0644\u0652\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u064e\u0651\u0629", "\ufefb \ufdfa \ufdf2", "\ufe8d\ufe8e\ufb50", "\u0660\u0661\u0662 \u06f1\u06f2", "\u0600\u0661\u0662", "\u06dd\u0661", "\u0640\u0640", "\u0627\u200c\u0644\u200d",
    "\u05e2\u05d1\u05e8\u05d9\u05ea", "\u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea", "\u05e9\u05c2\u05e9\u05c1", "\ufb20\ufb21", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f", "\u0915\u094d\u200d\u0937", "\u0915\u094d\u200c\u0937", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
    "\u09ac\u09be\u0982\u09b2\u09be", "\u0a2a\u0a70\u0a1c\u0a3e\u0a2c\u0a40", "\u0c24\u0c46\u0c32\u0c41\u0c17\u0c41", "\u0d2e\u0d32\u0d2f\u0d3e\u0d33\u0d02", "\u0d4e\u0d15", "\U000110bd\u0661", "\U000111c2\U00011183",
    "\u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u044f\u0437\u044b\u043a", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8", "\u0540\u0561\u0575\u0565\u0580\u0565\u0576 \u0587", "\u12a0\u121b\u122d\u129b", "\u13e3\u13b3\u13a9", "\u1820\u1828\u180b",
    "Ti\u1ebfng Vi\u1ec7t", "T\u00fcrk\u00e7e \u0130\u0131", "\u0141\u00f3d\u017a", "\U00011f02\U00011f04 \U00016d63\U00016d67", "\U0001e030 \U00010570\U00010597", "\U000105c0 \U00011380 \U00016d40 \U0001ccf0", "\u1c89\u1c8a \ua7cb\ua7da",
    "\u0295\u02b0\u02e4 \u1d2c\u1d43", "\u16a0\u16a1", "\u2801\u2802", "\ua4d0\ua500", "\U00012000\U00013000",
]

SYMBOLS = [
    "\U0001f600", "a\U0001f600b", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1eb\U0001f1f7", "\U0001f1eb\U0001f1f7\U0001f1e9", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f44d\U0001f3fd", "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\u2764\ufe0f", "\u2764", "\u2764\u200d\U0001f525", "1\ufe0f\u20e3", "#\ufe0f\u20e3", "*\u20e3", "\u00a9\ufe0f \u00ae \u2122", "\u2122\u0301", "\u2460\u0301", "\u00bd\u0301", "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f469\U0001f3ff\u200d\U0001f680",
    "\u200d\U0001f600", "\U0001f600\u200d", "\U0001f600\u0301\u200d\U0001f600", "\u263a\ufe0e", "\U0001fae0\U0001fae8\U0001fac6", "\ufb01sh \ufb02y \ufb03x \ufb04 \ufb05 \ufb06", "\ufb01\u0301", "o\ufb03ce", "\uff21\uff22\uff23 \uff41\uff42\uff43", "\uff11\uff12\uff13", "\uff01\uff1f\uff0e\uff0c", "\uffe5\uff04\uff05",
    "\u2026", "a\u2026b", "\u2013 \u2014 \u2015 \u2212", "\u00ad", "\u2022 \u2023 \u25e6", "\u2190\u2191\u2192\u2193", "\u2200x\u2208\u2102", "\u222b \u222c \u222d", "\u00b5 \u03bc", "\u2113 \u210c \u2135", "\u24d0\u24b6\u2474", "\U0001d400\U0001d552\U0001d7d8",
    "x\u00b2+y\u2082", "\u00aa\u00ba", "\u02da\u02dc\u02dd", "\u2017 \u203e \ufe49", "\u2100 \u2105 \u2116", "\u20ac\u00a3\u00a5\u20bf", "\u2580\u2588\u2591", "\u2581", "\u2581a", "a\u2581b", "\u2581\u2581", " \u2581 ", "a \u2581b", "a\u2581", "\u2581\u2581a\u2581\u2581b\u2581",
    "</w>", "a</w>", "\u0120hello", "\u00c4\u0142", "<0x41>", "<0x0A>", "##ing", "\r", "\r\r", "\r\n", "\n\r", "a\r\nb\r\nc", "\r\u0301", "\n\u0301", "\u0085\u0301", "\u200b\u0301", "\u0600\u0301a", "\u0600\r",
]

SPECIALS = [
    "</s>", "<pad>", "<unk>", "<s>", "<extra_id_0>", "<extra_id_5>", "<extra_id_99>", "<extra_id_100>", "<|endoftext|>", "<|startoftext|>",
    "</S>", "<PAD>", "<Unk>", "<EXTRA_ID_5>", "<|ENDOFTEXT|>", "<|StartOfText|>", "<|endoftext |>", "<| endoftext|>", "<|endoftext|", "|endoftext|>", "endoftext",
    "a</s>", "</s>b", "a</s>b", "a </s> b", "a  </s>  b", "</s></s>", "</s> </s>", "a<pad>b<pad>", "a <unk> b", "a<unk>b", "<unk><unk>",
    "a<extra_id_5>b", "a <extra_id_5> b", "a   <extra_id_5>   b", "\n<extra_id_5>\t", "<extra_id_5><extra_id_6>", "<extra_id_5> <extra_id_6>", "\u3000<extra_id_5>\u0085", "<extra_id_5", "<extra_id_05>",
    "a<|endoftext|>b", "a <|endoftext|> b", "A<|STARTOFTEXT|>B", "<|endoftext|><|endoftext|>", "<|endoftext|>!", "!<|endoftext|>", "!<|ENDOFTEXT|>!", "x<|ENDOFTEXT|>'s", "<|startoftext|>a photo<|endoftext|>",
    "\uff1c/s\uff1e", "\uff1c\uff5cendoftext\uff5c\uff1e", "<\u0301/s>", "</s\u0301>", "</s>\u0301", "<|endoftext|>\u0301", "\u0301<|endoftext|>", "e\u0301</s>e\u0301", "\ufeff</s>", "\u200b</s>\u200b",
    "foo Foo FOO xfoo foox foo. (foo) foo-bar foo_bar foo9 \u00e9foo foo\u00e9", "bar  bar\tbar", "  bar  ", "xbarx", "BAZ baz Baz \uff42\uff41\uff5a", "qux\u0301 qux", "<new> <new><new>", "a<new>b", "qz aqz", "aqzzb",
]


def long_prompts(rng):
    words = "a very detailed oil painting of an old lighthouse on the rocky coast at night under two moons".split()
    out = []
    for n in (70, 74, 75, 76, 77, 78, 150, 300, 600):
        out.append(" ".join(rng.choice(words) for _ in range(n)))
    out.append("\u6f22\u5b57\u304b\u306a" * 60)
    out.append("\U0001f600" * 100)
    out.append("e\u0301\u0323" * 120)
    out.append(" ".join("\u00c9t\u00e9" for _ in range(90)) + "  tail \u00e9nd")
    out.append("</s> a " * 40)
    return out


def random_strings(rng, count):
    """Strings that mix hard pieces, characters of one block and characters from anywhere."""
    pool = "".join(PLAIN + ACCENTS + SCRIPTS + SYMBOLS)
    pieces = SPECIALS + ACCENTS + SYMBOLS + ["'s", " ", "  ", "a", "the", "Cat"]
    marks = [chr(c) for c in (*range(0x300, 0x370), 0x3099, 0x309a, 0x200d, 0xfe0f, 0x20e3, 0x94d, 0x93c, 0x5bc, 0x1161, 0x11a8, 0x1f3fd)]

    def anywhere():
        while True:
            c = rng.choice((rng.randrange(0x3000), rng.randrange(0x10000), rng.randrange(0x20000), rng.randrange(0x110000)))
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    out = []
    for _ in range(count):
        kind, n = rng.randrange(5), rng.choice((1, 2, 3, 5, 9, 17, 33))
        if kind == 0:
            out.append("".join(anywhere() for _ in range(n)))
        elif kind == 1:
            out.append("".join(rng.choice(pool) for _ in range(n)))
        elif kind == 2:
            out.append("".join(rng.choice(pieces) for _ in range(min(n, 9))))
        elif kind == 3:
            out.append("".join(rng.choice(pool) + rng.choice(marks) * rng.randrange(3) for _ in range(n)))
        else:
            base = ord(anywhere()) & ~0x7F
            out.append("".join(c for c in (chr(base + rng.randrange(0x80)) for _ in range(n)) if not "\ud800" <= c < "\ue000"))
    return out


def unpacked(folder):
    """A copy of folder without compressed files."""
    copy = tempfile.mkdtemp()
    for name in sorted(os.listdir(folder)):
        opened = gzip.open if name.endswith(".gz") else open
        with opened(os.path.join(folder, name), "rb") as src, open(os.path.join(copy, name.removesuffix(".gz")), "wb") as dst:
            shutil.copyfileobj(src, dst)
    return copy


def open_tokenizer(folder):
    path = os.path.join(folder, "tokenizer.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            clip = "merges" in json.load(f)["model"]
    else:
        clip = os.path.exists(os.path.join(folder, "merges.txt"))
    cls = transformers.CLIPTokenizer if clip else transformers.T5TokenizerFast
    return ("clip" if clip else "t5"), cls.from_pretrained(folder)


def checksum(ids):
    return zlib.crc32(",".join(map(str, ids)).encode())


def fixed(tokenizer, text, n):
    """As FluxPipeline and StableDiffusion3Pipeline call their tokenizers."""
    return tokenizer([text], padding="max_length", max_length=n, truncation=True).input_ids[0]


def sweep(tokenizer):
    """For each block of code points, the checksums of the ids of its characters in each context."""
    rows = []
    for lo in range(0, 0x110000, BLOCK):
        chars = [chr(c) for c in range(lo, lo + BLOCK) if not 0xD800 <= c < 0xE000]
        if chars and lo not in UNIFORM:
            rows.append([lo] + [checksum([i for c in chars for i in tokenizer(context.replace("{}", c)).input_ids])
                                for context in CONTEXTS])
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("output")
    parser.add_argument("--random", type=int, default=150)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--sweep", default="clip-odd,t5-nmt")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    strings = PLAIN + ACCENTS + SCRIPTS + SYMBOLS + SPECIALS + long_prompts(rng) + random_strings(rng, args.random)
    golden = {"transformers": transformers.__version__, "lengths": LENGTHS, "contexts": CONTEXTS, "block": BLOCK,
              "strings": strings, "folders": []}
    for folder in args.folders:
        name = os.path.basename(os.path.normpath(folder))
        copy = unpacked(folder)
        kind, tokenizer = open_tokenizer(copy)
        shutil.rmtree(copy)
        golden["folders"].append({
            "name": name,
            "kind": kind,
            "ids": [tokenizer(s).input_ids for s in strings],
            "fixed": [[checksum(fixed(tokenizer, s, n)) for n in LENGTHS] for s in strings],
            "sweep": sweep(tokenizer) if name in args.sweep.split(",") else [],
        })
        print(folder, kind, len(strings), "strings")
    with open(args.output, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as f:
        f.write(json.dumps(golden, separators=(",", ":")).encode())


main()
