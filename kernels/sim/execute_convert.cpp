// Conversions between number formats, with PTX's rounding and saturation.
#include <limits>

#include "value.hpp"

namespace sim {
namespace {

enum Rounding : uint8_t { nearest, zero, down, up };
enum : uint8_t { roundingMask = 3, flushes = 4, saturates = 8, toInteger = 16, relu = 32 };

template <class T> constexpr bool isInteger = std::is_integral_v<T>;
template <class T> constexpr bool isSmall = std::is_same_v<T, Half> || std::is_same_v<T, Brain>;

double whole(double v, uint8_t rounding) {
    switch (rounding) {
    case zero: return std::trunc(v);
    case down: return std::floor(v);
    case up: return std::ceil(v);
    default: return std::nearbyint(v);
    }
}

// toInt clamps to the range of To, as every float-to-integer cvt does. NaN
// becomes 0 for 32 bits and fewer; the largest magnitude bit for 64.
template <class To>
To toInt(double v, uint8_t rounding) {
    if (v != v) return sizeof(To) == 8 ? To(1ull << 63) : To(0);
    v = whole(v, rounding);
    using L = std::numeric_limits<To>;
    if (v <= double(L::min())) return L::min();
    if (v >= double(L::max())) return L::max();  // 2^n - 1 rounds up to 2^n, which is out as well
    return To(v);
}

// clampInt is integer .sat: the nearest number that To has.
template <class To, class From>
To clampInt(From v) {
    using Big = __int128;
    const Big low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    return Big(v) < low ? To(low) : Big(v) > high ? To(high) : To(v);
}

// adjusted moves the nearest float of an exact value to the side that the
// rounding asks for.
template <class To>
To adjusted(To v, long double exact, uint8_t rounding) {
    if (rounding == nearest || (long double)v == exact || v != v) return v;
    const bool above = (long double)v > exact;
    const To inf = std::numeric_limits<To>::infinity();
    if (rounding == zero && above == (exact > 0)) return std::nextafter(v, To(0));
    if (rounding == down && above) return std::nextafter(v, -inf);
    if (rounding == up && !above) return std::nextafter(v, inf);
    return v;
}

uint16_t brainOf(float v, uint8_t rounding) {
    const uint32_t bits = cellOf(v);
    if (v != v) return 0x7fff;
    if (rounding == zero) return uint16_t(bits >> 16);
    return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t halfOf(float v, uint8_t rounding) {
    if (v != v) return 0x7fff;
    const _Float16 h = _Float16(v);
    uint16_t bits;
    std::memcpy(&bits, &h, 2);
    if (rounding == zero && std::fabs(float(h)) > std::fabs(v)) bits--;
    return bits;
}

template <class From>
double exactly(From v) {
    if constexpr (isSmall<From>) return toFloat(v);
    else return double(v);
}

template <class To, class From, uint8_t flags>
To toReal(From v) {
    constexpr uint8_t rounding = flags & roundingMask;
    if constexpr ((flags & flushes) && std::is_same_v<From, float>) v = flush(v);
    if constexpr (isSmall<To>) {
        static_assert(std::is_same_v<From, float> || isSmall<From> || isInteger<From> || std::is_same_v<From, double>);
        float f = float(exactly(v));
        if constexpr ((flags & relu) != 0) f = f > 0 || f != f ? f : 0;
        if constexpr (std::is_same_v<To, Brain>) return To{brainOf(f, rounding)};
        else return To{halfOf(f, rounding)};
    } else {
        To r;
        if constexpr (isSmall<From>) r = toFloat(v);
        else if constexpr (rounding == nearest || (flags & toInteger)) r = To(v);
        else r = adjusted(To(v), (long double)v, rounding);
        if constexpr ((flags & toInteger) != 0) r = To(whole(double(r), rounding));
        if constexpr ((flags & flushes) && std::is_same_v<To, float>) r = flush(r);
        if constexpr ((flags & saturates) != 0) r = r > 0 ? (r < 1 ? r : To(1)) : To(0);
        return r;
    }
}

template <class To, class From, uint8_t flags>
To converted(From v) {
    if constexpr (isInteger<To> && isInteger<From>) return flags & saturates ? clampInt<To>(v) : To(v);
    else if constexpr (isInteger<To>) {
        if constexpr ((flags & flushes) && std::is_same_v<From, float>) v = flush(v);
        return toInt<To>(exactly(v), flags & roundingMask);
    } else return toReal<To, From, flags>(v);
}

// Results of fewer than 32 bits fill the register by the sign of their type.
template <class To>
CellOf<To> extended(To v) {
    if constexpr (isInteger<To> && std::is_signed_v<To> && sizeof(To) < 4) return uint32_t(int32_t(v));
    else return cellOf<To>(v);
}

template <class To, class From, uint8_t flags>
void convert(Warp& w, const Instruction& i, uint32_t active) {
    if (i.d[0].cell == sizeof(CellOf<To>) && i.s[0].cell == sizeof(CellOf<From>)) {
        auto* d = cells<To>(w, i.d[0]);
        auto* a = cells<From>(w, i.s[0]);
        each(active, [=](int l) { d[l] = extended<To>(converted<To, From, flags>(as<From>(a[l]))); });
        return;
    }
    // A register wider than its type takes part with its low bits.
    each(active, [&](int l) {
        const To v = converted<To, From, flags>(as<From>(CellOf<From>(w.value(i.s[0], l))));
        if constexpr (isInteger<To> && std::is_signed_v<To>) w.set(i.d[0], l, uint64_t(int64_t(v)));
        else w.set(i.d[0], l, cellOf<To>(v));
    });
}

// meant is the flags that matter between two formats, so that code exists for
// those only. Conversion of floats to integers saturates in any case.
template <class To, class From>
constexpr uint8_t meant() {
    constexpr uint8_t ftz = std::is_same_v<From, float> || std::is_same_v<To, float> ? flushes : 0;
    if (isInteger<To> && isInteger<From>) return saturates;
    if (isInteger<To>) return roundingMask | ftz;
    if (isSmall<To>) return zero | relu | ftz;
    if (isInteger<From>) return roundingMask | saturates;
    return roundingMask | saturates | ftz | (std::is_same_v<To, From> ? toInteger : 0);
}

template <class To, class From, uint8_t flags = 0>
Execute byFlags(uint8_t wanted) {
    if constexpr (flags == 64) return nullptr;
    else {
        if constexpr ((flags & ~meant<To, From>()) == 0)
            if ((wanted & meant<To, From>()) == flags) return convert<To, From, flags>;
        return byFlags<To, From, flags + 1>(wanted);
    }
}

template <class To>
Execute byFrom(Type from, uint8_t flags) {
    switch (from) {
    case Type::u8: return byFlags<To, uint8_t>(flags);
    case Type::s8: return byFlags<To, int8_t>(flags);
    case Type::u16: return byFlags<To, uint16_t>(flags);
    case Type::s16: return byFlags<To, int16_t>(flags);
    case Type::u32: return byFlags<To, uint32_t>(flags);
    case Type::s32: return byFlags<To, int32_t>(flags);
    case Type::u64: return byFlags<To, uint64_t>(flags);
    case Type::s64: return byFlags<To, int64_t>(flags);
    case Type::f16: return byFlags<To, Half>(flags);
    case Type::bf16: return byFlags<To, Brain>(flags);
    case Type::f32: return byFlags<To, float>(flags);
    case Type::f64: return byFlags<To, double>(flags);
    default: return nullptr;
    }
}

Execute byTo(Type to, Type from, uint8_t flags) {
    switch (to) {
    case Type::u8: return byFrom<uint8_t>(from, flags);
    case Type::s8: return byFrom<int8_t>(from, flags);
    case Type::u16: return byFrom<uint16_t>(from, flags);
    case Type::s16: return byFrom<int16_t>(from, flags);
    case Type::u32: return byFrom<uint32_t>(from, flags);
    case Type::s32: return byFrom<int32_t>(from, flags);
    case Type::u64: return byFrom<uint64_t>(from, flags);
    case Type::s64: return byFrom<int64_t>(from, flags);
    case Type::f16: return byFrom<Half>(from, flags);
    case Type::bf16: return byFrom<Brain>(from, flags);
    case Type::f32: return byFrom<float>(from, flags);
    case Type::f64: return byFrom<double>(from, flags);
    default: return nullptr;
    }
}

// convertPair packs two floats; the first goes to the upper half.
template <bool brain, uint8_t rounding, bool rectify>
void convertPair(Warp& w, const Instruction& i, uint32_t active) {
    auto *d = w.words(i.d[0]), *a = w.words(i.s[0]), *b = w.words(i.s[1]);
    auto one = [](uint32_t cell) {
        float v = as<float>(cell);
        if (rectify) v = v > 0 || v != v ? v : 0;
        return uint32_t(brain ? brainOf(v, rounding) : halfOf(v, rounding));
    };
    each(active, [=](int l) { d[l] = one(a[l]) << 16 | one(b[l]); });
}

// toTf32 rounds to 10 bits of mantissa, ties away from zero.
void toTf32(Warp& w, const Instruction& i, uint32_t active) {
    each(active, [&](int l) {
        const uint32_t v = w.words(i.s[0])[l];
        w.words(i.d[0])[l] = (v & 0x7f800000u) == 0x7f800000u ? v : (v + 0x1000) & ~0x1fffu;
    });
}

bool selectPair(const Opcode& op, Selected& s) {
    const bool brain = op.type() == Type::bf16x2, cut = op.has("rz"), rectify = op.has("relu");
    s.inputs = 2;
    s.from = {Type::f32, Type::f32};
    if (rectify) s.execute = cut ? (brain ? convertPair<true, zero, true> : convertPair<false, zero, true>)
                                 : (brain ? convertPair<true, nearest, true> : convertPair<false, nearest, true>);
    else s.execute = cut ? (brain ? convertPair<true, zero, false> : convertPair<false, zero, false>)
                         : (brain ? convertPair<true, nearest, false> : convertPair<false, nearest, false>);
    return op.type(1) == Type::f32;
}

uint8_t flagsOf(const Opcode& op) {
    uint8_t flags = 0;
    if (op.has("rz") || op.has("rzi")) flags |= zero;
    if (op.has("rm") || op.has("rmi")) flags |= down;
    if (op.has("rp") || op.has("rpi")) flags |= up;
    if (op.has("ftz")) flags |= flushes;
    if (op.has("sat")) flags |= saturates;
    if (op.has("relu")) flags |= relu;
    const bool whole = op.has("rni") || op.has("rzi") || op.has("rmi") || op.has("rpi");
    const bool toFloat = op.type() == Type::f16 || op.type() == Type::bf16 || op.type() == Type::f32 || op.type() == Type::f64;
    return whole && toFloat ? flags | toInteger : flags;
}

}  // namespace

bool selectConvert(const Opcode& op, Selected& s) {
    if (op.base() != "cvt" || op.types.size() != 2) return false;
    if (op.type() == Type::bf16x2 || op.type() == Type::f16x2) return selectPair(op, s);
    s.to = op.type();
    s.from = {op.type(1)};
    s.inputs = 1;
    s.anyWidth = true;
    if (op.type() == Type::tf32) {
        s.execute = op.has("rna") && op.type(1) == Type::f32 ? toTf32 : nullptr;
        return s.execute != nullptr;
    }
    // f64 and integers reach 16-bit floats by way of f32 nowhere in PTX but
    // here; rounding twice would be wrong, so such a cvt is refused.
    const bool small = op.type() == Type::f16 || op.type() == Type::bf16, wholeSmall = flagsOf(op) & toInteger;
    if (small && (wholeSmall || op.type(1) == Type::f64 || bitsOf(op.type(1)) > 32 ||
                  (op.type(1) != Type::f32 && bitsOf(op.type(1)) == 32))) return false;
    s.execute = byTo(op.type(), op.type(1), flagsOf(op));
    return s.execute != nullptr;
}

}  // namespace sim
