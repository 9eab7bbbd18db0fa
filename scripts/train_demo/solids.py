"""Sphere, cube, cylinder and cone: where rays from the camera meet them, and the patterns on their surfaces."""
import numpy as np
from scenes import EYE, dimensions

MISS = np.float32(1e9)


def intersect(o, dx, dy, dz):
    """(distance, MISS where there is none; local position; local normal). Local: base centre at 0, yaw taken out."""
    r, h = dimensions(o)
    c, s = np.float32(np.cos(o["yaw"])), np.float32(np.sin(o["yaw"]))
    ex, ez = -o["x"], EYE[2] - o["z"]
    origin = np.float32(ex * c + ez * s), EYE[1], np.float32(ez * c - ex * s)
    ray = dx * c + dz * s, dy, dz * c - dx * s
    return {"sphere": sphere, "cube": cube, "cylinder": cylinder, "cone": cone}[o["shape"]](origin, ray, r, h)


def along(origin, ray, t):
    return tuple(o + d * t for o, d in zip(origin, ray))


def sphere(origin, ray, r, h):
    (ox, oy, oz), (dx, dy, dz) = origin, ray
    b = ox * dx + (oy - r) * dy + oz * dz
    q = b * b - (ox * ox + (oy - r) ** 2 + oz * oz - r * r)
    t = np.where(q > 0, -b - np.sqrt(np.maximum(q, 0)), MISS)
    x, y, z = along(origin, ray, t)
    return t, (x, y, z), (x / r, (y - r) / r, z / r)


def cube(origin, ray, r, h):
    (ox, oy, oz), (dx, dy, dz) = origin, ray
    ix, iy, iz = 1 / (dx + 1e-9), 1 / (dy + 1e-9), 1 / (dz + 1e-9)
    tx, ty, tz = (-np.sign(dx) * r - ox) * ix, (h - oy) * iy, (-np.sign(dz) * r - oz) * iz
    fx, fy, fz = (np.sign(dx) * r - ox) * ix, -oy * iy, (np.sign(dz) * r - oz) * iz
    enter, leave = np.maximum(np.maximum(tx, ty), tz), np.minimum(np.minimum(fx, fy), fz)
    t = np.where(enter < leave, enter, MISS)
    on_x, on_y = enter == tx, enter == ty
    on_z = ~(on_x | on_y)
    normal = np.where(on_x, -np.sign(dx), 0), np.where(on_y, np.float32(1), 0), np.where(on_z, -np.sign(dz), 0)
    return t, along(origin, ray, t), normal


def cylinder(origin, ray, r, h):
    (ox, oy, oz), (dx, dy, dz) = origin, ray
    a, b = dx * dx + dz * dz, ox * dx + oz * dz
    q = b * b - a * (ox * ox + oz * oz - r * r)
    side = np.where(q > 0, (-b - np.sqrt(np.maximum(q, 0))) / a, MISS)
    y = oy + dy * side
    side = np.where((y >= 0) & (y <= h), side, MISS)
    top = (h - oy) / dy
    x, z = ox + dx * top, oz + dz * top
    top = np.where((x * x + z * z < r * r) & (dy < 0), top, MISS)
    cap = top < side
    t = np.minimum(side, top)
    x, y, z = along(origin, ray, t)
    return t, (x, y, z), (np.where(cap, 0, x / r), cap.astype(np.float32), np.where(cap, 0, z / r))


def cone(origin, ray, r, h):
    """x^2 + z^2 = k^2 (h - y)^2 with k = r / h."""
    (ox, oy, oz), (dx, dy, dz) = origin, ray
    k = r / h
    k2, depth = k * k, oy - h
    a = dx * dx + dz * dz - k2 * dy * dy
    b = ox * dx + oz * dz - k2 * depth * dy
    q = b * b - a * (ox * ox + oz * oz - k2 * depth * depth)
    root = np.sqrt(np.maximum(q, 0))

    def valid(t):
        y = oy + dy * t
        return np.where((q > 0) & (y >= 0) & (y <= h) & (t > 0), t, MISS)

    t = np.minimum(valid((-b - root) / a), valid((-b + root) / a))
    x, y, z = along(origin, ray, t)
    m = np.float32(1 / np.sqrt(1 + k2))
    inverse = 1 / (np.sqrt(x * x + z * z) + 1e-6)
    return t, (x, y, z), (x * inverse * m, np.full_like(x, k * m), z * inverse * m)


def pattern(o, point, normal):
    """True where a striped or checkered surface shows its second colour."""
    r, h = dimensions(o)
    x, y, z = point
    top = normal[1] > 0.9
    if o["material"] == "striped":
        if o["shape"] == "cube":
            u = np.where(top, (x + r) * (2.5 / r), y * (5.0 / h))
        elif o["shape"] == "cylinder":
            u = np.where(top, np.sqrt(x * x + z * z) * (2.5 / r), y * (5.0 / h))
        else:
            u = y * (6.0 / h)
        return odd(np.floor(u))
    if o["shape"] == "cube":
        k = 1.5 / r * 0.9999
        a = np.where(np.abs(normal[0]) > 0.5, z, x) + r
        b = np.where(top, z + r, y)
        return odd(np.floor(a * k) + np.floor(b * k))
    angle = np.arctan2(z, x) * (4 / np.pi)
    if o["shape"] == "sphere":
        v = np.arccos(np.clip(normal[1], -1, 1)) * (5 / np.pi)
    elif o["shape"] == "cylinder":
        v = np.where(top, np.sqrt(x * x + z * z) * (1.99 / r) + 1, y * (3.0 / h))
    else:
        v = y * (3.6 / h)
    return odd(np.floor(angle) + np.floor(v))


def odd(number):
    return (number.astype(np.int32) & 1) == 1
