"""Random scenes: one to three solids of eight colours and four materials on a floor, seen by a fixed camera.

A scene is dict(kind, objects=[{shape, color, material, x, z, s, yaw, gain}], relation, bg, light, floor, wall);
the relation is that of the first object to the second. Lengths are in units of the floor plane, y points up, z to the camera.
"""
import os
import numpy as np

SIZE = int(os.environ.get("DEMO_SIZE", "256"))      # pixels per side: 256, or 128 for the cheap first stage
TOKENS = SIZE // 16                                 # image tokens per side
DATA = f"data{SIZE}"                                # folder of pictures and latents
SHAPES = ["sphere", "cube", "cylinder", "cone"]
COLORS = ["red", "green", "blue", "yellow", "orange", "purple", "cyan", "pink"]
MATERIALS = ["matte", "metal", "striped", "checkered"]
BACKGROUNDS = ["gray", "white", "beige", "dark", "teal"]
RELATIONS = ["left", "right", "front", "behind"]


def linear_rgb(*srgb):
    return (np.array(srgb, np.float32) / 255.0) ** 2.2


RGB = {"red": linear_rgb(214, 30, 34), "green": linear_rgb(36, 160, 52), "blue": linear_rgb(32, 72, 220),
       "yellow": linear_rgb(246, 212, 24), "orange": linear_rgb(244, 120, 12), "purple": linear_rgb(124, 36, 178),
       "cyan": linear_rgb(40, 200, 216), "pink": linear_rgb(250, 130, 180)}
FLOOR_AND_WALL = {"gray": (linear_rgb(168, 170, 174), linear_rgb(150, 154, 162)),
                  "white": (linear_rgb(236, 236, 236), linear_rgb(244, 245, 247)),
                  "beige": (linear_rgb(214, 196, 166), linear_rgb(226, 212, 188)),
                  "dark": (linear_rgb(72, 74, 82), linear_rgb(44, 46, 56)),
                  "teal": (linear_rgb(120, 164, 166), linear_rgb(104, 150, 156))}

EYE = np.array([0.0, 3.55, 6.1], np.float32)
_TARGET = np.array([0.0, 0.42, 0.0], np.float32)
FORWARD = (_TARGET - EYE) / np.linalg.norm(_TARGET - EYE)
RIGHT = np.array([1.0, 0.0, 0.0], np.float32)
UP = np.cross(RIGHT, FORWARD)
HALF_WIDTH = np.float32(np.tan(np.radians(17.2)))   # of the picture plane at distance 1


def project(points):
    """World points [n, 3] -> pixel coordinates [n, 2]."""
    q = np.asarray(points, np.float32) - EYE
    depth = q @ FORWARD
    return np.stack([(q @ RIGHT / depth / HALF_WIDTH + 1) * SIZE / 2,
                     (1 - q @ UP / depth / HALF_WIDTH) * SIZE / 2], -1)


def dimensions(o):
    """(radius or half side, height) of an object."""
    radius, height = {"sphere": (0.74, 1.48), "cube": (0.62, 1.24), "cylinder": (0.60, 1.36), "cone": (0.76, 1.56)}[o["shape"]]
    return radius * o["s"], height * o["s"]


class Draw:
    """Shorthands for one random generator."""

    def __init__(self, rng):
        self.rng = rng

    def choice(self, options):
        return options[int(self.rng.integers(len(options)))]

    def uniform(self, low, high):
        return float(self.rng.uniform(low, high))

    def object(self):
        return dict(shape=self.choice(SHAPES), color=self.choice(COLORS), material=self.choice(MATERIALS),
                    yaw=self.uniform(0, np.pi), gain=self.uniform(0.92, 1.06))


def single(draw):
    o = draw.object()
    o.update(x=draw.uniform(-0.45, 0.45), z=draw.uniform(-0.35, 0.45), s=draw.uniform(1.2, 1.45))
    return [o], None


def pair(draw):
    """Two objects that differ in shape or colour, clearly beside or behind one another."""
    a, b = draw.object(), draw.object()
    while a["shape"] == b["shape"] and a["color"] == b["color"]:
        b = draw.object()
    relation = draw.choice(RELATIONS)
    if relation in ("left", "right"):
        sign = -1 if relation == "left" else 1
        a.update(x=sign * draw.uniform(0.86, 1.12), z=draw.uniform(-0.4, 0.45))
        b.update(x=-sign * draw.uniform(0.86, 1.12), z=draw.uniform(-0.4, 0.45))
    else:
        side = draw.choice([-1, 1])
        near, far = draw.uniform(0.85, 1.1), draw.uniform(-1.35, -1.05)
        a.update(x=side * draw.uniform(0.3, 0.62), z=near if relation == "front" else far)
        b.update(x=-side * draw.uniform(0.3, 0.62), z=far if relation == "front" else near)
    for o in (a, b):
        o["s"] = draw.uniform(0.92, 1.10) if relation in ("left", "right") else draw.uniform(0.84, 0.98)
    return [a, b], relation


def several(draw):
    """Two or three alike in a row."""
    n, o = draw.choice([2, 3]), draw.object()
    row = [-0.95, 0.95] if n == 2 else [-1.35, 0.0, 1.35]
    return [dict(o, x=x + draw.uniform(-0.1, 0.1), z=draw.uniform(-0.25, 0.35),
                 s=(1.0 if n == 2 else 0.74) * draw.uniform(0.96, 1.06), yaw=draw.uniform(0, np.pi)) for x in row], None


def sample_scene(rng):
    """A random scene; equal generators give equal scenes."""
    draw = Draw(rng)
    kind = str(rng.choice(["single", "pair", "count"], p=[0.22, 0.68, 0.10]))
    objects, relation = {"single": single, "pair": pair, "count": several}[kind](draw)
    for o in objects:
        if o["shape"] == "cube":    # two faces in view
            o["yaw"] = draw.choice([0.45, 0.785, 1.12]) + draw.uniform(-0.15, 0.15)
    scene = dict(kind=kind, objects=objects, relation=relation, bg=draw.choice(BACKGROUNDS))
    light = np.array([draw.uniform(-0.75, -0.35), 1.25, draw.uniform(0.35, 0.75)], np.float32)   # upper left, in front
    floor, wall = FLOOR_AND_WALL[scene["bg"]]
    brightness = np.float32(draw.uniform(0.93, 1.05))
    scene.update(light=light / np.linalg.norm(light), floor=floor * brightness, wall=wall * brightness)
    return scene
