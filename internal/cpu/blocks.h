// ggml's blocks of weights, 32 columns at a time, as the numbers they stand for:
// bit for bit those of gguf.quants.dequantize, whose operations these are, in its
// order. Blocks begin at any address.
#ifndef TACA_BLOCKS_H
#define TACA_BLOCKS_H

#include "vec.h"

// BLOCK_PART is the columns that are decoded together: a block, or an eighth of one.
enum { BLOCK_PART = 32 };

INLINE int in_blocks(int64_t type) { return type >= TACA_Q4_0; }

// block_bytes is the size of a block.
INLINE int64_t block_bytes(int64_t type) {
    switch (type) {
    case TACA_Q4_0: return 18;
    case TACA_Q4_1: return 20;
    case TACA_Q5_0: return 22;
    case TACA_Q5_1: return 24;
    case TACA_Q8_0: return 34;
    case TACA_Q2_K: return 84;
    case TACA_Q3_K: return 110;
    case TACA_Q4_K: return 144;
    case TACA_Q5_K: return 176;
    default: return 210;
    }
}

// block_parts is how many times BLOCK_PART columns a block has.
INLINE int64_t block_parts(int64_t type) { return type >= TACA_Q2_K ? 8 : 1; }

INLINE float half_at(const uint8_t *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return v_half(h);
}

// spread_bits makes a byte of each of 32 bits.
INLINE void spread_bits(uint8_t *restrict to, const uint8_t *restrict b) {
    for (int i = 0; i < 4; i++) {
        const uint64_t ones = 0x0101010101010101, each = b[i] * ones & 0x8040201008040201; // byte j has bit j alone
        const uint64_t bits = (each + 0x7f * ones) >> 7 & ones;
        memcpy(to + 8 * i, &bits, sizeof bits);
    }
}

// q_nibbles is Q4_0, Q4_1, Q5_0 and Q5_1: byte i has elements i and i+16, whose
// fifth bits, where there are any, are bits i and i+16 of a word.
INLINE void q_nibbles(float *restrict to, const uint8_t *restrict b, const int fifth, const int minimum) {
    const vec d = v_set(half_at(b)), least = v_set(minimum ? half_at(b + 2) : 0), zero = v_set(minimum ? 0 : fifth ? 16 : 8);
    uint8_t high[32];
    b += minimum ? 4 : 2;
    if (fifth) {
        spread_bits(high, b);
        b += 4;
    }
    for (int i = 0; i < 32; i += LANES) {
        vec q = v_bits(b + i % 16, i / 16 * 4, 15);
        if (fifth) {
            q = v_fma(v_set(16), v_bits(high + i, 0, 1), q);
        }
        q = v_mul(d, v_sub(q, zero));
        v_store(to + i, minimum ? v_add(q, least) : q);
    }
}

INLINE void q8_0(float *restrict to, const uint8_t *restrict b) {
    const float d = half_at(b);
    for (int i = 0; i < 32; i++) {
        to[i] = d * (float)(int8_t)b[2 + i];
    }
}

// In the K formats part p of a block's eight has bits that lie, for all 32 columns
// of it, at the same place of neighbouring bytes.

INLINE void q2_k(float *restrict to, const uint8_t *restrict b, int p) {
    const uint8_t *q = b + 16 + p / 4 * 32, *scales = b + 2 * p;
    const float d = half_at(b + 80), least = half_at(b + 82);
    for (int i = 0; i < 32; i += LANES) {
        const vec by = v_set(d * (float)(scales[i / 16] & 15)), less = v_set(least * (float)(scales[i / 16] >> 4));
        v_store(to + i, v_sub(v_mul(by, v_bits(q + i, p % 4 * 2, 3)), less));
    }
}

INLINE void q3_k(float *restrict to, const uint8_t *restrict b, int p) {
    const uint8_t *q = b + 32 + p / 4 * 32, *scales = b + 96;
    const float d = half_at(b + 108);
    for (int i = 0; i < 32; i += LANES) {
        const int j = 2 * p + i / 16;
        const int low = scales[j % 8] >> (j / 8 * 4) & 15, high = scales[8 + j % 4] >> (j / 4 * 2) & 3;
        const vec by = v_set(d * (float)((low | high << 4) - 32)), two = v_bits(q + i, p % 4 * 2, 3);
        v_store(to + i, v_mul(by, v_sub(v_fma(v_set(4), v_bits(b + i, p, 1), two), v_set(4))));
    }
}

// k_scales is the factor and the minimum of part p of Q4_K and Q5_K, six bits each.
INLINE void k_scales(const uint8_t *restrict b, int p, float *by, float *less) {
    const uint8_t *s = b + 4;
    const int scale = p < 4 ? s[p] & 63 : (s[p + 4] & 15) | (s[p - 4] >> 2 & 48);
    const int least = p < 4 ? s[p + 4] & 63 : s[p + 4] >> 4 | (s[p] >> 2 & 48);
    *by = half_at(b) * (float)scale;
    *less = half_at(b + 2) * (float)least;
}

INLINE void q4_k(float *restrict to, const uint8_t *restrict b, int p) {
    const uint8_t *q = b + 16 + p / 2 * 32;
    float by, less;
    k_scales(b, p, &by, &less);
    for (int i = 0; i < 32; i += LANES) {
        v_store(to + i, v_sub(v_mul(v_set(by), v_bits(q + i, p % 2 * 4, 15)), v_set(less)));
    }
}

INLINE void q5_k(float *restrict to, const uint8_t *restrict b, int p) {
    const uint8_t *high = b + 16, *q = b + 48 + p / 2 * 32;
    float by, less;
    k_scales(b, p, &by, &less);
    for (int i = 0; i < 32; i += LANES) {
        const vec five = v_fma(v_set(16), v_bits(high + i, p, 1), v_bits(q + i, p % 2 * 4, 15));
        v_store(to + i, v_sub(v_mul(v_set(by), five), v_set(less)));
    }
}

INLINE void q6_k(float *restrict to, const uint8_t *restrict b, int p) {
    const uint8_t *q = b + p / 4 * 64 + p % 2 * 32, *high = b + 128 + p / 4 * 32;
    const float d = half_at(b + 208);
    for (int i = 0; i < 32; i += LANES) {
        const vec six = v_fma(v_set(16), v_bits(high + i, p % 4 * 2, 3), v_bits(q + i, p % 4 / 2 * 4, 15));
        v_store(to + i, v_mul(v_set(d * (float)(int8_t)b[192 + 2 * p + i / 16]), v_sub(six, v_set(32))));
    }
}

INLINE void block_part(float *restrict to, const uint8_t *restrict b, const int64_t type, int p) {
    switch (type) {
    case TACA_Q4_0: q_nibbles(to, b, 0, 0); break;
    case TACA_Q4_1: q_nibbles(to, b, 0, 1); break;
    case TACA_Q5_0: q_nibbles(to, b, 1, 0); break;
    case TACA_Q5_1: q_nibbles(to, b, 1, 1); break;
    case TACA_Q8_0: q8_0(to, b); break;
    case TACA_Q2_K: q2_k(to, b, p); break;
    case TACA_Q3_K: q3_k(to, b, p); break;
    case TACA_Q4_K: q4_k(to, b, p); break;
    case TACA_Q5_K: q5_k(to, b, p); break;
    default: q6_k(to, b, p);
    }
}

// block_numbers writes n elements of a row from column k on, both multiples of
// BLOCK_PART.
INLINE void block_numbers_typed(float *restrict to, const char *restrict row, const int64_t type, int64_t k, int64_t n) {
    for (int64_t part = k / BLOCK_PART; n > 0; part++, to += BLOCK_PART, n -= BLOCK_PART) {
        block_part(to, (const uint8_t *)row + part / block_parts(type) * block_bytes(type), type, (int)(part % block_parts(type)));
    }
}

static void block_numbers(float *restrict to, const char *restrict row, int64_t type, int64_t k, int64_t n) {
    switch (type) {
    case TACA_Q4_0: block_numbers_typed(to, row, TACA_Q4_0, k, n); break;
    case TACA_Q4_1: block_numbers_typed(to, row, TACA_Q4_1, k, n); break;
    case TACA_Q5_0: block_numbers_typed(to, row, TACA_Q5_0, k, n); break;
    case TACA_Q5_1: block_numbers_typed(to, row, TACA_Q5_1, k, n); break;
    case TACA_Q8_0: block_numbers_typed(to, row, TACA_Q8_0, k, n); break;
    case TACA_Q2_K: block_numbers_typed(to, row, TACA_Q2_K, k, n); break;
    case TACA_Q3_K: block_numbers_typed(to, row, TACA_Q3_K, k, n); break;
    case TACA_Q4_K: block_numbers_typed(to, row, TACA_Q4_K, k, n); break;
    case TACA_Q5_K: block_numbers_typed(to, row, TACA_Q5_K, k, n); break;
    default: block_numbers_typed(to, row, TACA_Q6_K, k, n);
    }
}

#endif
