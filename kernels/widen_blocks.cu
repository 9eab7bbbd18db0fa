// ggml's blocks of weights as the numbers they stand for, bit for bit those of
// gguf.quants.dequantize: no product and sum are fused. Rows of a matrix, or
// those that ids names; dst = scale · numbers.
//
// Launch: blocks of 256 threads; a warp takes 256 columns of a row at a time, a
// lane one column of each part of 32. In the K formats neighbouring lanes read
// neighbouring bytes, which hold the bits of several parts.
#include "formats.cuh"

typedef unsigned char byte;

static __device__ __forceinline__ float half_at(const byte* p) { return from_f16(*(const unsigned short*)p); } // blocks have an even size

static __device__ __forceinline__ float times(float scale, int q) { return __fmul_rn(scale, (float)q); }

// nibble is a column of Q4_0, Q4_1, Q5_0 or Q5_1: byte i has columns i and i+16.
template <bool FIFTH, bool LEAST> static __device__ __forceinline__ float nibble(const byte* b, int i) {
    const byte* q = b + (LEAST ? 4 : 2) + (FIFTH ? 4 : 0);
    int         v = q[i & 15] >> (i & 16 ? 4 : 0) & 15;
    if (FIFTH) v |= (q[-4 + (i >> 3)] >> (i & 7) & 1) << 4;
    return LEAST ? __fadd_rn(times(half_at(b), v), half_at(b + 2)) : times(half_at(b), v - (FIFTH ? 16 : 8));
}

// six_bits is the factor and the minimum of part p of Q4_K and Q5_K.
static __device__ __forceinline__ void six_bits(const byte* b, int p, float& by, float& least) {
    const byte* s = b + 4;
    by = times(half_at(b), p < 4 ? s[p] & 63 : (s[p + 4] & 15) | (s[p - 4] >> 2 & 48));
    least = times(half_at(b + 2), p < 4 ? s[p + 4] & 63 : s[p + 4] >> 4 | (s[p] >> 2 & 48));
}

// element is column i of part p of block b.
template <int FORMAT> static __device__ __forceinline__ float element(const byte* b, int p, int i) {
    switch (FORMAT) {
    case TACA_Q4_0: return nibble<false, false>(b, i);
    case TACA_Q4_1: return nibble<false, true>(b, i);
    case TACA_Q5_0: return nibble<true, false>(b, i);
    case TACA_Q5_1: return nibble<true, true>(b, i);
    case TACA_Q8_0: return times(half_at(b), (signed char)b[2 + i]);
    case TACA_Q2_K: {
        const byte scale = b[2 * p + i / 16];
        const int  q = b[16 + p / 4 * 32 + i] >> p % 4 * 2 & 3;
        return __fsub_rn(times(times(half_at(b + 80), scale & 15), q), times(half_at(b + 82), scale >> 4));
    }
    case TACA_Q3_K: {
        const byte* s = b + 96;
        const int   j = 2 * p + i / 16, scale = (s[j & 7] >> (j >> 3) * 4 & 15) | (s[8 + (j & 3)] >> (j >> 2) * 2 & 3) << 4;
        const int   q = (b[32 + p / 4 * 32 + i] >> p % 4 * 2 & 3) - (b[i] >> p & 1 ? 0 : 4);
        return times(times(half_at(b + 108), scale - 32), q);
    }
    case TACA_Q4_K: {
        float by, least;
        six_bits(b, p, by, least);
        return __fsub_rn(times(by, b[16 + p / 2 * 32 + i] >> p % 2 * 4 & 15), least);
    }
    case TACA_Q5_K: {
        float by, least;
        six_bits(b, p, by, least);
        return __fsub_rn(times(by, (b[48 + p / 2 * 32 + i] >> p % 2 * 4 & 15) | (b[16 + i] >> p & 1) << 4), least);
    }
    default: {
        const int q = (b[p / 4 * 64 + p % 2 * 32 + i] >> p % 4 / 2 * 4 & 15) | (b[128 + p / 4 * 32 + i] >> p % 4 * 2 & 3) << 4;
        return times(times(half_at(b + 208), (signed char)b[192 + 2 * p + i / 16]), q - 32);
    }
    }
}

template <int FORMAT, int BYTES, bool K> static __device__ __forceinline__ void widen_rows(const taca_gather_args& p) {
    const int       lane = threadIdx.x % 32;
    const long long across = (p.cols + 255) / 256;
    for (long long u = blockIdx.x * 8LL + threadIdx.x / 32; u < p.rows * across; u += gridDim.x * 8LL) {
        const long long r = u / across, at = u % across * 256, from = p.ids ? ((const int*)p.ids)[r] : r;
        const byte*     b = (const byte*)p.table.at + from * p.table.stride + at / (K ? 256 : 32) * BYTES;
#pragma unroll
        for (int part = 0; part < 8; part++) {
            const long long k = at + 32 * part;
            if (k >= p.cols) break;
            store_one(p.dst, r, k + lane, (float)p.scale * element<FORMAT>(K ? b : b + part * BYTES, part, lane));
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) taca_widen_blocks(const taca_gather_args p) {
    switch (p.table.format) {
    case TACA_Q4_0: widen_rows<TACA_Q4_0, 18, false>(p); break;
    case TACA_Q4_1: widen_rows<TACA_Q4_1, 20, false>(p); break;
    case TACA_Q5_0: widen_rows<TACA_Q5_0, 22, false>(p); break;
    case TACA_Q5_1: widen_rows<TACA_Q5_1, 24, false>(p); break;
    case TACA_Q8_0: widen_rows<TACA_Q8_0, 34, false>(p); break;
    case TACA_Q2_K: widen_rows<TACA_Q2_K, 84, true>(p); break;
    case TACA_Q3_K: widen_rows<TACA_Q3_K, 110, true>(p); break;
    case TACA_Q4_K: widen_rows<TACA_Q4_K, 144, true>(p); break;
    case TACA_Q5_K: widen_rows<TACA_Q5_K, 176, true>(p); break;
    default: widen_rows<TACA_Q6_K, 210, true>(p);
    }
}
