// Values of PTX types in the cells of registers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "opcode.hpp"
#include "warp.hpp"

namespace sim {

// Half and Brain are 16-bit floats, kept as their bits.
struct Half {
    uint16_t bits;
};
struct Brain {
    uint16_t bits;
};

template <class T>
using CellOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

// as reads a cell as a value of type T.
template <class T>
inline T as(CellOf<T> cell) {
    if constexpr (std::is_integral_v<T>) return T(cell);
    else if constexpr (sizeof(T) == 2) return T{uint16_t(cell)};
    else {
        T v;
        std::memcpy(&v, &cell, sizeof v);
        return v;
    }
}

// cellOf is the opposite; narrow values are extended with zeros.
template <class T>
inline CellOf<T> cellOf(T v) {
    if constexpr (std::is_integral_v<T>) return std::make_unsigned_t<T>(v);
    else if constexpr (sizeof(T) == 2) return v.bits;
    else {
        CellOf<T> cell;
        std::memcpy(&cell, &v, sizeof v);
        return cell;
    }
}

template <class T>
inline CellOf<T>* cells(Warp& w, const Operand& o) {
    return reinterpret_cast<CellOf<T>*>(w.file + o.at);
}

inline float toFloat(Brain v) { return as<float>(uint32_t(v.bits) << 16); }
inline float toFloat(Half v) {
    _Float16 h;
    std::memcpy(&h, &v, 2);
    return float(h);
}

// flush is what .ftz does: subnormal numbers become zeros of their sign.
inline float flush(float v) {
    const uint32_t bits = cellOf(v);
    return as<float>((bits & 0x7f800000u) ? bits : bits & 0x80000000u);
}

// unary ... ternary run Op::of on every active lane.
template <class T, class Op>
void unary(Warp& w, const Instruction& i, uint32_t active) {
    auto *d = cells<T>(w, i.d[0]), *a = cells<T>(w, i.s[0]);
    each(active, [=](int l) { d[l] = cellOf<T>(Op::of(as<T>(a[l]))); });
}

template <class T, class Op>
void binary(Warp& w, const Instruction& i, uint32_t active) {
    auto *d = cells<T>(w, i.d[0]), *a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]);
    each(active, [=](int l) { d[l] = cellOf<T>(Op::of(as<T>(a[l]), as<T>(b[l]))); });
}

template <class T, class Op>
void ternary(Warp& w, const Instruction& i, uint32_t active) {
    auto *d = cells<T>(w, i.d[0]), *a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]), *c = cells<T>(w, i.s[2]);
    each(active, [=](int l) { d[l] = cellOf<T>(Op::of(as<T>(a[l]), as<T>(b[l]), as<T>(c[l]))); });
}

// loadElements fills the destinations of the active lanes from where each of
// them points; storeElements is the opposite, in the order of the lanes.
void loadElements(Warp& w, const Instruction& i, uint32_t active, const uint8_t* const from[32]);
void storeElements(Warp& w, const Instruction& i, uint32_t active, uint8_t* const to[32]);

// sharedLoad and sharedStore access shared memory at offsets at.
void sharedLoad(Warp& w, const Instruction& i, uint32_t active, const uint64_t at[32]);
void sharedStore(Warp& w, const Instruction& i, uint32_t active, const uint64_t at[32]);

// checkGlobalCopy stops unless a lane may read the source bytes of a cp.async.
void checkGlobalCopy(Warp& w, const Instruction& i, int lane, uint64_t at, uint32_t bytes);

}  // namespace sim
