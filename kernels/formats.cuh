// Reading and writing matrices whose number format is known at run time only.
// The format is the same for all threads, so the branch on it costs an
// instruction and never diverges.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "mma.cuh"
#include "taca.h"

// fours reports whether four elements of every row can be moved at once.
static __device__ __forceinline__ bool fours(const taca_matrix& m, long long cols) {
    const unsigned long long bytes = m.format == TACA_F32 ? 4 : m.format == TACA_F8E4M3 || m.format == TACA_F8E5M2 ? 1 : 2;
    return ((m.at | m.stride * bytes) & (4 * bytes - 1)) == 0 && (cols & 3) == 0;
}

static __device__ __forceinline__ float bf16_low(unsigned int u) { return __uint_as_float(u << 16); }
static __device__ __forceinline__ float bf16_high(unsigned int u) { return __uint_as_float(u & 0xffff0000u); }

// from_f8 widens an F8_E4M3 number: the exponent moves from bias 7 to 127 by a
// multiplication, which gets subnormals right, and 0x7f is NaN.
static __device__ __forceinline__ float from_f8(unsigned int byte) {
    const unsigned int magnitude = byte & 0x7f;
    const float        v = __uint_as_float(magnitude << 20) * 1.329227995784916e36f; // 2^120
    const float        r = magnitude == 0x7f ? __uint_as_float(0x7fc00000u) : v;
    return byte & 0x80 ? -r : r;
}

static __device__ __forceinline__ float from_f16(unsigned short bits) { return __half2float(__ushort_as_half(bits)); }

// from_f8e5m2 widens the upper half of an F16.
static __device__ __forceinline__ float from_f8e5m2(unsigned int byte) { return from_f16((unsigned short)(byte << 8)); }

// load reads elements i, i+1, ... of row r: one, or four where fours() allows.
template <int N> static __device__ __forceinline__ void load(const taca_matrix& m, long long r, long long i, float (&v)[N]);

template <> __device__ __forceinline__ void load<1>(const taca_matrix& m, long long r, long long i, float (&v)[1]) {
    const long long at = r * m.stride + i;
    switch (m.format) {
    case TACA_F32: v[0] = ((const float*)m.at)[at]; break;
    case TACA_BF16: v[0] = bf16_low(((const unsigned short*)m.at)[at]); break;
    case TACA_F16: v[0] = from_f16(((const unsigned short*)m.at)[at]); break;
    case TACA_F8E5M2: v[0] = from_f8e5m2(((const unsigned char*)m.at)[at]); break;
    default: v[0] = from_f8(((const unsigned char*)m.at)[at]);
    }
}

template <> __device__ __forceinline__ void load<4>(const taca_matrix& m, long long r, long long i, float (&v)[4]) {
    const long long at = r * m.stride + i;
    switch (m.format) {
    case TACA_F32: {
        const float4 f = *(const float4*)((const float*)m.at + at);
        v[0] = f.x, v[1] = f.y, v[2] = f.z, v[3] = f.w;
        break;
    }
    case TACA_BF16: {
        const uint2 u = *(const uint2*)((const unsigned short*)m.at + at);
        v[0] = bf16_low(u.x), v[1] = bf16_high(u.x), v[2] = bf16_low(u.y), v[3] = bf16_high(u.y);
        break;
    }
    case TACA_F16: {
        const uint2 u = *(const uint2*)((const unsigned short*)m.at + at);
        v[0] = from_f16(u.x & 0xffff), v[1] = from_f16(u.x >> 16), v[2] = from_f16(u.y & 0xffff), v[3] = from_f16(u.y >> 16);
        break;
    }
    case TACA_F8E5M2: {
        const unsigned int u = *(const unsigned int*)((const unsigned char*)m.at + at);
        v[0] = from_f8e5m2(u & 0xff), v[1] = from_f8e5m2(u >> 8 & 0xff), v[2] = from_f8e5m2(u >> 16 & 0xff), v[3] = from_f8e5m2(u >> 24);
        break;
    }
    default: {
        const unsigned int u = *(const unsigned int*)((const unsigned char*)m.at + at);
        v[0] = from_f8(u & 0xff), v[1] = from_f8(u >> 8 & 0xff), v[2] = from_f8(u >> 16 & 0xff), v[3] = from_f8(u >> 24);
    }
    }
}

// load_state is load for activations, which are F32 or BF16.
template <int N> static __device__ __forceinline__ void load_state(const taca_matrix& m, long long r, long long i, float (&v)[N]) {
    const long long at = r * m.stride + i;
    if (m.format == TACA_F32) {
        const float* from = (const float*)m.at + at;
        if (N == 4) {
            const float4 f = *(const float4*)from;
            v[0] = f.x, v[N / 4] = f.y, v[N / 2] = f.z, v[N - 1] = f.w;
        } else {
            v[0] = *from;
        }
    } else {
        const unsigned short* from = (const unsigned short*)m.at + at;
        if (N == 4) {
            const uint2 u = *(const uint2*)from;
            v[0] = bf16_low(u.x), v[N / 4] = bf16_high(u.x), v[N / 2] = bf16_low(u.y), v[N - 1] = bf16_high(u.y);
        } else {
            v[0] = bf16_low(*from);
        }
    }
}

static __device__ __forceinline__ float load_one(const taca_matrix& m, long long r, long long i) {
    float v[1];
    load<1>(m, r, i, v);
    return v[0];
}

static __device__ __forceinline__ float load_one_state(const taca_matrix& m, long long r, long long i) {
    float v[1];
    load_state<1>(m, r, i, v);
    return v[0];
}

// store writes elements i, i+1, ... of row r of an F32 or BF16 matrix.
template <int N> static __device__ __forceinline__ void store(const taca_matrix& m, long long r, long long i, const float (&v)[N]);

template <> __device__ __forceinline__ void store<1>(const taca_matrix& m, long long r, long long i, const float (&v)[1]) {
    const long long at = r * m.stride + i;
    if (m.format == TACA_F32)
        ((float*)m.at)[at] = v[0];
    else
        ((unsigned short*)m.at)[at] = (unsigned short)pack(v[0], 0.f);
}

template <> __device__ __forceinline__ void store<4>(const taca_matrix& m, long long r, long long i, const float (&v)[4]) {
    const long long at = r * m.stride + i;
    if (m.format == TACA_F32)
        *(float4*)((float*)m.at + at) = make_float4(v[0], v[1], v[2], v[3]);
    else
        // As an assignment the compiler sometimes makes two stores of it, each
        // of which touches every sector.
        asm volatile("st.global.v2.b32 [%0], {%1,%2};" ::"l"((unsigned short*)m.at + at), "r"(pack(v[0], v[1])), "r"(pack(v[2], v[3])) : "memory");
}

static __device__ __forceinline__ void store_one(const taca_matrix& m, long long r, long long i, float value) {
    const float v[1] = {value};
    store<1>(m, r, i, v);
}

// load_vector reads elements of a row that need not be aligned as the others
// are; four says that it is.
template <int N> static __device__ __forceinline__ void load_vector(const taca_matrix& m, bool four, long long r, long long i, float (&v)[N]) {
    if (N == 1 || four) {
        load<N>(m, r, i, v);
    } else {
#pragma unroll
        for (int e = 0; e < N; e++) v[e] = load_one(m, r, i + e);
    }
}
