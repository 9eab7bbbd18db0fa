// A product with few rows: modulation vectors, pooled text, timesteps.
//
//   dst = act(alpha·x·wᵀ + bias) + beta·dst,   x: rows × in, rows ≤ 8, w: out × in
//
// What bounds it is reading the weights once, in whatever format the file has
// them, so they are neither converted nor read again for another row. One warp
// makes one column of dst: its lanes walk along the row of w, four elements
// each, and add their partial sums at the end.
//
// Launch: ⌈out/8⌉ blocks of 256 threads. Moves out·in weights, and x once per
// block out of cache.
#include "activation.cuh"
#include "formats.cuh"
#include "reduce.cuh"
#include "taca.h"

enum { few_rows = 8 };

// add_four adds four columns' products to the rows' sums.
template <bool FOUR>
static __device__ __forceinline__ void add_columns(float (&sum)[few_rows], const taca_linear_few_args& p, int o, int i) {
    constexpr int n = FOUR ? 4 : 1;
    float         w[n];
    load<n>(p.w, o, i, w);
#pragma unroll
    for (int r = 0; r < few_rows; r++) {
        if (r < p.rows) {
            float x[n];
            load<n>(p.x, r, i, x);
#pragma unroll
            for (int e = 0; e < n; e++) sum[r] = fmaf(x[e], w[e], sum[r]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) taca_linear_few(const taca_linear_few_args p) {
    const int lane = threadIdx.x & 31, o = blockIdx.x * 8 + (threadIdx.x >> 5);
    if (o >= p.out) return;
    float sum[few_rows] = {};
    if (fours(p.w, p.in) && fours(p.x, p.in)) {
#pragma unroll 4
        for (int i = 4 * lane; i < p.in; i += 128) add_columns<true>(sum, p, o, i);
    } else {
        for (int i = lane; i < p.in; i += 32) add_columns<false>(sum, p, o, i);
    }
    const float bias = p.bias.at ? load_one(p.bias, 0, o) : 0.f;
#pragma unroll
    for (int r = 0; r < few_rows; r++) {
        if (r < p.rows) {
            const float v = activate((float)p.alpha * warp_sum(sum[r]) + bias, (int)p.act);
            if (lane == 0) store_one(p.dst, r, o, p.beta != 0 ? v + (float)p.beta * load_one(p.dst, r, o) : v);
        }
    }
}
