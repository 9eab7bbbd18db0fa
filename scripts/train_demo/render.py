"""Analytic ray caster for the scenes: solids with soft shadows, patterns and studio reflections, 3x3 samples per object pixel.

usage: render.py    draws 48 scenes -> renders.png
"""
import numpy as np
from scenes import EYE, FORWARD, HALF_WIDTH, RIGHT, RGB, SIZE, UP, dimensions, project, sample_scene
from solids import intersect, pattern

SAMPLES = 3


def camera_rays(n):
    """Unit directions [3, n, n] through the pixels of an n x n picture."""
    a = ((np.arange(n, dtype=np.float32) + 0.5) / n * 2 - 1) * HALF_WIDTH
    x, y = np.meshgrid(a, -a)
    d = FORWARD[None, None] + x[..., None] * RIGHT + y[..., None] * UP
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    return np.ascontiguousarray(np.moveaxis(d, -1, 0), dtype=np.float32)


PIXEL_RAYS, SAMPLE_RAYS = camera_rays(SIZE), camera_rays(SIZE * SAMPLES)


def smooth(a, b, x):
    """Smoothstep from 0 at a to 1 at b."""
    t = np.clip((x - a) * (1.0 / (b - a)), 0, 1)
    return t * t * (3 - 2 * t)


def silhouette_distance(o, x, z, along, across, direction, slope):
    """Signed distance on the floor to the shadow of o; (x, z) is relative to o, along and across are relative to the light."""
    (ex, ez), (r, h) = direction, dimensions(o)
    length = slope * h
    if o["shape"] == "sphere":
        g = np.float32(1 / np.sqrt(1 + slope * slope))
        return np.sqrt(((along - slope * r) * g) ** 2 + across * across) - r
    if o["shape"] == "cylinder":
        return np.sqrt((along - np.clip(along, 0, length)) ** 2 + across * across) - r
    if o["shape"] == "cone":
        sine = min(r / length, 0.98)    # of the tangents from the base disc to the tip
        cosine = np.sqrt(1 - sine * sine)
        d = np.maximum((np.abs(across) * cosine + along * sine) - r, along - length)
        return np.where(np.abs(across) * sine < along * cosine, d, np.sqrt(along * along + across * across) - r)
    c, s = np.cos(o["yaw"]), np.sin(o["yaw"])
    lx, lz = x * c + z * s, z * c - x * s
    dx, dz = length * (ex * c + ez * s), length * (ez * c - ex * s)
    d = np.maximum(np.abs(lx - dx / 2) - (r + abs(dx) / 2), np.abs(lz - dz / 2) - (r + abs(dz) / 2))
    width = r * (abs(ex * c + ez * s) + abs(ez * c - ex * s))
    return np.maximum(d, np.abs(across) - width)


def visibility(px, pz, objects, light, contact=True):
    """How much light, 0..1, reaches the floor points (px, pz)."""
    lit = np.ones_like(px)
    k = np.array([-light[0] / light[1], -light[2] / light[1]], np.float32)
    slope = float(np.hypot(*k)) + 1e-6
    ex, ez = k / slope
    for o in objects:
        r, h = dimensions(o)
        x, z = px - np.float32(o["x"]), pz - np.float32(o["z"])
        along, across = x * ex + z * ez, z * ex - x * ez
        t = np.clip(along * (1.0 / (slope * h)), 0, 1.3)
        d = silhouette_distance(o, x, z, along, across, (ex, ez), slope)
        lit *= 1 - (0.80 - 0.25 * t) * smooth(1.0, -1.0, d / (0.05 + 0.16 * t))
        if contact:
            base = r * (0.35 if o["shape"] == "sphere" else 1.05)
            lit *= 1 - 0.42 * np.exp(-np.maximum(np.sqrt(x * x + z * z) - base, 0) * (3.2 / r))
    return lit


def floor_and_wall(px, pz, lit, scene):
    """Colour channels of the surroundings at floor points: the floor fades into the wall far behind."""
    floor, wall = scene["floor"], scene["wall"]
    q = px * px * 0.8 + (pz - 0.3) ** 2
    fall = 1.08 * np.exp(q * -0.013) * (0.36 + 0.64 * lit)
    far = smooth(-2.0, -7.5, pz)
    return [fall * (floor[c] * (1 - far)) + wall[c] * far * 0.92 for c in range(3)]


def background(scene):
    t = -EYE[1] / np.minimum(PIXEL_RAYS[1], -0.03)
    px, pz = PIXEL_RAYS[0] * t, EYE[2] + PIXEL_RAYS[2] * t
    return np.stack(floor_and_wall(px, pz, visibility(px, pz, scene["objects"], scene["light"]), scene), -1)


def metal(scene, o, point, reflected, fresnel, highlight, lit):
    """Reflections of floor, wall, two strip lights and a soft box, tinted by the object's colour."""
    (x, y, z), (rx, ry, rz), wall = point, reflected, scene["wall"]
    base = RGB[o["color"]] * o.get("gain", 1.0)
    t = y / np.maximum(-ry, 0.02)
    fx, fz = x + rx * t, z + rz * t
    below = floor_and_wall(fx, fz, visibility(fx, fz, scene["objects"], scene["light"], contact=False), scene)
    cube = o["shape"] == "cube"
    near = 0.75 if cube else 0.25       # close lights: their reflection moves across flat faces
    azimuth = np.arctan2(rx + near * (x - o["x"]), rz + 1e-6 + near * (z - o["z"])) + (0.35 * (y - 0.6) if cube else 0)
    sky = smooth(0.0, 0.9, ry)
    box = 2.6 * highlight ** 40 + 1.2 * smooth(0.25, 0.5, ry) * smooth(0.95, 0.7, ry) * smooth(-0.15, 0.15, rz)
    strip = smooth(0.30, 0.10, np.abs(azimuth + 0.62)) * 1.25 + smooth(0.20, 0.08, np.abs(azimuth - 0.95)) * 0.7
    strip = strip * (0.35 + 0.65 * lit) * smooth(-0.95, -0.35, ry) * smooth(0.85, 0.3, ry)
    dark = 0.55 + 0.6 * smooth(0.0, 1.3, y)
    out = []
    for k in range(3):
        above = wall[k] * (1 - sky) * 0.75 + 0.16 * sky + box * (0.35 + 0.65 * lit)
        light = np.where(ry > 0, above, below[k] * dark) + strip
        out.append(light * (base[k] * (1 - fresnel) * 0.95 + 0.03 + fresnel * 0.8) + 0.06 * base[k])
    return out


def diffuse(scene, o, local, normal, y, ny, facing, highlight, fresnel, lit):
    """Matte, striped and checkered surfaces; the patterned ones are glossy."""
    base = RGB[o["color"]] * o.get("gain", 1.0)
    second = None if o["material"] == "matte" else pattern(o, local, normal)
    other = np.float32(0.86 if o["material"] == "striped" else 0.015)
    occlusion = 0.45 + 0.55 * smooth(-0.1, 0.55, y)
    hemisphere = 0.5 + 0.5 * ny
    direct = np.maximum(facing, 0) * 1.05 * lit
    gloss = (0.0 if second is None else 0.55) * highlight ** 36 * lit
    out = []
    for k in range(3):
        albedo = base[k] if second is None else np.where(second, other, base[k])
        ambient = (0.34 * hemisphere + 0.42 * (1 - hemisphere) * scene["floor"][k]) * occlusion
        out.append(albedo * (direct + ambient) + gloss + fresnel * 0.10 * scene["wall"][k])
    return out


def shade(scene, i, rays, local, normal):
    """Linear colour channels of object i where the rays meet it; all arguments are triples of 1-D arrays."""
    objects, light = scene["objects"], scene["light"]
    o, (dx, dy, dz) = objects[i], rays
    c, s = np.float32(np.cos(o["yaw"])), np.float32(np.sin(o["yaw"]))
    nx, ny, nz = normal[0] * c - normal[2] * s, normal[1], normal[2] * c + normal[0] * s
    x, y, z = local[0] * c - local[2] * s + o["x"], local[1], local[2] * c + local[0] * s + o["z"]
    facing = nx * light[0] + ny * light[1] + nz * light[2]
    casting = [q for j, q in enumerate(objects)     # those nearer to the light
               if j != i and (q["x"] - o["x"]) * light[0] + (q["z"] - o["z"]) * light[2] >= 0.2]
    lit = 1.0
    if casting:
        lit = visibility(x - y * (light[0] / light[1]), z - y * (light[2] / light[1]), casting, light, contact=False)
    towards = -(nx * dx + ny * dy + nz * dz)
    rx, ry, rz = dx + 2 * towards * nx, dy + 2 * towards * ny, dz + 2 * towards * nz
    highlight = np.maximum(rx * light[0] + ry * light[1] + rz * light[2], 0)
    fresnel = (1 - np.clip(towards, 0, 1)) ** 4
    if o["material"] == "metal":
        return metal(scene, o, (x, y, z), (rx, ry, rz), fresnel, highlight, lit)
    return diffuse(scene, o, local, normal, y, ny, facing, highlight, fresnel, lit)


def window(o):
    """Pixel rows and columns that hold the whole object."""
    r, h = dimensions(o)
    e = r * 1.42 if o["shape"] == "cube" else r
    corners = project([[o["x"] + a * e, b, o["z"] + q * e] for a in (-1, 1) for q in (-1, 1) for b in (0, h)])
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, SIZE - 1)
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 1, SIZE)
    return slice(y0, y1), slice(x0, x1)


def render(scene):
    """(uint8 picture [SIZE, SIZE, 3], visible cover per object [n, SIZE, SIZE] in ninths)."""
    image, objects = background(scene), scene["objects"]
    cover = np.zeros((len(objects), SIZE, SIZE), np.uint8)
    for i in sorted(range(len(objects)), key=lambda i: objects[i]["z"]):
        rows, cols = window(objects[i])
        height, width = rows.stop - rows.start, cols.stop - cols.start
        fine = lambda s: slice(s.start * SAMPLES, s.stop * SAMPLES)
        d = SAMPLE_RAYS[:, fine(rows), fine(cols)].reshape(3, -1)
        t, p, n = intersect(objects[i], d[0], d[1], d[2])
        k = np.flatnonzero(t < 1e8)
        color = shade(scene, i, d[:, k], [a[k] for a in p], [a[k] for a in n])
        sums = np.zeros((4, height * SAMPLES * width * SAMPLES), np.float32)
        for c in range(3):
            sums[c, k] = np.minimum(color[c], 1.15)     # clamped before averaging, so that edges of highlights stay clean
        sums[3, k] = 1
        mean = sums.reshape(4, height, SAMPLES, width, SAMPLES).sum((2, 4)) * np.float32(1 / SAMPLES ** 2)
        alpha = mean[3]
        image[rows, cols] = image[rows, cols] * (1 - alpha[..., None]) + np.moveaxis(mean[:3], 0, -1)
        cover[:, rows, cols] = (cover[:, rows, cols] * (1 - alpha)).astype(np.uint8)
        cover[i, rows, cols] = np.maximum(cover[i, rows, cols], (alpha * SAMPLES ** 2).astype(np.uint8))
    image = np.clip(image, 0, 1) ** np.float32(1 / 2.2)
    return (image * 255 + 0.5).astype(np.uint8), cover


if __name__ == "__main__":
    from pictures import grid
    generator = np.random.default_rng(1)
    grid(np.stack([render(sample_scene(generator))[0] for _ in range(48)]), 8).save("renders.png")
