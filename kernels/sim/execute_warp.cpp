// Moves between registers, and what the lanes of a warp do together.
#include "value.hpp"

namespace sim {

void nothing(Warp&, const Instruction&, uint32_t) {}

void trap(Warp& w, const Instruction& i, uint32_t active) { fail(w, i, __builtin_ctz(active), "the kernel traps"); }

void moveRegister(Warp& w, const Instruction& i, uint32_t active) {
    if (i.d[0].cell == 4 && i.s[0].cell == 4) {
        auto *d = w.words(i.d[0]), *a = w.words(i.s[0]);
        return each(active, [=](int l) { d[l] = a[l]; });
    }
    auto *d = w.longs(i.d[0]), *a = w.longs(i.s[0]);
    each(active, [=](int l) { d[l] = a[l]; });
}

void moveMask(Warp& w, const Instruction& i, uint32_t active) {
    uint32_t& d = w.mask(i.d[0]);
    d = (d & ~active) | (w.mask(i.s[0]) & active);
}

// pack joins the elements of a vector, the first lowest; bytes is an element's.
void pack(Warp& w, const Instruction& i, uint32_t active) {
    each(active, [&](int l) {
        uint64_t v = 0;
        for (int n = 0; n < i.inputs; n++) {
            const uint64_t part = w.value(i.s[n], l);
            v |= (part & (~0ull >> (64 - 8 * i.bytes))) << (8 * i.bytes * n);
        }
        w.set(i.d[0], l, v);
    });
}

void unpack(Warp& w, const Instruction& i, uint32_t active) {
    each(active, [&](int l) {
        const uint64_t v = w.value(i.s[0], l);
        for (int n = 0; n < i.outputs; n++) w.set(i.d[n], l, v >> (8 * i.bytes * n) & (~0ull >> (64 - 8 * i.bytes)));
    });
}

// shuffle: mode 0 bfly, 1 down, 2 up, 3 idx. A lane out of its segment keeps
// its own value; d[1] tells so.
void shuffle(Warp& w, const Instruction& i, uint32_t active) {
    uint32_t from[32], source[32], inside = 0, absent = 0;
    const uint32_t *a = w.words(i.s[0]), *b = w.words(i.s[1]), *c = w.words(i.s[2]);
    const int mode = i.mode;
    std::memcpy(from, a, sizeof from);
    for (int l = 0; l < 32; l++) {
        const int segment = int(c[l] >> 8 & 31), clamp = int(c[l] & 31), by = int(b[l] & 31);
        const int most = (l & segment) | (clamp & ~segment), least = l & segment;
        const int wanted = mode == 0 ? l ^ by : mode == 1 ? l + by : mode == 2 ? l - by : least | (by & ~segment);
        const bool in = mode == 2 ? wanted >= most : wanted <= most;
        source[l] = uint32_t(in ? wanted : l);
        inside |= uint32_t(in) << l;
        absent |= (~active >> (source[l] & 31) & 1) << l;
    }
    if (absent &= active) {
        const int l = __builtin_ctz(absent);
        fail(w, i, l, "shuffle from lane " + std::to_string(source[l]) + ", which is inactive");
    }
    uint32_t* d = w.words(i.d[0]);
    each(active, [&](int l) { d[l] = from[source[l]]; });
    if (i.outputs > 1) w.mask(i.d[1]) = (w.mask(i.d[1]) & ~active) | (inside & active);
}

// vote: mode 0 any, 1 all, 2 ballot, 3 uni.
void vote(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t yes = (i.s[0].negated ? ~w.mask(i.s[0]) : w.mask(i.s[0])) & active;
    if (i.mode == 2) {
        uint32_t* d = w.words(i.d[0]);
        return each(active, [=](int l) { d[l] = yes; });
    }
    const bool result = i.mode == 0 ? yes != 0 : i.mode == 1 ? yes == active : yes == 0 || yes == active;
    uint32_t& d = w.mask(i.d[0]);
    d = result ? d | active : d & ~active;
}

// reduce: mode 0 add, 1 min, 2 max, 3 and, 4 or, 5 xor of all lanes.
void reduce(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t* a = w.words(i.s[0]);
    uint32_t r = a[__builtin_ctz(active)];
    for (uint32_t m = active & (active - 1); m; m &= m - 1) {
        const uint32_t v = a[__builtin_ctz(m)];
        const bool less = i.isSigned ? int32_t(v) < int32_t(r) : v < r;
        switch (i.mode) {
        case 0: r += v; break;
        case 1: r = less ? v : r; break;
        case 2: r = less || v == r ? r : v; break;
        case 3: r &= v; break;
        case 4: r |= v; break;
        default: r ^= v;
        }
    }
    uint32_t* d = w.words(i.d[0]);
    each(active, [=](int l) { d[l] = r; });
}

void activeMask(Warp& w, const Instruction& i, uint32_t active) {
    uint32_t* d = w.words(i.d[0]);
    each(active, [=](int l) { d[l] = active; });
}

// warpSync orders the memory accesses of the warp's lanes.
void warpSync(Warp& w, const Instruction&, uint32_t) { w.sync++; }

}  // namespace sim
