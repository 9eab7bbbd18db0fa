// Attention with heads of 512 columns on tensor cores: the single head of the
// VAE's middle block, over all its pixels. As taca_attention.cu, except that a
// row's sums are too many for one warp: of the eight warps, four have 16 rows
// each for the first half of the columns, and four the same rows for the second.
// Both form the same logits, which costs half as much again as the rest and
// spares an exchange; it is one layer of one decoding.
//
// Launch: ⌈queries/64⌉ × heads blocks of 256 threads, 96 KiB of shared memory.
#include "taca.h"
#include "tile.cuh"

enum { wide_size = 512, wide_rows = 64, wide_keys = 16, wide_threads = 256 };
enum { wide_bytes = 2 * wide_size, half_tiles = wide_size / 2 / 8 };

// wide_logits is 16 queries against 16 keys.
static __device__ __forceinline__ void wide_logits(float (&s)[2][4], u32 query_at, u32 key_at) {
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) s[n][e] = 0.f;
#pragma unroll 8
    for (int k = 0; k < wide_size / 16; k++) {
        u32 a[4], b0, b1, b2, b3;
        load_fragments((query_at ^ ((k & 3) << 5)) + (k >> 2) * 128, a[0], a[1], a[2], a[3]);
        load_fragments((key_at ^ ((k & 3) << 5)) + (k >> 2) * 128, b0, b1, b2, b3);
        multiply_add(s[0], a, b0, b1);
        multiply_add(s[1], a, b2, b3);
    }
}

extern "C" __global__ void __launch_bounds__(wide_threads) taca_attention_512(const taca_attention_args p) {
    const u32 queries = shared_address(block_memory), keys = queries + wide_rows * wide_bytes, values = keys + wide_keys * wide_bytes;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = warp & 3, half = warp >> 2;
    const int rows = (int)p.rows, first = blockIdx.x * wide_rows, tiles = (rows + wide_keys - 1) / wide_keys;
    const u32 head = blockIdx.y * wide_bytes, r = lane & 7;
    const u32 query_at = (queries + (group * 16 + (lane & 15)) * wide_bytes) ^ (((lane >> 4) ^ r) << 4);
    const u32 key_at = (keys + ((lane >> 4) * 8 + r) * wide_bytes) ^ (((lane >> 3 & 1) ^ r) << 4);
    const u32 value_at = ((values + (lane & 15) * wide_bytes) ^ (((lane >> 4) ^ r) << 4)) + half * wide_size;
    // A row has 64 chunks, so the block's threads copy four rows in a pass.
    const int chunk = threadIdx.x & 63, from_row = threadIdx.x >> 6;
    auto      copy = [&](u32 to, const taca_matrix& m, int begin, int count, int rows) {
        for (int i = from_row; i < count; i += wide_threads / 64) {
            const bool there = begin + i < rows;
            copy_async(to + chunk_offset<wide_size>(i, chunk), (const unsigned char*)m.at + head + (there ? (long long)(begin + i) * m.stride * 2 : 0) + chunk * 16, there ? 16 : 0);
        }
    };
    const float plain = (float)p.scale * 1.4426950408889634f;
    float       sums[half_tiles][4] = {}, maximum[2] = {-1e30f, -1e30f}, total[2] = {};
    bool        visual[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const int row = first + group * 16 + h * 8 + (lane >> 2);
        visual[h] = row >= p.visual_lo && row < p.visual_hi;
    }
    copy(queries, p.q, first, wide_rows, (int)p.queries);
    copy(keys, p.k, 0, wide_keys, rows);
    commit_copies();
    for (int tile = 0; tile < tiles; tile++) {
        float s[2][4];
        wait_copies<0>();
        __syncthreads();
        copy(values, p.v, tile * wide_keys, wide_keys, rows);
        commit_copies();
        wide_logits(s, query_at, key_at);
        wait_copies<0>();
        __syncthreads();
        if (tile + 1 < tiles) copy(keys, p.k, (tile + 1) * wide_keys, wide_keys, rows);
        commit_copies();
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float m = -1e30f;
#pragma unroll
            for (int n = 0; n < 2; n++)
#pragma unroll
                for (int e = 2 * h; e < 2 * h + 2; e++) {
                    const int key = tile * wide_keys + n * 8 + (lane & 3) * 2 + (e & 1);
                    s[n][e] *= plain * (visual[h] && key >= p.text_lo && key < p.text_hi ? (float)p.gamma : 1.f);
                    if (key >= rows) s[n][e] = -1e30f;
                    m = fmaxf(m, s[n][e]);
                }
            m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, 1));
            m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, 2));
            const float raised = fmaxf(maximum[h], ceilf(m)), factor = exp2_fast(maximum[h] - raised);
            maximum[h] = raised;
            total[h] *= factor;
            // Whole numbers rise rarely; when none does there is nothing to multiply by.
            if (__any_sync(0xffffffffu, factor != 1.f)) {
#pragma unroll
                for (int n = 0; n < half_tiles; n++) {
                    sums[n][2 * h] *= factor;
                    sums[n][2 * h + 1] *= factor;
                }
            }
#pragma unroll
            for (int n = 0; n < 2; n++)
#pragma unroll
                for (int e = 2 * h; e < 2 * h + 2; e++) {
                    s[n][e] = exp2_fast(s[n][e] - raised);
                    total[h] += s[n][e];
                }
        }
        const u32 a[4] = {pack(s[0][0], s[0][1]), pack(s[0][2], s[0][3]), pack(s[1][0], s[1][1]), pack(s[1][2], s[1][3])};
#pragma unroll
        for (int n = 0; n < half_tiles; n += 2) {
            u32 b0, b1, b2, b3;
            load_transposed((value_at ^ ((n & 7) << 4)) + (n >> 3) * 128, b0, b1, b2, b3);
            multiply_add(sums[n], a, b0, b1);
            multiply_add(sums[n + 1], a, b2, b3);
        }
    }
    wait_copies<0>();
    __syncthreads(); // the other half is done with the queries, whose place the result takes
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float sum = total[h];
        sum += __shfl_xor_sync(0xffffffffu, sum, 1);
        sum += __shfl_xor_sync(0xffffffffu, sum, 2);
        const int row = group * 16 + h * 8 + (lane >> 2);
#pragma unroll
        for (int n = 0; n < half_tiles; n++)
            *(u32*)(block_memory + chunk_offset<wide_size>(row, half * half_tiles + n) + (lane & 3) * 4) = pack(sums[n][2 * h] / sum, sums[n][2 * h + 1] / sum);
    }
    __syncthreads();
    for (int i = from_row; i < wide_rows && first + i < p.queries; i += wide_threads / 64)
        *(uint4*)((unsigned char*)p.o.at + head + (long long)(first + i) * p.o.stride * 2 + chunk * 16) = *(const uint4*)(block_memory + chunk_offset<wide_size>(i, chunk));
}
