// Attention in F32 arithmetic, for what tensor cores are not used for: any head
// size up to 512, any formats and alignment, CLIP's causal mask and T5's
// relative bias. With TACA as everywhere.
//
// A block of eight warps makes eight rows of one head, a warp one. Tiles of 32
// keys, then values, pass through shared memory as F32; a lane has the logit of
// one key, and then every 32nd column of the result. The running maximum is
// the largest logit so far, in natural units (arXiv 1805.02867).
//
// Launch: ⌈queries/8⌉ × heads blocks of 256 threads, (8·size + 32·(size + 1))·4
// bytes of shared memory.
#include "formats.cuh"
#include "mma.cuh"
#include "reduce.cuh"

enum { any_rows = 8, any_keys = 32, any_columns = 512 / 32 };

// fetch brings rows [first, first + count) of one head as F32, rows apart by
// stride words.
static __device__ __forceinline__ void fetch(float* to, int stride, const taca_matrix& m, long long head_column, int first, int count, int rows, int size) {
    for (int i = threadIdx.x; i < count * size; i += 32 * any_rows) {
        const int row = i / size, column = i % size;
        to[row * stride + column] = first + row < rows ? load_one_state(m, first + row, head_column + column) : 0.f;
    }
}

static __device__ __forceinline__ float warp_max(float v) {
#pragma unroll
    for (int lane = 16; lane; lane >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, lane));
    return v;
}

// logit is this lane's: query i against key j, whose row in shared memory is k.
static __device__ __forceinline__ float logit(const taca_attention_args& p, const float* q, const float* k, int i, int j) {
    if (i >= p.queries || j >= p.rows || p.causal && j > i) return -__int_as_float(0x7f800000);
    float dot = 0.f;
    for (int c = 0; c < p.head_size; c++) dot = fmaf(q[c], k[c], dot);
    const bool both = i >= p.visual_lo && i < p.visual_hi && j >= p.text_lo && j < p.text_hi;
    dot *= (float)p.scale * (both ? (float)p.gamma : 1.f);
    return p.bias.at ? dot + load_one(p.bias, j - i + p.rows - 1, blockIdx.y) : dot;
}

extern "C" __global__ void __launch_bounds__(32 * any_rows) taca_attention_any(const taca_attention_args p) {
    const int       size = (int)p.head_size, rows = (int)p.rows, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int       first = blockIdx.x * any_rows, i = first + warp;
    const long long head_column = (long long)blockIdx.y * size;
    float *         queries = (float*)block_memory, *tile = queries + any_rows * size;
    float           sums[any_columns] = {}, maximum = -1e30f, total = 0.f;
    fetch(queries, size, p.q, head_column, first, any_rows, (int)p.queries, size);
    const int end = p.causal ? min(rows, first + any_rows) : rows;
    for (int key = 0; key < end; key += any_keys) {
        __syncthreads();
        fetch(tile, size + 1, p.k, head_column, key, any_keys, rows, size);
        __syncthreads();
        const float l = logit(p, queries + warp * size, tile + lane * (size + 1), i, key + lane);
        const float raised = fmaxf(maximum, warp_max(l)), factor = expf(maximum - raised), probability = expf(l - raised);
        maximum = raised;
        total = total * factor + probability;
#pragma unroll
        for (int c = 0; c < any_columns; c++) sums[c] *= factor;
        __syncthreads();
        fetch(tile, size + 1, p.v, head_column, key, any_keys, rows, size);
        __syncthreads();
        for (int k = 0; k < any_keys; k++) {
            const float weight = __shfl_sync(0xffffffffu, probability, k);
#pragma unroll
            for (int c = 0; c < any_columns; c++) {
                if (c * 32 >= size) break;
                if (c * 32 + lane < size) sums[c] = fmaf(weight, tile[k * (size + 1) + c * 32 + lane], sums[c]);
            }
        }
    }
    total = warp_sum(total);
    if (i >= p.queries) return;
#pragma unroll
    for (int c = 0; c < any_columns; c++)
        if (c * 32 + lane < size) store_one(p.o, i, head_column + c * 32 + lane, sums[c] / total);
}
