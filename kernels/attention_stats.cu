// Where the visual queries of an attention spend their probability: the share
// of all text keys, the entropy, and a map of each text key (arXiv 2506.07986,
// figures 2 and 3). It runs while somebody looks, beside the kernels that
// attend, which know nothing of it; in F32 arithmetic, for any formats.
//
// A block of eight warps has 32 queries, a warp four, and does all heads one
// after the other, so that maps are summed in one order. Tiles of 32 keys pass
// through shared memory, a lane has the logits of one key of each: of these it
// keeps the greatest, Σ e^d, the part of it that is text, and Σ e^d·d, where d
// is a logit less the greatest; lanes are joined at the end. With p = e^d / sum
// the entropy is log sum - (Σ e^d·d) / sum. Text keys come a second time for
// the maps, when maximum and sum are known. A map's element belongs to the same
// lane for all heads.
//
// Rows in shared memory are filled up to whole float4, and apart by one more,
// so that eight lanes read eight groups of banks.
//
// Launch: ⌈queries/32⌉ blocks of 256 threads, 32·(2·depth + 4)·4 bytes of shared
// memory, depth being the head size filled up. Read: q once, k once a block,
// and text keys twice.
#include "formats.cuh"
#include "mma.cuh"
#include "reduce.cuh"

enum { stats_warps = 8, stats_rows = 4, stats_keys = 32 };

// stats_fetch brings 32 rows of one head as F32, zeros where there are none.
static __device__ __forceinline__ void stats_fetch(float* to, int stride, const taca_matrix& m, long long column, int first, int end, int size, int depth) {
    for (int row = threadIdx.x >> 5; row < 32; row += stats_warps)
        for (int c = threadIdx.x & 31; c < depth; c += 32)
            to[row * stride + c] = first + row < end && c < size ? load_one_state(m, first + row, column + c) : 0.f;
}

// stats_logits are those of this warp's queries against this lane's key.
static __device__ __forceinline__ void stats_logits(const float* q, const float* k, int depth, float scale, float (&l)[stats_rows]) {
#pragma unroll
    for (int r = 0; r < stats_rows; r++) l[r] = 0.f;
    for (int c = 0; c < depth; c += 4) {
        const float4 key = *(const float4*)(k + c);
#pragma unroll
        for (int r = 0; r < stats_rows; r++) {
            const float4 query = *(const float4*)(q + r * depth + c);
            l[r] = fmaf(query.w, key.w, fmaf(query.z, key.z, fmaf(query.y, key.y, fmaf(query.x, key.x, l[r]))));
        }
    }
#pragma unroll
    for (int r = 0; r < stats_rows; r++) l[r] *= scale;
}

// spending is what a lane, and in the end the warp, knows of one query.
struct spending {
    float most, sum, text, nats;

    __device__ __forceinline__ void take(float l, bool is_text) {
        const float raised = fmaxf(most, l), fall = most - raised, factor = expf(fall), d = l - raised, p = expf(d);
        nats = fmaf(factor, fmaf(sum, fall, nats), p * d);
        sum = fmaf(sum, factor, p);
        text = fmaf(text, factor, is_text ? p : 0.f);
        most = raised;
    }

    // join adds up what all lanes know.
    __device__ __forceinline__ void join() {
        float raised = most;
#pragma unroll
        for (int lane = 16; lane; lane >>= 1) raised = fmaxf(raised, __shfl_xor_sync(0xffffffffu, raised, lane));
        const float fall = most - raised, factor = expf(fall);
        nats = warp_sum(factor * fmaf(sum, fall, nats));
        sum = warp_sum(factor * sum);
        text = warp_sum(factor * text);
        most = raised;
    }
};

extern "C" __global__ void __launch_bounds__(32 * stats_warps) taca_attention_stats(const taca_attention_stats_args p) {
    const int   size = (int)p.head_size, depth = (size + 3) & ~3, rows = (int)p.rows, lane = threadIdx.x & 31;
    const int   text_lo = (int)p.text_lo, text_hi = (int)p.text_hi, visual_lo = (int)p.visual_lo, visual_hi = visual_lo + (int)p.queries;
    const int   first = visual_lo + blockIdx.x * (stats_warps * stats_rows), mine = first + (threadIdx.x >> 5) * stats_rows;
    float *     queries = (float*)block_memory, *tile = queries + stats_warps * stats_rows * depth;
    const float *q = queries + (mine - first) * depth, *k = tile + lane * (depth + 4);
    for (int h = 0; h < p.heads; h++) {
        const long long column = (long long)h * size;
        spending        of[stats_rows];
        float           l[stats_rows];
#pragma unroll
        for (int r = 0; r < stats_rows; r++) of[r] = {-1e30f, 0.f, 0.f, 0.f}; // finite, for 0 times its fall is to be 0
        __syncthreads();
        stats_fetch(queries, depth, p.q, column, first, visual_hi, size, depth);
        for (int at = 0; at < rows; at += stats_keys) {
            __syncthreads();
            stats_fetch(tile, depth + 4, p.k, column, at, rows, size, depth);
            __syncthreads();
            const int  key = at + lane;
            const bool is_text = key >= text_lo && key < text_hi;
            stats_logits(q, k, depth, (float)p.scale * (is_text ? (float)p.gamma : 1.f), l);
            if (key < rows) {
#pragma unroll
                for (int r = 0; r < stats_rows; r++) of[r].take(l[r], is_text);
            }
        }
#pragma unroll
        for (int r = 0; r < stats_rows; r++) {
            of[r].join();
            if (lane == r && mine + r < visual_hi) {
                store_one(p.stats, h, mine + r - visual_lo, of[r].text / of[r].sum);
                store_one(p.stats, p.heads + h, mine + r - visual_lo, logf(of[r].sum) - of[r].nats / of[r].sum);
            }
        }
        for (int at = text_lo; at < text_hi && p.maps.at; at += stats_keys) {
            __syncthreads();
            stats_fetch(tile, depth + 4, p.k, column, at, text_hi, size, depth);
            __syncthreads();
            stats_logits(q, k, depth, (float)p.scale * (float)p.gamma, l);
#pragma unroll
            for (int r = 0; r < stats_rows; r++) {
                if (at + lane >= text_hi || mine + r >= visual_hi) continue;
                const long long row = mine + r - visual_lo, to = at + lane - text_lo;
                const float     before = h ? load_one_state(p.maps, row, to) : 0.f;
                store_one(p.maps, row, to, before + expf(l[r] - of[r].most) / (of[r].sum * (float)p.heads));
            }
        }
    }
}
