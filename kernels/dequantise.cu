// The numbers that quantised weights stand for. A row's integers are
// W·D·H/width and a scale (see tensor.RotationWidth): H and D undo themselves.
//
// Launch: blocks of 256 threads; a warp takes 256 columns of a row at a time.
// Lane l holds columns 4·l .. 4·l+3 of both halves, so that all lanes read and
// write neighbours; the transform's other steps are shuffles.
#include "formats.cuh"

// sign is the k-th element of D.
static __device__ __forceinline__ float sign(long long k) { return __popc((int)(k & k >> 4 & 15)) & 1 ? -1.f : 1.f; }

// scale is the last four bytes of a row, at any address.
static __device__ __forceinline__ float scale_at(const unsigned char* p) {
    return __uint_as_float(p[0] | p[1] << 8 | p[2] << 16 | (unsigned int)p[3] << 24);
}

// integers reads four of a row from column k, a multiple of 4.
static __device__ __forceinline__ void integers(const unsigned char* row, long long format, long long cols, long long k, float (&v)[4]) {
    if (format == TACA_Q8) {
        const unsigned int u = *(const unsigned int*)(row + k);
#pragma unroll
        for (int i = 0; i < 4; i++) v[i] = (float)(signed char)(u >> 8 * i);
        return;
    }
    const int            shift = k & 16 ? 4 : 0;
    const unsigned char* nibbles = row + (k >> 5) * 16 + (k & 15);
    const float          factor = row[cols / 2 + (k >> 5)];
#pragma unroll
    for (int i = 0; i < 4; i++) v[i] = (float)((nibbles[i] >> shift & 15 ^ 8) - 8) * factor;
}

extern "C" __global__ void __launch_bounds__(256) taca_dequantise(const taca_pointwise_args p) {
    const int       lane = threadIdx.x % 32;
    const long long across = (p.cols + 255) / 256, width = min(p.cols & -p.cols, 256LL);
    const bool      four = fours(p.dst, p.cols);
    for (long long u = blockIdx.x * 8LL + threadIdx.x / 32; u < p.rows * across; u += gridDim.x * 8LL) {
        const long long      r = u / across, at = u % across * 256 + 4 * lane;
        const unsigned char* row = (const unsigned char*)p.x.at + r * p.x.stride;
        const float          factor = scale_at(row + p.x.stride - 4);
        float                v[2][4] = {};
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const long long k = at + 128 * half;
            float(&a)[4] = v[half];
            if (k < p.cols) integers(row, p.x.format, p.cols, k, a);
            const float s = a[0] + a[1], d = a[0] - a[1], t = a[2] + a[3], e = a[2] - a[3];
            a[0] = s + t, a[1] = d + e, a[2] = s - t, a[3] = d - e;
            for (int apart = 1; 4 * apart < width && apart < 32; apart *= 2) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const float other = __shfl_xor_sync(0xffffffffu, a[i], apart);
                    a[i] = lane & apart ? other - a[i] : a[i] + other;
                }
            }
        }
        if (width == 256) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float a = v[0][i], b = v[1][i];
                v[0][i] = a + b, v[1][i] = a - b;
            }
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const long long k = at + 128 * half;
            if (k >= p.cols) continue;
#pragma unroll
            for (int i = 0; i < 4; i++) v[half][i] *= sign(k + i) * factor;
            if (four) {
                store<4>(p.dst, r, k, v[half]);
            } else {
#pragma unroll
                for (int i = 0; i < 4; i++) store_one(p.dst, r, k + i, v[half][i]);
            }
        }
    }
}
