"""The language of the scenes: training captions, held-out pairs, and evaluation prompts with their meaning."""
import re
import zlib
import numpy as np
from scenes import COLORS, MATERIALS, RELATIONS, SHAPES

SHAPE_WORDS = {"sphere": ["sphere", "sphere", "ball"], "cube": ["cube", "cube", "box"],
               "cylinder": ["cylinder"], "cone": ["cone"]}
MATERIAL_WORDS = {"matte": ["matte", "matte", "rubber"], "metal": ["metal", "metal", "metallic", "shiny metal"],
                  "striped": ["striped"], "checkered": ["checkered"]}
RELATION_WORDS = {"left": ["to the left of", "on the left of", "left of", "to the left of"],
                  "right": ["to the right of", "on the right of", "right of", "to the right of"],
                  "front": ["in front of"], "behind": ["behind"]}
OPPOSITE = {"left": "right", "right": "left", "front": "behind", "behind": "front"}
PREFIXES = ["", "", "", "", "a photo of ", "a render of ", "a 3d render of ", "an image of "]
NUMBERS = {2: "two", 3: "three"}
CATEGORIES = {"single": ["color", "material"], "color": ["color"], "shape": [], "texture": ["material"],
              "spatial": ["color"], "complex": ["color", "material"], "count": ["color"]}


def plural(word):
    return {"box": "boxes"}.get(word, word + "s")


SAID = SHAPES + COLORS + MATERIALS + RELATIONS  # attributes in the order of the cover targets, then places
NOUNS = {form: shape for shape, words in SHAPE_WORDS.items() for w in words for form in (w, plural(w))}
ADJECTIVES = {**{c: c for c in COLORS}, **{w: m for m, words in MATERIAL_WORDS.items() for w in words}, "shiny": "metal"}
PLACE = re.compile("|".join(RELATIONS))
PHRASE = re.compile(rf"(?:(?:{'|'.join(ADJECTIVES)}) )*\b(?:{'|'.join(NOUNS)})\b", re.IGNORECASE)


def phrases(text):
    """(start, end, what is said as bits of SAID) of each phrase that names an object, "red metal ball"; characters of text.

    What is said of an object is its attributes and, where the text tells, its place beside the other one.
    """
    found = list(PHRASE.finditer(text))
    relation = PLACE.search(text, found[0].end()) if len(found) == 2 else None
    place = relation.group() if relation else None
    for m in found:
        named = [(NOUNS | ADJECTIVES)[word] for word in m.group().lower().split()] + ([place] if place else [])
        yield m.start(), m.end(), sum(1 << SAID.index(a) for a in set(named))
        place = OPPOSITE.get(place)


def pick(rng, options):
    return options[int(rng.integers(len(options)))]


def held_out(objects):
    """True for the unordered pairs (colour shape, colour shape) never shown in training: 1 in 16."""
    if len(objects) != 2:
        return False
    key = "|".join(sorted(f"{o['color']} {o['shape']}" for o in objects))
    return zlib.crc32(key.encode()) % 16 == 0


def phrase(rng, o, attributes, number=None):
    """'a red metal ball': the object o with the named attributes in either order, synonyms drawn at random."""
    words = []
    if "color" in attributes:
        words.append(o["color"])
    if "material" in attributes:
        words.insert(int(rng.integers(2)) if words else 0, pick(rng, MATERIAL_WORDS[o["material"]]))
    noun = pick(rng, SHAPE_WORDS[o["shape"]])
    if number:
        return " ".join([number] + words + [plural(noun)])
    words.append(noun)
    return ("an " if words[0][0] in "aeiou" else "a ") + " ".join(words)


def pair_caption(rng, scene, mode, attributes, joined):
    """Two objects in either order; the share joined of the captions gives no relation."""
    a, b, relation = *scene["objects"], scene["relation"]
    if rng.random() < 0.5:
        a, b, relation = b, a, OPPOSITE[relation]
    if mode > 0.9:      # the two objects mention different attributes
        first = phrase(rng, a, {pick(rng, ["color", "material"])})
        second = phrase(rng, b, {pick(rng, ["color", "material"])})
    else:
        first, second = phrase(rng, a, attributes), phrase(rng, b, attributes)
    r = rng.random()
    if r < joined:
        return f"{first} and {second}"
    if r < joined + 0.08 and relation in ("left", "right"):
        return f"{first} next to {second}"
    if r < joined + 0.16 and relation in ("left", "right"):
        return f"{first} on the {relation} and {second} on the {OPPOSITE[relation]}"
    return f"{first} {pick(rng, RELATION_WORDS[relation])} {second}"


def caption(rng, scene, joined=0.42):
    """One of the many true captions of a scene."""
    mode = rng.random()
    attributes = ({"color", "material"} if mode < 0.5 else {"color"} if mode < 0.72
                  else {"material"} if mode < 0.86 else set())
    objects = scene["objects"]
    if scene["kind"] == "count":
        s = phrase(rng, objects[0], attributes, NUMBERS[len(objects)])
    elif scene["kind"] == "single":
        s = phrase(rng, objects[0], attributes)
    else:
        s = pair_caption(rng, scene, mode, attributes, joined)
    if rng.random() < 0.2:
        s += f" on a {scene['bg']} background"
    s = pick(rng, PREFIXES) + s
    r = rng.random()
    if r < 0.10:
        s = s[0].upper() + s[1:]
    if 0.05 < r < 0.15:
        s += "."
    return s


def text_of(objects, relation, count):
    """The evaluation prompt's sentence."""
    words = [[o[k] for k in ("color", "material") if k in o] + [o["shape"]] for o in objects]
    if count:
        return f"{NUMBERS[count]} {' '.join(words[0])}s"
    nouns = [("an " if w[0][0] in "aeiou" else "a ") + " ".join(w) for w in words]
    if len(nouns) == 1:
        return nouns[0]
    return f"{nouns[0]} {RELATION_WORDS[relation][0] if relation else 'and'} {nouns[1]}"


def unsuitable(category, a, b):
    """Pairs that say too little, and where colours are named all pairs seen in training."""
    if category in ("color", "spatial", "complex"):
        return not held_out([a, b]) or (a["shape"] == b["shape"] and a["color"] == b["color"])
    if category == "shape":
        return a["shape"] == b["shape"]
    return category == "texture" and (a["material"] == b["material"] or a["shape"] == b["shape"])


def evaluation_prompts(category, n, seed=7):
    """n prompts of a category: dict(text, objects=[attributes], relation, count); the same list every time."""
    rng = np.random.default_rng(seed + zlib.crc32(category.encode()) % 1000)
    found, seen, tries = [], set(), 0
    attributes = CATEGORIES[category]
    while len(found) < n:
        tries += 1
        a, b = (dict(shape=pick(rng, SHAPES), color=pick(rng, COLORS), material=pick(rng, MATERIALS)) for _ in range(2))
        relation = count = None
        if category == "single":
            objects = [a]
        elif category == "count":
            count = pick(rng, [2, 3])
            objects = [a] * count
        elif unsuitable(category, a, b):
            continue
        else:
            objects = [a, b]
        if category in ("spatial", "complex"):
            relation = pick(rng, RELATIONS)
        objects = [{k: o[k] for k in ["shape"] + attributes} for o in objects]
        text = text_of(objects, relation, count)
        if text in seen and tries < 40 * n:
            continue
        seen.add(text)
        found.append(dict(text=text, objects=objects, relation=relation, count=count))
    return found
