// Integer arithmetic.
#include <limits>

#include "value.hpp"

namespace sim {
namespace {

template <class T>
using Bare = std::make_unsigned_t<T>;
template <class T>
using Wide = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

// Arithmetic wraps around, hence on unsigned numbers of at least 32 bits.
template <class T>
using Ring = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
struct Add { static T of(T a, T b) { return T(Ring<T>(a) + Ring<T>(b)); } };
template <class T>
struct Sub { static T of(T a, T b) { return T(Ring<T>(a) - Ring<T>(b)); } };
template <class T>
struct MulLow { static T of(T a, T b) { return T(Ring<T>(a) * Ring<T>(b)); } };
template <class T>
struct MulHigh { static T of(T a, T b) { return T((Wide<T>(a) * Wide<T>(b)) >> (sizeof(T) * 8)); } };
template <class T>
struct MadLow { static T of(T a, T b, T c) { return T(Ring<T>(a) * Ring<T>(b) + Ring<T>(c)); } };
template <class T>
struct MadHigh { static T of(T a, T b, T c) { return T(Ring<T>(MulHigh<T>::of(a, b)) + Ring<T>(c)); } };
template <class T>
struct Min { static T of(T a, T b) { return a < b ? a : b; } };
template <class T>
struct Max { static T of(T a, T b) { return a > b ? a : b; } };
template <class T>
struct Neg { static T of(T a) { return T(Ring<T>(0) - Ring<T>(a)); } };
template <class T>
struct Abs { static T of(T a) { return a < 0 ? Neg<T>::of(a) : a; } };
template <class T>
struct Sad { static T of(T a, T b, T c) { return T(Ring<T>(c) + (a < b ? Ring<T>(b) - Ring<T>(a) : Ring<T>(a) - Ring<T>(b))); } };

// Division by zero gives all ones, as on the device; the smallest number
// divided by -1 wraps.
template <class T>
struct Div {
    static T of(T a, T b) {
        if (b == 0) return T(~Bare<T>(0));
        if constexpr (std::is_signed_v<T>) if (b == -1) return Neg<T>::of(a);
        return T(a / b);
    }
};
template <class T>
struct Rem {
    static T of(T a, T b) {
        if (b == 0) return a;
        if constexpr (std::is_signed_v<T>) if (b == -1) return 0;
        return T(a % b);
    }
};

// 24-bit factors are sign- or zero-extended from bit 23.
template <class T>
T low24(T a) { return std::is_signed_v<T> ? T(int32_t(uint32_t(a) << 8) >> 8) : T(a & 0xffffff); }
template <class T>
struct Mul24 { static T of(T a, T b) { return MulLow<T>::of(low24(a), low24(b)); } };
template <class T>
struct Mul24High { static T of(T a, T b) { return T(Wide<T>(low24(a)) * Wide<T>(low24(b)) >> 16); } };
template <class T>
struct Mad24 { static T of(T a, T b, T c) { return MadLow<T>::of(low24(a), low24(b), c); } };

template <class T>
void mulWide(Warp& w, const Instruction& i, uint32_t active) {
    using W = Wide<T>;
    auto* d = cells<W>(w, i.d[0]);
    auto *a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]);
    each(active, [=](int l) { d[l] = cellOf<W>(W(as<T>(a[l])) * W(as<T>(b[l]))); });
}

template <class T>
void madWide(Warp& w, const Instruction& i, uint32_t active) {
    using W = Wide<T>;
    auto *d = cells<W>(w, i.d[0]), *c = cells<W>(w, i.s[2]);
    auto *a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]);
    each(active, [=](int l) { d[l] = CellOf<W>(cellOf<W>(W(as<T>(a[l])) * W(as<T>(b[l]))) + c[l]); });
}

template <class T>
Execute pick(const Opcode& op, Selected& s) {
    const std::string& base = op.base();
    s.inputs = 2;
    if (base == "add") return binary<T, Add<T>>;
    if (base == "sub") return binary<T, Sub<T>>;
    if (base == "min") return binary<T, Min<T>>;
    if (base == "max") return binary<T, Max<T>>;
    if (base == "div") return binary<T, Div<T>>;
    if (base == "rem") return binary<T, Rem<T>>;
    if (base == "mul" && op.has("hi")) return binary<T, MulHigh<T>>;
    if (base == "mul" && op.has("lo")) return binary<T, MulLow<T>>;
    if (base == "mul24" && sizeof(T) == 4) return op.has("hi") ? binary<T, Mul24High<T>> : binary<T, Mul24<T>>;
    s.inputs = 3;
    if (base == "mad" && op.has("hi")) return ternary<T, MadHigh<T>>;
    if (base == "mad" && op.has("lo")) return ternary<T, MadLow<T>>;
    if (base == "mad24" && sizeof(T) == 4 && op.has("lo")) return ternary<T, Mad24<T>>;
    if (base == "sad") return ternary<T, Sad<T>>;
    s.inputs = 1;
    if (base == "neg") return unary<T, Neg<T>>;
    if (base == "abs") return unary<T, Abs<T>>;
    return nullptr;
}

// pickWide handles .wide, whose result has twice the width.
template <class T>
Execute pickWide(const Opcode& op, Selected& s, Type wide) {
    s.to = wide;
    s.from = {op.type(), op.type(), wide};
    s.inputs = op.base() == "mad" ? 3 : 2;
    if (op.base() == "mad") return madWide<T>;
    return op.base() == "mul" ? mulWide<T> : nullptr;
}

}  // namespace

bool selectInteger(const Opcode& op, Selected& s) {
    if (op.has("sat") || op.has("cc") || op.types.size() != 1) return false;
    const bool wide = op.has("wide");
    switch (op.type()) {
    case Type::u16: s.execute = wide ? pickWide<uint16_t>(op, s, Type::u32) : pick<uint16_t>(op, s); break;
    case Type::s16: s.execute = wide ? pickWide<int16_t>(op, s, Type::s32) : pick<int16_t>(op, s); break;
    case Type::u32: s.execute = wide ? pickWide<uint32_t>(op, s, Type::u64) : pick<uint32_t>(op, s); break;
    case Type::s32: s.execute = wide ? pickWide<int32_t>(op, s, Type::s64) : pick<int32_t>(op, s); break;
    case Type::u64: s.execute = wide ? nullptr : pick<uint64_t>(op, s); break;
    case Type::s64: s.execute = wide ? nullptr : pick<int64_t>(op, s); break;
    default: return false;
    }
    return s.execute != nullptr;
}

}  // namespace sim
