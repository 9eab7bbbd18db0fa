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
// Launch: ⌈rows/128⌉ × heads blocks of 128 threads, (128 + 2·KEYS)·D·2 bytes of
// shared memory, laid out as tile.cuh says. Moves q and o once, k and v once per
// block of queries, nearly always out of the second-level cache.
#include "taca.h"
#include "tile.cuh"

enum { block_queries = 128, block_threads = 128, strips = 2 }; // a warp has two strips of 16 queries

// choose is a where bits is not 0, without a branch: given one, the compiler
// makes two copies of all that follows.
static __device__ __forceinline__ float choose(float a, float b, int bits) {
    float r;
    asm("{.reg .pred p; setp.ne.s32 p, %3, 0; selp.f32 %0, %1, %2, p;}" : "=f"(r) : "f"(a), "f"(b), "r"(bits));
    return r;
}

// attention is what a thread knows of its block's queries.
template <int D, int KEYS> struct attention {
    enum { row_bytes = 2 * D, key_tiles = KEYS / 8, column_tiles = D / 8 };
    typedef rows_reader<D, KEYS, block_threads> reader;

    const taca_attention_args& p;
    const reader               key_reader, value_reader;
    const int                  rows, first, lane, warp, tiles;
    const u32                  queries, keys, values; // in shared memory
    const float                plain, warm;           // factors of a logit in base 2
    u32                        query_at, key_at, value_at;
    int                        visual; // bit 2·strip + half: that row of the thread is visual
    float                      sums[strips][column_tiles][4], maximum[strips][2], total[strips][2];

    __device__ __forceinline__ attention(const taca_attention_args& p)
        : p(p), key_reader(p.k.at + blockIdx.y * row_bytes, p.k.stride), value_reader(p.v.at + blockIdx.y * row_bytes, p.v.stride),
          rows((int)p.rows), first(blockIdx.x * block_queries), lane(threadIdx.x & 31), warp(threadIdx.x >> 5),
          tiles((rows + KEYS - 1) / KEYS), queries(shared_address(block_memory)), keys(queries + block_queries * row_bytes),
          values(keys + KEYS * row_bytes), plain((float)p.scale * 1.4426950408889634f), warm(plain * (float)p.gamma) {
        const u32 r = lane & 7;
        query_at = (queries + (warp * 32 + (lane & 15)) * row_bytes) ^ (((lane >> 4) ^ r) << 4);
        key_at = (keys + ((lane >> 4) * 8 + r) * row_bytes) ^ (((lane >> 3 & 1) ^ r) << 4);
        value_at = (values + (lane & 15) * row_bytes) ^ (((lane >> 4) ^ r) << 4);
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

    // edge is the first tile from `tile` on that must be masked, or the end.
    __device__ __forceinline__ int edge(int tile) const {
        const bool tempered = p.visual_lo < first + block_queries && p.visual_hi > first && p.text_lo < p.text_hi;
        const int  lo = (int)p.text_lo / KEYS, hi = (int)p.text_hi / KEYS;
        int        next = rows % KEYS != 0 ? tiles - 1 : tiles;
        if (tempered && p.text_hi % KEYS != 0 && hi >= tile && next > hi) next = hi;
        if (tempered && p.text_lo % KEYS != 0 && lo >= tile && next > lo) next = lo;
        return next;
    }

    __device__ __forceinline__ void logits(float (&s)[strips][key_tiles][4]) const {
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int n = 0; n < key_tiles; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) s[i][n][e] = 0.f;
#pragma unroll
        for (int k = 0; k < D / 16; k++) {
            u32 a[strips][4];
#pragma unroll
            for (int i = 0; i < strips; i++)
                load_fragments((query_at ^ ((k & 3) << 5)) + i * 16 * row_bytes + (k >> 2) * 128, a[i][0], a[i][1], a[i][2], a[i][3]);
#pragma unroll
            for (int n = 0; n < key_tiles; n += 2) {
                u32 b0, b1, b2, b3;
                load_fragments((key_at ^ ((k & 3) << 5)) + n * 8 * row_bytes + (k >> 2) * 128, b0, b1, b2, b3);
#pragma unroll
                for (int i = 0; i < strips; i++) {
                    multiply_add(s[i][n], a[i], b0, b1);
                    multiply_add(s[i][n + 1], a[i], b2, b3);
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
    // that scaling by their difference is exact.
    __device__ __forceinline__ void raise(const float (&s)[strips][key_tiles][4], const float (&factor)[strips][2]) {
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
                const float raised = fmaxf(maximum[i][h], ceilf(most[i][h])), shrink = exp2_fast(maximum[i][h] - raised);
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
    __device__ __forceinline__ void weigh(float (&s)[strips][key_tiles][4], const float (&factor)[strips][2]) {
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
        float s[strips][key_tiles][4], factor[strips][2];
        wait_copies<0>();
        __syncthreads();
        if (MASKED)
            value_reader.any(values, tile * KEYS, rows);
        else
            value_reader.whole(values, tile * KEYS);
        commit_copies();
        logits(s);
        wait_copies<0>();
        __syncthreads();
        if (tile + 1 < tiles) key_reader.any(keys, (tile + 1) * KEYS, rows);
        commit_copies();
        if (MASKED) mask(s, tile);
        const bool text = tile * KEYS >= p.text_lo && tile * KEYS < p.text_hi;
        const int  both = text ? visual : 0;
#pragma unroll
        for (int i = 0; i < strips; i++)
#pragma unroll
            for (int h = 0; h < 2; h++) factor[i][h] = MASKED ? plain : choose(warm, plain, both & (1 << (2 * i + h)));
        raise(s, factor);
        weigh(s, factor);
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
            if (first + row < rows)
                *(uint4*)(to + (first + row) * p.o.stride) = *(const uint4*)(block_memory + chunk_offset<D>(row, chunk));
        }
    }

    __device__ __forceinline__ void run() {
        const rows_reader<D, block_queries, block_threads> query_reader(p.q.at + blockIdx.y * row_bytes, p.q.stride);
        query_reader.any(queries, first, rows);
        key_reader.any(keys, 0, rows);
        commit_copies();
        for (int tile = 0; tile < tiles;) {
            const int end = edge(tile);
#pragma unroll 1
            for (; tile < end; tile++) step<false>(tile);
            if (tile < tiles) step<true>(tile++);
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
