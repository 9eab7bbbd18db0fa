// Logic and shifts.
#include "value.hpp"

namespace sim {
namespace {

template <class T>
struct And { static T of(T a, T b) { return T(a & b); } };
template <class T>
struct Or { static T of(T a, T b) { return T(a | b); } };
template <class T>
struct Xor { static T of(T a, T b) { return T(a ^ b); } };
template <class T>
struct Not { static T of(T a) { return T(~a); } };

// Shifts by the width or more push every bit out.
template <class T>
T shiftLeft(T a, uint32_t n) { return n >= sizeof(T) * 8 ? T(0) : T(std::make_unsigned_t<T>(a) << n); }
template <class T>
T shiftRight(T a, uint32_t n) {
    if (n >= sizeof(T) * 8) return T(std::is_signed_v<T> && a < 0 ? -1 : 0);
    return T(a >> n);
}

template <class T, T (*shift)(T, uint32_t)>
void shiftBy(Warp& w, const Instruction& i, uint32_t active) {
    auto *d = cells<T>(w, i.d[0]), *a = cells<T>(w, i.s[0]);
    auto* n = w.words(i.s[1]);
    each(active, [=](int l) { d[l] = cellOf<T>(shift(as<T>(a[l]), n[l])); });
}

// funnel shifts the 64 bits of b:a. mode: 1 to the right, 2 with the amount clamped at 32.
void funnel(Warp& w, const Instruction& i, uint32_t active) {
    each(active, [&](int l) {
        const uint32_t a = w.words(i.s[0])[l], b = w.words(i.s[1])[l], c = w.words(i.s[2])[l];
        const uint32_t n = i.mode & 2 ? (c > 32 ? 32 : c) : c & 31;
        const uint64_t both = uint64_t(b) << 32 | a;
        w.words(i.d[0])[l] = i.mode & 1 ? uint32_t(n == 64 ? 0 : both >> n) : uint32_t((both << n) >> 32);
    });
}

void lookup(Warp& w, const Instruction& i, uint32_t active) {
    each(active, [&](int l) {
        const uint32_t a = w.words(i.s[0])[l], b = w.words(i.s[1])[l], c = w.words(i.s[2])[l], table = w.words(i.s[3])[l];
        uint32_t r = 0;
        for (uint32_t row = 0; row < 8; row++)
            if (table >> row & 1) r |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
        w.words(i.d[0])[l] = r;
    });
}

// insert puts the low c[len] bits of a over b from bit pos on.
template <class T>
void insert(Warp& w, const Instruction& i, uint32_t active) {
    constexpr uint32_t width = sizeof(T) * 8;
    each(active, [&](int l) {
        const T a = cells<T>(w, i.s[0])[l], b = cells<T>(w, i.s[1])[l];
        const uint32_t pos = w.words(i.s[2])[l] & 0xff, len = w.words(i.s[3])[l] & 0xff;
        const T ones = len >= width ? T(~T(0)) : T((T(1) << len) - 1);
        const T field = shiftLeft(ones, pos);
        cells<T>(w, i.d[0])[l] = (b & ~field) | (shiftLeft(a, pos) & field);
    });
}

// extract follows PTX: bits beyond the top repeat the sign of a signed number.
template <class T>
void extract(Warp& w, const Instruction& i, uint32_t active) {
    constexpr uint32_t width = sizeof(T) * 8;
    using U = std::make_unsigned_t<T>;
    each(active, [&](int l) {
        const U a = cells<T>(w, i.s[0])[l];
        const uint32_t pos = w.words(i.s[1])[l] & 0xff, len = w.words(i.s[2])[l] & 0xff;
        const bool negative = std::is_signed_v<T> && len && (a >> std::min(pos + len - 1, width - 1) & 1);
        U r = 0;
        for (uint32_t bit = 0; bit < width; bit++) {
            const bool set = bit < len && pos + bit < width ? a >> (pos + bit) & 1 : negative;
            r |= U(set) << bit;
        }
        cells<T>(w, i.d[0])[l] = r;
    });
}

// permute picks four of the eight bytes of b:a; a selector's top bit repeats
// the sign of its byte.
void permute(Warp& w, const Instruction& i, uint32_t active) {
    auto *a = w.words(i.s[0]), *b = w.words(i.s[1]), *c = w.words(i.s[2]), *d = w.words(i.d[0]);
    each(active, [=](int l) {
        const uint64_t both = uint64_t(b[l]) << 32 | a[l];
        uint32_t r = 0;
        for (int n = 0; n < 4; n++) {
            const uint32_t pick = c[l] >> (4 * n) & 15;
            uint32_t byte = uint32_t(both >> (8 * (pick & 7))) & 0xff;
            if (pick & 8) byte = byte & 0x80 ? 0xff : 0;
            r |= byte << (8 * n);
        }
        d[l] = r;
    });
}

template <class T, uint32_t (*count)(T)>
void counted(Warp& w, const Instruction& i, uint32_t active) {
    each(active, [&](int l) { w.words(i.d[0])[l] = count(as<T>(cells<T>(w, i.s[0])[l])); });
}
uint32_t ones32(uint32_t a) { return uint32_t(__builtin_popcount(a)); }
uint32_t ones64(uint64_t a) { return uint32_t(__builtin_popcountll(a)); }
uint32_t leading32(uint32_t a) { return a ? uint32_t(__builtin_clz(a)) : 32; }
uint32_t leading64(uint64_t a) { return a ? uint32_t(__builtin_clzll(a)) : 64; }
// highest is the place of the first bit that differs from the sign, or ~0.
uint32_t highest32(uint32_t a) { return a ? 31 - leading32(a) : ~0u; }
uint32_t highestSigned32(int32_t a) { return highest32(uint32_t(a < 0 ? ~a : a)); }

template <class T>
struct Reverse {
    static T of(T a) {
        T r = 0;
        for (uint32_t bit = 0; bit < sizeof(T) * 8; bit++) r |= (a >> bit & 1) << (sizeof(T) * 8 - 1 - bit);
        return r;
    }
};

enum { maskAnd, maskOr, maskXor, maskNot };
void logicOfMasks(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t a = w.mask(i.s[0]), b = i.inputs > 1 ? w.mask(i.s[1]) : 0;
    const uint32_t r = i.mode == maskAnd ? a & b : i.mode == maskOr ? a | b : i.mode == maskXor ? a ^ b : ~a;
    uint32_t& d = w.mask(i.d[0]);
    d = (d & ~active) | (r & active);
}

template <class T>
Execute pickLogic(const std::string& base, Selected& s) {
    s.inputs = 2;
    if (base == "and") return binary<T, And<T>>;
    if (base == "or") return binary<T, Or<T>>;
    if (base == "xor") return binary<T, Xor<T>>;
    s.inputs = 1;
    return base == "not" ? unary<T, Not<T>> : nullptr;
}

Execute pickMask(const std::string& base, Selected& s) {
    s.inputs = base == "not" ? 1 : 2;
    s.mode = base == "and" ? maskAnd : base == "or" ? maskOr : base == "xor" ? maskXor : maskNot;
    return base == "and" || base == "or" || base == "xor" || base == "not" ? logicOfMasks : nullptr;
}

Execute pickShift(const Opcode& op, Selected& s) {
    s.inputs = 2;
    s.from = {op.type(), Type::u32};
    const bool left = op.base() == "shl";
    if (!left && op.base() != "shr") return nullptr;
    switch (op.type()) {
    case Type::b16: case Type::u16: return left ? shiftBy<uint16_t, shiftLeft<uint16_t>> : shiftBy<uint16_t, shiftRight<uint16_t>>;
    case Type::b32: case Type::u32: return left ? shiftBy<uint32_t, shiftLeft<uint32_t>> : shiftBy<uint32_t, shiftRight<uint32_t>>;
    case Type::b64: case Type::u64: return left ? shiftBy<uint64_t, shiftLeft<uint64_t>> : shiftBy<uint64_t, shiftRight<uint64_t>>;
    case Type::s16: return left ? nullptr : shiftBy<int16_t, shiftRight<int16_t>>;
    case Type::s32: return left ? nullptr : shiftBy<int32_t, shiftRight<int32_t>>;
    case Type::s64: return left ? nullptr : shiftBy<int64_t, shiftRight<int64_t>>;
    default: return nullptr;
    }
}

Execute pickField(const Opcode& op, Selected& s) {
    const bool wide = bitsOf(op.type()) == 64;
    const std::string& base = op.base();
    if (base == "bfi") {
        s.inputs = 4;
        s.from = {op.type(), op.type(), Type::u32, Type::u32};
        return wide ? insert<uint64_t> : insert<uint32_t>;
    }
    if (base == "bfe") {
        s.inputs = 3;
        s.from = {op.type(), Type::u32, Type::u32};
        if (isSigned(op.type())) return wide ? extract<int64_t> : extract<int32_t>;
        return wide ? extract<uint64_t> : extract<uint32_t>;
    }
    s.inputs = 1;
    if (base == "brev") return wide ? unary<uint64_t, Reverse<uint64_t>> : unary<uint32_t, Reverse<uint32_t>>;
    s.to = Type::u32;
    s.from = {op.type()};
    if (base == "popc") return wide ? counted<uint64_t, ones64> : counted<uint32_t, ones32>;
    if (base == "clz") return wide ? counted<uint64_t, leading64> : counted<uint32_t, leading32>;
    if (base == "bfind" && !wide && !op.has("shiftamt"))
        return isSigned(op.type()) ? counted<int32_t, highestSigned32> : counted<uint32_t, highest32>;
    return nullptr;
}

}  // namespace

bool selectBits(const Opcode& op, Selected& s) {
    const std::string& base = op.base();
    const uint32_t bits = bitsOf(op.type());
    if (base == "lop3" && op.type() == Type::b32 && op.parts.size() == 2) {
        s.inputs = 4;
        s.execute = lookup;
    } else if (base == "shf" && op.type() == Type::b32) {
        s.inputs = 3;
        s.mode = uint8_t((op.has("r") ? 1 : 0) | (op.has("clamp") ? 2 : 0));
        s.execute = funnel;
    } else if (base == "prmt" && op.type() == Type::b32 && op.parts.size() == 2) {
        s.inputs = 3;
        s.execute = permute;
    } else if (base == "and" || base == "or" || base == "xor" || base == "not") {
        s.execute = bits == 1    ? pickMask(base, s)
                    : bits == 16 ? pickLogic<uint16_t>(base, s)
                    : bits == 32 ? pickLogic<uint32_t>(base, s)
                                 : pickLogic<uint64_t>(base, s);
    } else if (base == "shl" || base == "shr") {
        s.execute = pickShift(op, s);
    } else if (bits == 32 || bits == 64) {
        s.execute = pickField(op, s);
    }
    return s.execute != nullptr;
}

}  // namespace sim
