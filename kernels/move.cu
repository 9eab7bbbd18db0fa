// Verbs that only move elements: rows of a table, and pixels twice as large.
//
// Launch: blocks of 256 threads, x over the columns, y over the rows of dst.
#include "formats.cuh"

// move_row copies one row of weights, times scale, or of activations, converting
// the format.
template <bool WEIGHTS> static __device__ __forceinline__ void move_row(const taca_matrix& dst, long long to, const taca_matrix& src, long long from,
                                                long long cols, bool four, float scale = 1.f) {
    const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x, step = (long long)gridDim.x * blockDim.x;
    if (four) {
        for (long long i = 4 * first; i < cols; i += 4 * step) {
            float v[4];
            WEIGHTS ? load<4>(src, from, i, v) : load_state<4>(src, from, i, v);
            if (WEIGHTS) {
#pragma unroll
                for (int e = 0; e < 4; e++) v[e] *= scale;
            }
            store<4>(dst, to, i, v);
        }
        return;
    }
    for (long long i = first; i < cols; i += step) store_one(dst, to, i, WEIGHTS ? scale * load_one(src, from, i) : load_one_state(src, from, i));
}

// Row ids[i] of the table, times scale, becomes row i of dst.
extern "C" __global__ void __launch_bounds__(256) taca_gather(const taca_gather_args p) {
    const bool four = fours(p.dst, p.cols) && fours(p.table, p.cols);
    for (long long r = blockIdx.y; r < p.rows; r += gridDim.y) move_row<true>(p.dst, r, p.table, ((const int*)p.ids)[r], p.cols, four, (float)p.scale);
}

// Every pixel of x becomes two by two pixels of dst.
extern "C" __global__ void __launch_bounds__(256) taca_upsample2x(const taca_upsample2x_args p) {
    const bool      four = fours(p.dst, p.cols) && fours(p.x, p.cols);
    const long long width = 2 * p.width, rows = 2 * p.height * width;
    for (long long r = blockIdx.y; r < rows; r += gridDim.y) {
        const long long y = r / width, x = r % width;
        move_row<false>(p.dst, r, p.x, y / 2 * p.width + x / 2, p.cols, four);
    }
}
