// Number formats of operands, to and from F32.
#pragma once

#include <cstdint>
#include <cstring>

namespace lt {

inline float fromBits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

inline uint32_t toBits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

inline float fromBF16(uint16_t h) { return fromBits(uint32_t(h) << 16); }

inline float fromF16(uint16_t h) {
    const uint32_t magnitude = h & 0x7fff, sign = uint32_t(h & 0x8000) << 16;
    if (magnitude >= 0x7c00) return fromBits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    // 2^112 is how far the exponents' biases are apart; subnormals come right too.
    return fromBits(sign | toBits(fromBits(magnitude << 13) * 0x1p112f));
}

inline float fromE4M3(uint8_t b) {
    const uint32_t magnitude = b & 0x7f, sign = uint32_t(b & 0x80) << 24;
    if (magnitude == 0x7f) return fromBits(sign | 0x7fc00000);
    return fromBits(sign | toBits(fromBits(magnitude << 20) * 0x1p120f));
}

// Results are rounded to the nearest, ties to even.
inline uint16_t toBF16(float f) {
    const uint32_t bits = toBits(f);
    return f != f ? uint16_t(0x7fff) : uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline uint16_t toF16(float f) {
    const uint32_t bits = toBits(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return 0x7fff;
    if (magnitude >= 0x477ff000) return uint16_t(sign | 0x7c00);  // rounds beyond 65504
    if (magnitude < 0x38800000) {  // subnormal: the addition rounds at 2^-24
        const uint32_t shifted = toBits(fromBits(magnitude) + 0.5f);
        return uint16_t(sign | (shifted - 0x3f000000));
    }
    return uint16_t(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

}  // namespace lt
