// Quantised weights and what they are multiplied by: rows of x, rotated and
// rounded to integers. tensor.DType.RowBytes and RotationWidth say how.
#ifndef TACA_QUANTISED_H
#define TACA_QUANTISED_H

#include "vec.h"

#if defined(TACA_ISA_QUADS)
enum { QUAD_SHIFT = 2 }; // a word is four int8
#else
enum { QUAD_SHIFT = 1 }; // a word is two int16
#endif

enum {
    QUANT_GRAIN = 32,
    ROTATION = 256,                           // most columns rotated together
    QUAD_BYTES = 4 >> QUAD_SHIFT,             // of a number
    QUANT_DEPTH = 3072,                       // at least the numbers of a slice
    QUAD_GRAIN = 64 / QUAD_BYTES,             // rows of x are filled up with zeros to a cache line
};

// QUAD_OFFSET is what v_integers adds to weights.
#if defined(TACA_ISA_QUADS) && defined(TACA_ISA_AVX512) && !defined(TACA_ISA_AMX) || defined(TACA_ISA_AVXVNNI)
enum { QUAD_OFFSET = 128 }; // the instructions multiply signed by unsigned bytes
#else
enum { QUAD_OFFSET = 0 };
#endif

// v_integers is LANES words of int8 weights, of which n are there; any where
// none are, since x is zero there.
INLINE vec v_integers(const char *p, int64_t n) {
    char few[LANES * 4];
    if (n < LANES << QUAD_SHIFT) {
        memset(few, 0, sizeof few);
        memcpy(few, p, (size_t)n);
        p = few;
    }
#if defined(TACA_ISA_QUADS)
    vec a = v_load(p);
#if defined(TACA_ISA_AVX512)
    return QUAD_OFFSET ? _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi8((char)QUAD_OFFSET))) : a;
#elif defined(TACA_ISA_AVXVNNI)
    return _mm256_castsi256_ps(_mm256_xor_si256(_mm256_castps_si256(a), _mm256_set1_epi8((char)QUAD_OFFSET)));
#else
    return a;
#endif
#elif defined(TACA_ISA_AVX512)
    return _mm512_castsi512_ps(_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p)));
#elif defined(TACA_ISA_AVX2)
    return _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p)));
#else
    int16_t wide[LANES * 2];
    for (int i = 0; i < LANES * 2; i++) {
        wide[i] = (int8_t)p[i];
    }
    return v_load(wide);
#endif
}

// v_dot_integers is s plus the products of the integers of words a, of x, and b,
// from v_integers.
INLINE vec v_dot_integers(vec a, vec b, vec s) {
#if defined(TACA_ISA_AVX512) && defined(TACA_ISA_QUADS)
    return _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(s), _mm512_castps_si512(b), _mm512_castps_si512(a)));
#elif defined(TACA_ISA_AVX512)
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(s), _mm512_madd_epi16(_mm512_castps_si512(a), _mm512_castps_si512(b))));
#elif defined(TACA_ISA_AVXVNNI)
    return _mm256_castsi256_ps(_mm256_dpbusd_avx_epi32(_mm256_castps_si256(s), _mm256_castps_si256(b), _mm256_castps_si256(a)));
#elif defined(TACA_ISA_AVX2)
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(s), _mm256_madd_epi16(_mm256_castps_si256(a), _mm256_castps_si256(b))));
#elif defined(TACA_ISA_NEON) && defined(TACA_ISA_QUADS)
    return vreinterpretq_f32_s32(vdotq_s32(vreinterpretq_s32_f32(s), vreinterpretq_s8_f32(a), vreinterpretq_s8_f32(b)));
#elif defined(TACA_ISA_NEON)
    int16x8_t x = vreinterpretq_s16_f32(a), y = vreinterpretq_s16_f32(b);
    int32x4_t p = vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(s), p));
#else
    vec_mask x = (vec_mask)a, y = (vec_mask)b;
    vec_mask low = ((vec_mask)((vec_bits)x << 16) >> 16) * ((vec_mask)((vec_bits)y << 16) >> 16);
    return (vec)((vec_mask)s + low + (x >> 16) * (y >> 16));
#endif
}

INLINE int is_quantised(int64_t type) { return type == TACA_Q8 || type == TACA_Q4; }

// rotation_width is how many neighbouring columns are rotated together.
INLINE int64_t rotation_width(int64_t cols) {
    int64_t width = cols & -cols;
    return width < ROTATION ? width : ROTATION;
}

// weight_scale is the factor of a row of quantised weights.
INLINE float weight_scale(const char *row, int64_t type, int64_t cols) {
    float scale;
    memcpy(&scale, row + (type == TACA_Q8 ? cols : cols / 2 + cols / QUANT_GRAIN), sizeof scale);
    return scale;
}

// weight_integers writes n integers of a row from column k on, which is a
// multiple of QUANT_GRAIN as n is.
INLINE void weight_integers(int8_t *restrict to, const char *restrict row, int64_t type, int64_t cols, int64_t k, int64_t n) {
    if (type == TACA_Q8) {
        memcpy(to, row + k, (size_t)n);
        return;
    }
    const uint8_t *nibbles = (const uint8_t *)row + k / 2, *factors = (const uint8_t *)row + cols / 2 + k / QUANT_GRAIN;
    for (int64_t g = 0; g < n / QUANT_GRAIN; g++, to += QUANT_GRAIN, nibbles += QUANT_GRAIN / 2) {
        const int8_t m = (int8_t)factors[g];
        for (int i = 0; i < QUANT_GRAIN / 2; i++) {
            to[i] = (int8_t)((int8_t)(((nibbles[i] & 15) ^ 8) - 8) * m);
            to[i + QUANT_GRAIN / 2] = (int8_t)((int8_t)((nibbles[i] >> 4 ^ 8) - 8) * m);
        }
    }
}

// signs is the diagonal of tensor.RotationSign.
static void signs(float *restrict to, int64_t n) {
    for (int k = 0; k < n; k++) {
        to[k] = 0x6996 >> (k & k >> 4 & 15) & 1 ? -1.0f : 1.0f;
    }
}

// butterfly is a Hadamard matrix of two times neighbours that are h lanes apart.
INLINE vec butterfly(vec a, vec sign, int h) { return v_fma(a, sign, v_swap(a, h)); }

// TOGETHER is how many vectors go through several butterflies without memory.
#if defined(TACA_ISA_AVX512)
enum { TOGETHER = 16 };
#elif defined(TACA_ISA_NEON) || defined(TACA_ISA_AVX2)
enum { TOGETHER = 8 };
#else
enum { TOGETHER = 4 };
#endif

// in_lanes is the butterflies inside of vectors.
INLINE void in_lanes(vec *r, const int n) {
    static const float ones[4][16] = {{1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1},
                                      {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1},
                                      {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1},
                                      {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1}};
#pragma GCC unroll 4
    for (int s = 0, h = 1; h < LANES; s++, h *= 2) {
        const vec sign = v_load(ones[s]);
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) {
            r[i] = butterfly(r[i], sign, h);
        }
    }
}

// butterflies is those of n vectors h numbers apart from p on, after those inside
// of them where they are neighbours.
INLINE void butterflies(float *p, int64_t h, const int n, const int lanes) {
    vec r[TOGETHER];
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) {
        r[i] = v_load(p + i * h);
    }
    if (lanes) {
        in_lanes(r, n);
    }
#pragma GCC unroll 4
    for (int d = 1; d < n; d *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) {
            if (!(i & d)) {
                vec a = r[i], b = r[i + d];
                r[i] = v_add(a, b);
                r[i + d] = v_sub(a, b);
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) {
        v_store(p + i * h, r[i]);
    }
}

// hadamard multiplies width numbers, a power of two from 32 to ROTATION, by the
// Hadamard matrix.
static void hadamard(float *restrict p, int64_t width) {
    int64_t h = LANES;
    if (width >= TOGETHER * LANES) {
        for (int64_t i = 0; i < width; i += TOGETHER * LANES) {
            butterflies(p + i, LANES, TOGETHER, 1);
        }
        h = TOGETHER * LANES;
    } else {
        for (int64_t i = 0; i < width; i += LANES) {
            butterflies(p + i, LANES, 1, 1);
        }
    }
    for (; h < width; h *= 2) {
        for (int64_t i = 0; i < width; i += 2 * h) {
            for (int64_t j = i; j < i + h; j += LANES) {
                butterflies(p + j, h, 2, 0);
            }
        }
    }
}

// sum_of is what n int8 add up to; they are zero from there to the next vector.
INLINE int32_t sum_of(const int8_t *few, int64_t n) {
    int8_t ones[LANES * 4];
    int32_t lanes[LANES], total = 0;
    memset(ones, 1, sizeof ones);
    vec sum = v_zero();
    for (int64_t k = 0; k < n; k += LANES * 4) {
        sum = v_dot_integers(v_load(few + k), v_load(ones), sum);
    }
    v_store(lanes, sum);
    for (int i = 0; i < LANES; i++) {
        total += lanes[i];
    }
    return total;
}

// quantise_row rotates a row of x and rounds it: to · scale is the rotated row,
// and sum is that of its integers, where v_integers is offset. to is zero beyond
// the row as far as a cache line, and room has space for a row of floats. NaN and
// infinities make the scale NaN.
static float quantise_row(void *restrict to, int32_t *restrict sum, const void *restrict row, int64_t type, int64_t n, const float *restrict sign, float *restrict room) {
    const int64_t width = rotation_width(n);
    vec most = v_zero(), odd = v_zero();
    for (int64_t lo = 0; lo < n; lo += width) {
        for (int64_t k = lo; k < lo + width; k += LANES) {
            v_store(room + k, v_mul(v_get(row, type, k), v_load(sign + k % ROTATION)));
        }
        hadamard(room + lo, width);
        for (int64_t k = lo; k < lo + width; k += LANES) {
            vec a = v_load(room + k);
            most = v_max(v_abs(a), most);
            odd = v_fma(a, v_zero(), odd); // NaN where a is not finite
        }
    }
    float peak = v_peak(most);
    const vec factor = v_set(peak > 0 ? 127 / peak : 0);
    for (int64_t k = 0; k < n; k += LANES) {
#if defined(TACA_ISA_QUADS)
        v_round_int8((int8_t *)to + k, v_mul(v_load(room + k), factor));
#else
        int8_t few[LANES];
        v_round_int8(few, v_mul(v_load(room + k), factor));
        for (int i = 0; i < LANES; i++) {
            ((int16_t *)to)[k + i] = few[i];
        }
#endif
    }
    *sum = QUAD_OFFSET != 0 ? sum_of(to, n) : 0;
    return peak / 127 + v_sum(odd);
}

#if defined(TACA_ISA_AMX)
enum { IN_TILES = 1 };
#else
enum { IN_TILES = 0 };
#endif

// quantised_row_bytes is how many bytes a row of the packed left operand takes.
INLINE int64_t quantised_row_bytes(int64_t in) {
    return taca_packed_row(in, (taca_tiling){.grain = QUAD_GRAIN, .bytes = QUAD_BYTES, .tiles = IN_TILES});
}

// row_scales is the factors of the rows of the packed left operand, which come
// after it, and row_sums what their integers add up to.
INLINE float *row_scales(const taca_linear *a, int64_t strip) {
    int64_t rows = (a->x.rows + strip - 1) / strip * strip;
    return (float *)(a->packed + (uintptr_t)(rows * quantised_row_bytes(a->x.cols)));
}

INLINE int32_t *row_sums(const taca_linear *a, int64_t strip) {
    return (int32_t *)row_scales(a, strip) + (a->x.rows + strip - 1) / strip * strip;
}

// dequantise writes the numbers that a row of quantised weights stands for.
static void dequantise(float *restrict to, const char *restrict row, int64_t type, int64_t cols) {
    float sign[ROTATION];
    int8_t few[QUANT_GRAIN];
    signs(sign, ROTATION);
    for (int64_t k = 0; k < cols; k += QUANT_GRAIN) {
        weight_integers(few, row, type, cols, k, QUANT_GRAIN);
        for (int i = 0; i < QUANT_GRAIN; i++) {
            to[k + i] = few[i];
        }
    }
    for (int64_t k = 0; k < cols; k += rotation_width(cols)) {
        hadamard(to + k, rotation_width(cols));
    }
    const vec scale = v_set(weight_scale(row, type, cols));
    for (int64_t k = 0; k < cols; k += LANES) {
        v_store(to + k, v_mul(v_mul(v_load(to + k), v_load(sign + k % ROTATION)), scale));
    }
}

#endif
