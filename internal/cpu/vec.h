// A small vocabulary of vectors of float, written once per instruction set.
// An isa_*.c file says which by defining TACA_ISA_AVX2, TACA_ISA_AVX512 or
// TACA_ISA_NEON; none of them means portable C. Addresses need no alignment.
#ifndef TACA_VEC_H
#define TACA_VEC_H

#include "kernels.h"

#include <string.h>

#if defined(TACA_ISA_AVX2) || defined(TACA_ISA_AVX512)
#include <immintrin.h>
#elif defined(TACA_ISA_NEON)
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))

#if defined(TACA_ISA_AVX512)

typedef __m512 vec;
enum { LANES = 16 };

INLINE vec v_zero(void) { return _mm512_setzero_ps(); }
INLINE vec v_set(float a) { return _mm512_set1_ps(a); }
INLINE vec v_load(const void *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(void *p, vec a) { _mm512_storeu_ps(p, a); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
INLINE vec v_abs(vec a) { return _mm512_abs_ps(a); }
INLINE vec v_pick_negative(vec by, vec yes, vec no) {
    return _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(by)), no, yes);
}
INLINE vec v_exponent(vec a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23)); }
INLINE vec v_swap_pairs(vec a) { return _mm512_permute_ps(a, 0xb1); }
// v_swap makes lane i of lane i^h.
INLINE vec v_swap(vec a, const int h) {
    return h == 1 ? _mm512_permute_ps(a, 0xb1) : h == 2 ? _mm512_permute_ps(a, 0x4e) : h == 4 ? _mm512_shuffle_f32x4(a, a, 0xb1) : _mm512_shuffle_f32x4(a, a, 0x4e);
}
// v_round_int8 stores LANES integers; numbers are within ±127.
INLINE void v_round_int8(int8_t *p, vec a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a))); }
// v_fraction is a less the greatest integer below it.
INLINE vec v_fraction(vec a) { return _mm512_reduce_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
// v_reciprocal is 1 / a to 2^-14.
INLINE vec v_reciprocal(vec a) { return _mm512_rcp14_ps(a); }
// v_times_exp2 is a · 2ⁿ, n the greatest integer below b.
INLINE vec v_times_exp2(vec a, vec b) { return _mm512_scalef_ps(a, b); }
INLINE vec v_from_int32(vec a) { return _mm512_cvtepi32_ps(_mm512_castps_si512(a)); }
INLINE vec v_sub_int32(vec a, int32_t b) { return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(a), _mm512_set1_epi32(b))); }
INLINE vec v_even(vec a) { return _mm512_moveldup_ps(a); }
INLINE vec v_odd(vec a) { return _mm512_movehdup_ps(a); }
// v_transpose makes row i of a LANES × LANES matrix its column i.
INLINE void v_transpose(vec *r) {
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
#pragma GCC unroll 4
    for (int h = 1; h < 16; h *= 2) { // lane bit h swaps places with row bit h
        const __m512i bit = _mm512_and_si512(lane, _mm512_set1_epi32(h));
        const __m512i high = _mm512_or_si512(_mm512_andnot_si512(_mm512_set1_epi32(h), lane), _mm512_slli_epi32(bit, 4 - __builtin_ctz(h)));
        const __m512i low = _mm512_add_epi32(high, _mm512_set1_epi32(h));
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            if ((i & h) == 0) {
                vec a = r[i], b = r[i + h];
                r[i] = _mm512_permutex2var_ps(a, high, b);
                r[i + h] = _mm512_permutex2var_ps(a, low, b);
            }
        }
    }
}
INLINE float v_sum(vec a) { return _mm512_reduce_add_ps(a); }
INLINE float v_peak(vec a) { return _mm512_reduce_max_ps(a); }
INLINE vec v_load_bf16(const void *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}
INLINE vec v_load_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE float v_half(uint16_t h) { return _cvtsh_ss(h); }
// v_bits is bits of LANES bytes, from the shift-th on, as numbers.
INLINE vec v_bits(const uint8_t *p, int shift, int mask) {
    __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srl_epi32(bytes, _mm_cvtsi32_si128(shift)), _mm512_set1_epi32(mask)));
}
// v_load_f8e5m2 is the upper halves of F16.
INLINE vec v_load_f8e5m2(const void *p) { return _mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128(p)), 8)); }
INLINE vec v_load_f8(const void *p) {
    __m256i bits = _mm256_cvtepi8_epi16(_mm_loadu_si128(p)); // seen as half: sign, value / 256
    __m256i half = _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi16((short)0x8000)),
                                   _mm256_slli_epi16(_mm256_and_si256(bits, _mm256_set1_epi16(0x7f)), 7));
    __m256i nan = _mm256_cmpeq_epi16(_mm256_and_si256(bits, _mm256_set1_epi16(0x7f)), _mm256_set1_epi16(0x7f));
    return _mm512_mul_ps(_mm512_cvtph_ps(_mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7e00)))), _mm512_set1_ps(256));
}
INLINE void v_store_bf16(void *p, vec a) {
    __m512i bits = _mm512_castps_si512(a), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    bits = _mm512_mask_mov_epi32(bits, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), _mm512_set1_epi32(0x7fc00000));
    _mm256_storeu_si256(p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
}

#elif defined(TACA_ISA_AVX2)

typedef __m256 vec;
enum { LANES = 8 };

INLINE vec v_zero(void) { return _mm256_setzero_ps(); }
INLINE vec v_set(float a) { return _mm256_set1_ps(a); }
INLINE vec v_load(const void *p) { return _mm256_loadu_ps(p); }
INLINE void v_store(void *p, vec a) { _mm256_storeu_ps(p, a); }
INLINE vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
INLINE vec v_min(vec a, vec b) { return _mm256_min_ps(a, b); }
INLINE vec v_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE vec v_pick_negative(vec by, vec yes, vec no) { return _mm256_blendv_ps(no, yes, by); }
INLINE vec v_exponent(vec a) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23)); }
INLINE vec v_swap_pairs(vec a) { return _mm256_permute_ps(a, 0xb1); }
INLINE vec v_swap(vec a, const int h) {
    return h == 1 ? _mm256_permute_ps(a, 0xb1) : h == 2 ? _mm256_permute_ps(a, 0x4e) : _mm256_permute2f128_ps(a, a, 0x01);
}
INLINE void v_round_int8(int8_t *p, vec a) {
    __m256i i = _mm256_cvtps_epi32(a);
    __m128i s = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(s, s));
}
INLINE vec v_from_int32(vec a) { return _mm256_cvtepi32_ps(_mm256_castps_si256(a)); }
INLINE vec v_sub_int32(vec a, int32_t b) { return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(a), _mm256_set1_epi32(b))); }
INLINE vec v_even(vec a) { return _mm256_moveldup_ps(a); }
INLINE vec v_odd(vec a) { return _mm256_movehdup_ps(a); }
INLINE void v_transpose(vec *r) {
    vec t[8];
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        vec a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        vec c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44), t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44), t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}
INLINE float v_sum(vec a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE float v_peak(vec a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
INLINE vec v_load_bf16(const void *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
INLINE vec v_load_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
INLINE float v_half(uint16_t h) { return _cvtsh_ss(h); }
INLINE vec v_bits(const uint8_t *p, int shift, int mask) {
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srl_epi32(bytes, _mm_cvtsi32_si128(shift)), _mm256_set1_epi32(mask)));
}
INLINE vec v_load_f8e5m2(const void *p) { return _mm256_cvtph_ps(_mm_slli_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64(p)), 8)); }
INLINE vec v_load_f8(const void *p) {
    __m128i bits = _mm_cvtepi8_epi16(_mm_loadl_epi64(p)); // seen as half: sign, value / 256
    __m128i half = _mm_or_si128(_mm_and_si128(bits, _mm_set1_epi16((short)0x8000)),
                                _mm_slli_epi16(_mm_and_si128(bits, _mm_set1_epi16(0x7f)), 7));
    __m128i nan = _mm_cmpeq_epi16(_mm_and_si128(bits, _mm_set1_epi16(0x7f)), _mm_set1_epi16(0x7f));
    return _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(half, _mm_and_si128(nan, _mm_set1_epi16(0x7e00)))), _mm256_set1_ps(256));
}
INLINE void v_store_bf16(void *p, vec a) {
    __m256i bits = _mm256_castps_si256(a), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    bits = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    bits = _mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7fc00000), _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)));
    bits = _mm256_srli_epi32(bits, 16);
    bits = _mm256_permute4x64_epi64(_mm256_packus_epi32(bits, bits), 0x08);
    _mm_storeu_si128(p, _mm256_castsi256_si128(bits));
}

#elif defined(TACA_ISA_NEON)

typedef float32x4_t vec;
enum { LANES = 4 };

INLINE vec v_zero(void) { return vdupq_n_f32(0); }
INLINE vec v_set(float a) { return vdupq_n_f32(a); }
INLINE vec v_load(const void *p) { return vreinterpretq_f32_u8(vld1q_u8(p)); }
INLINE void v_store(void *p, vec a) { vst1q_u8(p, vreinterpretq_u8_f32(a)); }
INLINE vec v_add(vec a, vec b) { return vaddq_f32(a, b); }
INLINE vec v_sub(vec a, vec b) { return vsubq_f32(a, b); }
INLINE vec v_mul(vec a, vec b) { return vmulq_f32(a, b); }
INLINE vec v_div(vec a, vec b) { return vdivq_f32(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
INLINE vec v_max(vec a, vec b) { return vmaxq_f32(a, b); }
INLINE vec v_min(vec a, vec b) { return vminq_f32(a, b); }
INLINE vec v_abs(vec a) { return vabsq_f32(a); }
INLINE vec v_pick_negative(vec by, vec yes, vec no) {
    return vbslq_f32(vcltzq_s32(vreinterpretq_s32_f32(by)), yes, no);
}
INLINE vec v_exponent(vec a) { return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(a), 23)); }
INLINE vec v_swap_pairs(vec a) { return vrev64q_f32(a); }
INLINE vec v_swap(vec a, const int h) { return h == 1 ? vrev64q_f32(a) : vextq_f32(a, a, 2); }
INLINE void v_round_int8(int8_t *p, vec a) {
    int16x4_t s = vmovn_s32(vcvtnq_s32_f32(a));
    uint32_t four = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(s, s))), 0);
    memcpy(p, &four, sizeof four);
}
INLINE vec v_from_int32(vec a) { return vcvtq_f32_s32(vreinterpretq_s32_f32(a)); }
INLINE vec v_sub_int32(vec a, int32_t b) { return vreinterpretq_f32_s32(vsubq_s32(vreinterpretq_s32_f32(a), vdupq_n_s32(b))); }
INLINE vec v_even(vec a) { return vtrn1q_f32(a, a); }
INLINE vec v_odd(vec a) { return vtrn2q_f32(a, a); }
INLINE void v_transpose(vec *r) {
    float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}
INLINE float v_sum(vec a) { return vaddvq_f32(a); }
INLINE float v_peak(vec a) { return vmaxvq_f32(a); }
INLINE vec v_load_bf16(const void *p) { return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16)); }
INLINE vec v_load_f16(const void *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
INLINE float v_half(uint16_t h) { return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h))), 0); }
INLINE vec v_bits(const uint8_t *p, int shift, int mask) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    uint32x4_t bytes = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
    return vcvtq_f32_u32(vandq_u32(vshlq_u32(bytes, vdupq_n_s32(-shift)), vdupq_n_u32((uint32_t)mask)));
}
INLINE vec v_load_f8e5m2(const void *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(vshll_n_u8(vcreate_u8(four), 8))));
}
INLINE vec v_load_f8(const void *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    int16x4_t bits = vget_low_s16(vmovl_s8(vcreate_s8(four))); // seen as half: sign, value / 256
    int16x4_t low = vand_s16(bits, vdup_n_s16(0x7f));
    int16x4_t half = vorr_s16(vand_s16(bits, vdup_n_s16((int16_t)0x8000)), vshl_n_s16(low, 7));
    half = vorr_s16(half, vand_s16(vreinterpret_s16_u16(vceq_s16(low, vdup_n_s16(0x7f))), vdup_n_s16(0x7e00)));
    return vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_s16(half)), 256);
}
INLINE void v_store_bf16(void *p, vec a) {
    uint32x4_t bits = vreinterpretq_u32_f32(a), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    bits = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    bits = vbslq_u32(vceqq_f32(a, a), bits, vdupq_n_u32(0x7fc00000));
    vst1_u8(p, vreinterpret_u8_u16(vshrn_n_u32(bits, 16)));
}

#else

typedef float vec __attribute__((vector_size(16)));
typedef int32_t vec_mask __attribute__((vector_size(16)));
typedef uint32_t vec_bits __attribute__((vector_size(16)));
enum { LANES = 4 };

INLINE vec v_zero(void) { return (vec){0}; }
INLINE vec v_set(float a) { return (vec){a, a, a, a}; }
INLINE vec v_load(const void *p) {
    vec a;
    memcpy(&a, p, sizeof a);
    return a;
}
INLINE void v_store(void *p, vec a) { memcpy(p, &a, sizeof a); }
INLINE vec v_add(vec a, vec b) { return a + b; }
INLINE vec v_sub(vec a, vec b) { return a - b; }
INLINE vec v_mul(vec a, vec b) { return a * b; }
INLINE vec v_div(vec a, vec b) { return a / b; }
INLINE vec v_fma(vec a, vec b, vec c) { return a * b + c; } // rounds twice: fmaf without hardware is slow
INLINE vec v_choose(vec_mask mask, vec yes, vec no) { return (vec)((mask & (vec_mask)yes) | (~mask & (vec_mask)no)); }
INLINE vec v_max(vec a, vec b) { return v_choose(a > b, a, b); }
INLINE vec v_min(vec a, vec b) { return v_choose(a < b, a, b); }
INLINE vec v_abs(vec a) { return (vec)((vec_bits)a & 0x7fffffff); }
INLINE vec v_pick_negative(vec by, vec yes, vec no) { return v_choose((vec_mask)by < 0, yes, no); }
INLINE vec v_exponent(vec a) { return (vec)((vec_bits)a << 23); }
INLINE vec v_swap_pairs(vec a) { return (vec){a[1], a[0], a[3], a[2]}; }
INLINE vec v_swap(vec a, const int h) { return h == 1 ? (vec){a[1], a[0], a[3], a[2]} : (vec){a[2], a[3], a[0], a[1]}; }
INLINE void v_round_int8(int8_t *p, vec a) {
    vec_mask bits = (vec_mask)(a + 0x1.8p23f); // whose lowest bits are now the integer
    for (int i = 0; i < 4; i++) {
        p[i] = (int8_t)bits[i];
    }
}
INLINE vec v_from_int32(vec a) { return __builtin_convertvector((vec_mask)a, vec); }
INLINE vec v_sub_int32(vec a, int32_t b) { return (vec)((vec_mask)a - b); }
INLINE vec v_even(vec a) { return (vec){a[0], a[0], a[2], a[2]}; }
INLINE vec v_odd(vec a) { return (vec){a[1], a[1], a[3], a[3]}; }
INLINE void v_transpose(vec *r) {
    vec a = r[0], b = r[1], c = r[2], d = r[3];
    for (int i = 0; i < 4; i++) {
        r[i] = (vec){a[i], b[i], c[i], d[i]};
    }
}
INLINE float v_sum(vec a) { return (a[0] + a[2]) + (a[1] + a[3]); }
INLINE float v_peak(vec a) {
    float b = a[0] > a[2] ? a[0] : a[2], c = a[1] > a[3] ? a[1] : a[3];
    return b > c ? b : c;
}
INLINE vec v_load_bf16(const void *p) {
    uint16_t h[4];
    memcpy(h, p, sizeof h);
    return (vec)((vec_bits){h[0], h[1], h[2], h[3]} << 16);
}
INLINE float half_value(int32_t h) {
    int32_t low = h & 0x7fff, sign = (int32_t)((uint32_t)(h & 0x8000) << 16);
    int32_t wide = low >= 0x7c00 ? (low << 13) + (224 << 23) : (low << 13) + (112 << 23);
    float tiny = (float)low * 0x1p-24f, a;
    memcpy(&a, &wide, sizeof a);
    a = low < 0x400 ? tiny : a;
    memcpy(&wide, &a, sizeof a);
    wide |= sign;
    memcpy(&a, &wide, sizeof a);
    return a;
}
INLINE vec v_load_f16(const void *p) {
    uint16_t h[4];
    memcpy(h, p, sizeof h);
    return (vec){half_value(h[0]), half_value(h[1]), half_value(h[2]), half_value(h[3])};
}
INLINE float v_half(uint16_t h) { return half_value(h); }
INLINE vec v_bits(const uint8_t *p, int shift, int mask) {
    return __builtin_convertvector((vec_mask){p[0], p[1], p[2], p[3]} >> shift & mask, vec);
}
INLINE vec v_load_f8e5m2(const void *p) {
    uint8_t b[4];
    memcpy(b, p, sizeof b);
    return (vec){half_value(b[0] << 8), half_value(b[1] << 8), half_value(b[2] << 8), half_value(b[3] << 8)};
}
INLINE vec v_load_f8(const void *p) {
    uint8_t b[4];
    float a[4];
    memcpy(b, p, sizeof b);
    for (int i = 0; i < 4; i++) { // seen as half: sign, value / 256
        a[i] = half_value((b[i] & 0x80) << 8 | ((b[i] & 0x7f) == 0x7f ? 0x7e00 : (b[i] & 0x7f) << 7)) * 256;
    }
    return v_load(a);
}
INLINE void v_store_bf16(void *p, vec a) {
    vec_bits bits = (vec_bits)a, odd = (bits >> 16) & 1;
    bits = (vec_bits)v_choose(a == a, (vec)(bits + odd + 0x7fff), (vec)((vec_bits){0} + 0x7fc00000)) >> 16;
    uint16_t h[4] = {(uint16_t)bits[0], (uint16_t)bits[1], (uint16_t)bits[2], (uint16_t)bits[3]};
    memcpy(p, h, sizeof h);
}

#endif

#if defined(TACA_ISA_BF16)
// v_pair is pairs of BF16: low from a, high from b, whose other bits are 0.
INLINE vec v_pair(vec a, vec b) {
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(b), _mm512_srli_epi32(_mm512_castps_si512(a), 16)));
}
// v_pair_near rounds a and b, not negative and finite, to pairs of BF16.
INLINE vec v_pair_near(vec a, vec b) {
    __m512i low = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_set1_epi32(0x8000)), 16);
    __m512i high = _mm512_add_epi32(_mm512_castps_si512(b), _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaaaaaa, low, high));
}
// v_dot is c plus the products of the pairs of a and b.
INLINE vec v_dot(vec a, vec b, vec c) {
    return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}
#endif

// element_size is the bytes of an element, and 1 for quantised weights, whose
// strides count bytes.
INLINE int64_t element_size(int64_t type) { return type == TACA_F32 ? 4 : type == TACA_BF16 || type == TACA_F16 ? 2 : 1; }

// v_get is elements i, i+1, ... of the row at p.
INLINE vec v_get(const void *p, int64_t type, int64_t i) {
    const char *at = (const char *)p + i * element_size(type);
    switch (type) {
    case TACA_F32: return v_load(at);
    case TACA_BF16: return v_load_bf16(at);
    case TACA_F16: return v_load_f16(at);
    case TACA_F8E5M2: return v_load_f8e5m2(at);
    default: return v_load_f8(at);
    }
}

// v_get_part is elements i .. i+n-1 of the row at p, then zeros; n ≤ LANES.
INLINE vec v_get_part(const void *p, int64_t type, int64_t i, int64_t n) {
    if (n == LANES) {
        return v_get(p, type, i);
    }
    float few[LANES] = {0};
    memcpy(few, (const char *)p + i * element_size(type), (size_t)(n * element_size(type)));
    return v_get(few, type, 0);
}

// v_put rounds a to type, F32 or BF16, at elements i, i+1, ... of the row at p.
INLINE void v_put(void *p, int64_t type, int64_t i, vec a) {
    char *at = (char *)p + i * element_size(type);
    type == TACA_F32 ? v_store(at, a) : v_store_bf16(at, a);
}

// v_put_part writes only the first n elements.
INLINE void v_put_part(void *p, int64_t type, int64_t i, int64_t n, vec a) {
    if (n == LANES) {
        v_put(p, type, i, a);
        return;
    }
    float few[LANES];
    v_put(few, type, 0, a);
    memcpy((char *)p + i * element_size(type), few, (size_t)(n * element_size(type)));
}

// widen copies n elements of the row at p, as floats, to out, whose last
// vector is filled up with zeros.
static inline void widen(float *restrict out, const void *p, int64_t type, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v_store(out + i, v_get(p, type, i));
    }
    if (i < n) {
        v_store(out + i, v_get_part(p, type, i, n - i));
    }
}

// row_of is the address of row i.
INLINE void *row_of(const taca_matrix *m, int64_t i) {
    return (void *)(m->at + (uintptr_t)(i * m->stride * element_size(m->type)));
}

#endif
