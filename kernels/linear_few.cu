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

// few_rows_product makes column o for ROWS rows at most.
template <int ROWS, int N> static __device__ __forceinline__ void few_rows_product(const taca_linear_few_args& p, int o) {
    const int lane = threadIdx.x & 31;
    float     sum[ROWS] = {};
#pragma unroll(ROWS == 1 ? 4 : 1)
    for (int i = N * lane; i < p.in; i += N * 32) {
        float w[N];
        load<N>(p.w, o, i, w);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if (r < p.rows) {
                float x[N];
                load_state<N>(p.x, r, i, x);
#pragma unroll
                for (int e = 0; e < N; e++) sum[r] = fmaf(x[e], w[e], sum[r]);
            }
        }
    }
    // Lane r takes row r from here on.
    float mine = 0.f;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const float all = warp_sum(sum[r]);
        if (lane == r) mine = all;
    }
    if (lane >= p.rows) return;
    mine = activate(fmaf((float)p.alpha, mine, p.bias.at ? load_one(p.bias, 0, o) : 0.f), (int)p.act);
    if (p.beta != 0) mine = fmaf((float)p.beta, load_one_state(p.dst, lane, o), mine);
    store_one(p.dst, lane, o, mine);
}

extern "C" __global__ void __launch_bounds__(256) taca_linear_few(const taca_linear_few_args p) {
    const int o = blockIdx.x * 8 + (threadIdx.x >> 5);
    if (o >= p.out) return;
    const bool four = fours(p.w, p.in) && fours(p.x, p.in);
    if (four && p.rows == 1)
        few_rows_product<1, 4>(p, o);
    else if (four)
        few_rows_product<few_rows, 4>(p, o);
    else
        few_rows_product<few_rows, 1>(p, o);
}
