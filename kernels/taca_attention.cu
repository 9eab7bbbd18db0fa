// Attention of bf16 heads of 64 and 128 columns with TACA's temperature:
//
//   o_i = Σ_j softmax_j(scale·<q_i, k_j>·(gamma if i is visual and j is text)) · v_j
//
// after FlashAttention-2 (arXiv 2307.08691, algorithm 1) and TACA (arXiv
// 2506.07986, equation 5). A block has 128 queries of one head, a warp 32 of
// them, whose sums stay in registers; tiles of keys and values pass through
// shared memory, the keys of the next tile while this one's softmax and sums are
// formed, its values while its logits are.
//
// The running maximum is kept in base-2 logarithms of the scaled logits, so
// gamma is part of a row's factor in the exponent and costs nothing. A tile that
// an end of the text or of the keys cuts is masked element by element, in a
// second copy of the step. Tiles are taken in order whatever the spans are.
//
// Launch: ⌈queries/128⌉ × heads blocks of 128 threads, (128 + 2·KEYS)·D·2 bytes of
// shared memory, laid out as tile.cuh says. Moves q and o once, k and v once per
// block of queries, nearly always out of the second-level cache.
#include "taca.h"
#include "tile.cuh"

enum { block_queries = 128, block_threads = 128, strips = 2 }; // a warp has two strips of 16 queries

// attention is what a thread knows of its block's queries.
template <int D, int KEYS> struct attention {
    enum { row_bytes = 2 * D, key_tiles = KEYS / 8, column_tiles = D / 8, hold_queries = D == 64 };
    typedef rows_reader<D, KEYS, block_threads> reader;

    const taca_attention_args& p;
    reader                     key_reader, value_reader;
    const int                  rows, first, lane, warp, tiles;
    const bool                 tempered; // some of the block's rows are visual, and there is text
    const u32                  queries, keys, values; // in shared memory
    const float                plain, warm;           // factors of a logit in base 2
    u32                        query_at, key_at, value_at;
    int                        visual; // bit 2·strip + half: that row of the thread is visual
    float                      sums[strips][column_tiles][4], maximum[strips][2], total[strips][2];
    float                      factor[strips][2];                        // of the logits of this run of tiles
    u32                        query[hold_queries ? D / 16 : 1][strips][4]; // fragments, where there are registers for them

    __device__ __forceinline__ attention(const taca_attention_args& p)
        : p(p), key_reader(p.k.at + blockIdx.y * row_bytes, p.k.stride, 0), value_reader(p.v.at + blockIdx.y * row_bytes, p.v.stride, 0),
          rows((int)p.rows), first(blockIdx.x * block_queries), lane(threadIdx.x & 31), warp(threadIdx.x >> 5),
          tiles((rows + KEYS - 1) / KEYS),
          tempered(p.visual_lo < first + block_queries && p.visual_hi > first && p.text_lo < p.text_hi), queries(shared_address(block_memory)), keys(queries + block_queries * row_bytes),
          values(keys + KEYS * row_bytes), plain((float)p.scale * 1.4426950408889634f), warm(plain * (float)p.gamma) {
        const u32 r = lane & 7;
        query_at = (queries + (warp * 32 + (lane & 15)) * row_bytes) ^ (((lane >> 4) ^ r) << 4);
        key_at = (keys + ((lane >> 4) * 8 + r) * row_bytes) ^ (((lane >> 3 & 1) ^ r) << 4);
        value_at = (values + (lane & 15) * row_bytes) ^ (((lane >> 4) ^ r) << 4);
        // Where registers allow it these are kept: left alone, the compiler makes
        // them anew in every round.
        if (hold_queries) asm volatile("" : "+r"(key_at), "+r"(value_at));
        visual = 0;
#pragma unroll
        for (int i = 0; i < strips; i++) {
#pragma unroll
            for (int c = 0; c < column_tiles; c++)
#pragma unroll
                for (int e = 0; e < 4; e++) sums[i][c][e] = 0.f;
#pragma unroll
            for (int h = 0; h < 2; h++) {
                maximum[i][h] = -1e30f;
                total[i][h] = 0.f;
                const int row = first + warp * 32 + i * 16 + h * 8 + (lane >> 2);
                if (row >= p.visual_lo && row < p.visual_hi) visual |= 1 << (2 * i + h);
            }
        }
    }

    // begin_run sets the factors of a run of tiles that are text altogether or
    // not at all, and returns where it ends: at an end of the text, or of the
    // whole tiles. At a tile that must be masked the run is empty.
    __device__ __forceinline__ int begin_run(int tile) {
        const int whole = rows / KEYS, key = tile * KEYS, lo = (int)p.text_lo, hi = (int)p.text_hi;
        const int text = tempered && key >= lo && key < hi ? visual : 0;
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int h = 0; h < 2; h++) factor[i][h] = text >> (2 * i + h) & 1 ? warm : plain;
        if (tempered && lo > key) return min(whole, lo / KEYS);
        if (tempered && hi > key) return min(whole, hi / KEYS);
        return whole;
    }

    __device__ __forceinline__ void load_queries(u32 (&a)[strips][4], int k) const {
#pragma unroll
        for (int i = 0; i < strips; i++)
            load_fragments((query_at ^ ((k & 3) << 5)) + i * 16 * row_bytes + (k >> 2) * 128, a[i][0], a[i][1], a[i][2], a[i][3]);
    }

    __device__ __forceinline__ void logits(float (&s)[strips][key_tiles][4]) {
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32(&a)[strips][4] = query[hold_queries ? k : 0];
            if (!hold_queries) load_queries(a, k);
#pragma unroll
            for (int n = 0; n < key_tiles; n += 2) {
                u32 b0, b1, b2, b3;
                load_fragments((key_at ^ ((k & 3) << 5)) + n * 8 * row_bytes + (k >> 2) * 128, b0, b1, b2, b3);
#pragma unroll
                for (int i = 0; i < strips; i++) {
                    if (k == 0) {
                        multiply(s[i][n], a[i], b0, b1);
                        multiply(s[i][n + 1], a[i], b2, b3);
                    } else {
                        multiply_add(s[i][n], a[i], b0, b1);
                        multiply_add(s[i][n + 1], a[i], b2, b3);
                    }
                }
            }
        }
    }

    // mask multiplies by gamma where query and key call for it, and takes out
    // keys that are not there.
    __device__ __forceinline__ void mask(float (&s)[strips][key_tiles][4], int tile) const {
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int n = 0; n < key_tiles; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    const int key = tile * KEYS + n * 8 + (lane & 3) * 2 + (e & 1);
                    if (key >= p.text_lo && key < p.text_hi && (visual >> (2 * i + (e >> 1)) & 1)) s[i][n][e] *= (float)p.gamma;
                    if (key >= rows) s[i][n][e] = -1e30f;
                }
    }

    // raise lets the maxima follow. They may lag by 2^8, which F32 bears easily:
    // numerator and denominator have the same one. They are whole numbers, so
    // that scaling by their difference loses nothing. A row's maximum moves for
    // its own sake alone: its bits do not depend on the rows of its warp.
    __device__ __forceinline__ void raise(const float (&s)[strips][key_tiles][4]) {
        float most[strips][2];
        bool  grown = false;
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int h = 0; h < 2; h++) {
                float m = s[i][0][2 * h];
#pragma unroll
                for (int n = 0; n < key_tiles; n++) {
                    m = fmaxf(m, s[i][n][2 * h]);
                    m = fmaxf(m, s[i][n][2 * h + 1]);
                }
                m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, 1));
                m = fmaxf(m, __shfl_xor_sync(0xffffffffu, m, 2));
                most[i][h] = m * factor[i][h];
                grown |= most[i][h] > maximum[i][h] + 8.f;
            }
        if (!__any_sync(0xffffffffu, grown)) return;
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int h = 0; h < 2; h++) {
                const float raised = most[i][h] > maximum[i][h] + 8.f ? ceilf(most[i][h]) : maximum[i][h], shrink = exp2_fast(maximum[i][h] - raised);
                maximum[i][h] = raised;
                total[i][h] *= shrink;
#pragma unroll
                for (int c = 0; c < column_tiles; c++) {
                    sums[i][c][2 * h] *= shrink;
                    sums[i][c][2 * h + 1] *= shrink;
                }
            }
    }

    // weigh turns logits into exponentials and adds the values by them.
    __device__ __forceinline__ void weigh(float (&s)[strips][key_tiles][4]) {
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int h = 0; h < 2; h++)
#pragma unroll
                for (int n = 0; n < key_tiles; n++)
#pragma unroll
                    for (int e = 2 * h; e < 2 * h + 2; e++) {
                        s[i][n][e] = exp2_fast(__fmaf_rn(s[i][n][e], factor[i][h], -maximum[i][h]));
                        total[i][h] += s[i][n][e];
                    }
#pragma unroll
        for (int k = 0; k < KEYS / 16; k++) {
            u32 a[strips][4];
#pragma unroll
            for (int i = 0; i < strips; i++)
#pragma unroll
                for (int e = 0; e < 4; e++) a[i][e] = pack(s[i][2 * k + (e >> 1)][2 * (e & 1)], s[i][2 * k + (e >> 1)][2 * (e & 1) + 1]);
#pragma unroll
            for (int c = 0; c < column_tiles; c += 2) {
                u32 b0, b1, b2, b3;
                load_transposed((value_at ^ ((c & 7) << 4)) + k * 16 * row_bytes + (c >> 3) * 128, b0, b1, b2, b3);
#pragma unroll
                for (int i = 0; i < strips; i++) {
                    multiply_add(sums[i][c], a[i], b0, b1);
                    multiply_add(sums[i][c + 1], a[i], b2, b3);
                }
            }
        }
    }

    template <bool MASKED> __device__ __forceinline__ void step(int tile) {
        float s[strips][key_tiles][4];
        wait_copies<0>();
        __syncthreads();
        if (MASKED)
            value_reader.any(values, rows - tile * KEYS);
        else
            value_reader.whole(values);
        commit_copies();
        logits(s);
        wait_copies<0>();
        __syncthreads();
        if (tile + 1 < tiles) key_reader.any(keys, rows - (tile + 1) * KEYS);
        commit_copies();
        if (MASKED) mask(s, tile);
        raise(s);
        weigh(s);
    }

    // store divides by the totals; the result takes the place of the warp's own
    // queries on its way out, so that a row is written in whole sectors.
    __device__ __forceinline__ void store() {
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int h = 0; h < 2; h++) {
                float sum = total[i][h];
                sum += __shfl_xor_sync(0xffffffffu, sum, 1);
                sum += __shfl_xor_sync(0xffffffffu, sum, 2);
                const float inverse = 1.f / sum;
                const int   row = warp * 32 + i * 16 + h * 8 + (lane >> 2);
#pragma unroll
                for (int c = 0; c < column_tiles; c++)
                    *(u32*)(block_memory + chunk_offset<D>(row, c) + (lane & 3) * 4) = pack(sums[i][c][2 * h] * inverse, sums[i][c][2 * h + 1] * inverse);
            }
        __syncwarp();
        enum { chunks = D / 8, together = 32 / chunks };
        unsigned short* const to = (unsigned short*)p.o.at + ((long long)blockIdx.y * D + lane % chunks * 8);
#pragma unroll
        for (int i = 0; i < 32 / together; i++) {
            const int row = warp * 32 + i * together + lane / chunks, chunk = lane % chunks;
            if (first + row < p.queries)
                *(uint4*)(to + (first + row) * p.o.stride) = *(const uint4*)(block_memory + chunk_offset<D>(row, chunk));
        }
    }

    __device__ __forceinline__ void run() {
        rows_reader<D, block_queries, block_threads> query_reader(p.q.at + blockIdx.y * row_bytes, p.q.stride, first);
        query_reader.any(queries, (int)p.queries - first);
        if (hold_queries) {
            commit_copies();
            wait_copies<0>();
            __syncthreads();
#pragma unroll
            for (int k = 0; k < (hold_queries ? D / 16 : 1); k++) load_queries(query[k], k);
        }
        key_reader.any(keys, rows);
        commit_copies();
        for (int tile = 0; tile < tiles;) {
            const int end = begin_run(tile);
            if (tile == end) { // an end of the text or of the keys cuts this tile
#pragma unroll
                for (int i = 0; i < strips; i++) factor[i][0] = factor[i][1] = plain;
                step<true>(tile++);
            }
#pragma unroll 1
            for (; tile < end; tile++) step<false>(tile);
        }
        wait_copies<0>();
        store();
    }
};

extern "C" __global__ void __launch_bounds__(block_threads) taca_attention_128(const taca_attention_args p) { attention<128, 64>(p).run(); }

// taca_attention_128_narrow leaves room for two blocks where a multiprocessor
// has 100 KiB of shared memory: capabilities 8.6, 8.9 and 12.0.
extern "C" __global__ void __launch_bounds__(block_threads) taca_attention_128_narrow(const taca_attention_args p) { attention<128, 32>(p).run(); }

extern "C" __global__ void __launch_bounds__(block_threads) taca_attention_64(const taca_attention_args p) { attention<64, 64>(p).run(); }
