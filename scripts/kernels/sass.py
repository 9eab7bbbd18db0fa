"""Reads machine code: the innermost loop of a kernel that multiplies on tensor
cores, and how many instructions it spends on each multiplication."""

import collections
import re

MULTIPLY = ("HMMA", "QMMA", "OMMA")


def functions(text):
    """Yields (name, [(address, instruction)])."""
    name, code = None, []
    for line in text.splitlines():
        found = re.search(r"Function : (\S+)", line)
        if found:
            if name:
                yield name, code
            name, code = found.group(1), []
            continue
        found = re.match(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?);", line)
        if found and name:
            code.append((int(found.group(1), 16), found.group(2).strip()))
    if name:
        yield name, code


def split(instruction):
    """(predicate or None, opcode)."""
    found = re.match(r"@(!?U?P\w+)\s+(.*)", instruction)
    if found:
        return found.group(1), found.group(2).split()[0]
    return None, instruction.split()[0]


def multiplies(instruction):
    return split(instruction)[1].startswith(MULTIPLY)


def hot_loop(code):
    """The instructions of one round of the innermost loop with tensor-core
    products, along the path with most of them, then most copies, then fewest
    instructions: the way of a tile that nothing special happens to. None where
    there is no such loop."""
    index = {address: i for i, (address, _) in enumerate(code)}
    target = lambda s: index.get(int(m.group(1), 16)) if (m := re.search(r"0x([0-9a-f]+)\s*$", s)) else None
    loops = []
    for i, (_, s) in enumerate(code):
        if split(s)[1].startswith("BRA") and (to := target(s)) is not None and to < i:
            count = sum(multiplies(x) for _, x in code[to : i + 1])
            if count:
                loops.append((count, to, i))
    if not loops:
        return None
    most = max(count for count, _, _ in loops)
    _, begin, end = min((loop for loop in loops if loop[0] >= most / 2), key=lambda loop: loop[2] - loop[1])
    length = end - begin + 1
    best, before = [None] * (length + 1), [None] * (length + 1)
    best[0] = (0, 0, 0)
    for k in range(length):
        if best[k] is None:
            continue
        s = code[begin + k][1]
        predicate, opcode = split(s)
        reached = (best[k][0] + multiplies(s), best[k][1] + opcode.startswith("LDGSTS"), best[k][2] - 1)
        follow = [k + 1]
        if opcode.startswith("BRA"):
            to = target(s)
            conditional = predicate or ".DIV" in opcode or re.search(r"BRA\S*\s+!?U?P\d", s)
            follow = [k + 1] if conditional and k < length - 1 else []
            if k == length - 1:
                follow = [length]
            elif to is not None and begin + k < to <= end:
                follow.append(to - begin)
        elif opcode.startswith("EXIT") and not predicate:
            follow = []
        for n in follow:
            if best[n] is None or reached > best[n]:
                best[n], before[n] = reached, k
    path, n = [], length
    while n:
        n = before[n]
        path.append(code[begin + n][1])
    return path[::-1]


def mix(path):
    """How many instructions of each opcode."""
    return collections.Counter(split(s)[1].split(".")[0] for s in path)
