#!/usr/bin/env python3
"""Writes unicode.txt, the character tables of package tokenizer.

The reference tokenizers carry four different versions of Unicode. Their answers are asked for,
one code point at a time, so that ids do not depend on the version Go happens to ship.

    letter, number   \\p{L} and \\p{N} of Oniguruma              asked from tokenizers==0.23.3
    word             \\w of Rust's regex crate                   asked from tokenizers==0.23.3
    lower            lower case of Rust's standard library      asked from tokenizers==0.23.3
    class, compose   canonical combining class, decomposition   asked from tokenizers==0.23.3
    grapheme         properties of UAX #29                      tables.rs of unicode-segmentation==1.13.3

usage: unicode_tables.py path/to/unicode-segmentation-1.13.3/src/tables.rs unicode.txt
"""
import re
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
CHARS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
OMITTED = ("GC_CR", "GC_LF", "GC_LV", "GC_LVT")  # computed by grapheme.go, where it is shorter


def ranges(members):
    """Half-open runs of equal, adjacent values as (lo, hi, value), hi included."""
    out = []
    for c, value in members:
        if out and out[-1][1] == c - 1 and out[-1][2] == value:
            out[-1][1] = c
        else:
            out.append([c, c, value])
    return out


def write_ranges(f, name, members):
    print("#", name, file=f)
    for lo, hi, value in ranges(members):
        print(f"{lo:x}" if lo == hi else f"{lo:x}-{hi:x}", *([] if value is True else [value]), file=f)


def matching(regex):
    split = pre_tokenizers.Split(Regex(regex), "removed", invert=True)
    return [(ord(c), True) for c in CHARS if split.pre_tokenize_str(c)]


def word():
    # Whitespace splits by \w+|[^\w\s]+: a word character stays attached to a letter.
    split = pre_tokenizers.Whitespace()
    return [(ord(c), True) for c in CHARS if len(split.pre_tokenize_str("a" + c)) == 1 and not c.isspace()
            and split.pre_tokenize_str(c)]


def write_lower(f):
    """Runs lo-hi step delta: lo, lo+step, .. hi each move by delta. One character has a longer image."""
    lower = normalizers.Lowercase()
    moves, longer = [], []
    for c in CHARS:
        low = lower.normalize_str(c)
        if low != c:
            (moves if len(low) == 1 else longer).append((ord(c), low))
    assert [(c, low) for c, low in longer] == [(0x130, "i\u0307")], longer
    print("# lower", file=f)
    runs = []
    for c, low in moves:
        delta = ord(low) - c
        if runs and runs[-1][3] == delta:
            lo, hi, step, _ = runs[-1]
            if c - hi in (1, 2) and step in (0, c - hi):
                runs[-1][1:3] = c, c - hi
                continue
        runs.append([c, c, 0, delta])
    for lo, hi, step, delta in runs:
        print(f"{lo:x}-{hi:x} {step or 1} {delta}", file=f)


def write_normalization(f):
    nfc, nfd = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
    # The combining class of an assigned character never changes between versions, but a character younger than the
    # reference's tables has class 0 there: then nothing moves across it.
    classes = []
    for c in CHARS:
        k = unicodedata.combining(c)
        if k == 0:
            continue
        moves = nfd(c + "\u0334") != c + "\u0334" if k > 1 else nfd("\u0301" + c) != "\u0301" + c
        if moves:
            classes.append((ord(c), k))
    write_ranges(f, "class", classes)
    print("# compose", file=f)
    for c in CHARS:
        d = nfd(c)
        if d == c or 0xAC00 <= ord(c) < 0xD7A4:
            continue
        if nfc(d) == c and len(d) > 1:
            pair = nfc(d[:-1]) + d[-1]
            assert len(pair) == 2 and nfc(pair) == c, hex(ord(c))
            print(*(f"{ord(x):x}" for x in c + pair), file=f)
        else:  # is taken apart and never put together
            print("!", *(f"{ord(x):x}" for x in c + d), file=f)


def write_graphemes(f, source):
    table = source[source.index("pub mod grapheme"):]
    table = table[table.index("grapheme_cat_table"):table.index("];", table.index("grapheme_cat_table: &[(char"))]
    row = re.compile(r"\('\\u\{([0-9a-f]+)\}',\s*'\\u\{([0-9a-f]+)\}',\s*(GC_\w+)\)")
    members = [(c, cat) for lo, hi, cat in row.findall(table) if cat not in OMITTED
               for c in range(int(lo, 16), int(hi, 16) + 1)]
    write_ranges(f, "grapheme", sorted((c, cat[3:]) for c, cat in members))
    span = re.compile(r"\('\\u\{([0-9a-f]+)\}',\s*'\\u\{([0-9a-f]+)\}'\)")
    start = source.index("InCB_Extend_table")
    extend = source[start:source.index("];", start)]
    write_ranges(f, "conjunct extend", sorted((c, True) for lo, hi in span.findall(extend)
                                              for c in range(int(lo, 16), int(hi, 16) + 1)))
    start = source.index("fn is_incb_linker")
    linkers = re.findall(r"'\\u\{([0-9A-F]+)\}'", source[start:source.index("}\n", source.index("matches!", start))])
    write_ranges(f, "conjunct linker", sorted((int(c, 16), True) for c in linkers))


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        source = f.read()
    with open(sys.argv[2], "w", encoding="ascii", newline="\n") as f:
        print("Character tables of the reference tokenizers, from the Unicode Character Database (unicode.org/ucd).",
              file=f)
        print("Written by testdata/unicode_tables.py; hexadecimal code points, decimal values.", file=f)
        write_ranges(f, "letter", matching(r"\p{L}"))
        write_ranges(f, "number", matching(r"\p{N}"))
        write_ranges(f, "word", word())
        write_lower(f)
        write_normalization(f)
        write_graphemes(f, source)


main()
