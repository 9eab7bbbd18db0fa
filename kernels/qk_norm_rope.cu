// RMS norm of every head of queries or keys, then rotary positions, in place:
//
//   y = gain·x/√(mean(x²) + eps);  (y₂ᵢ, y₂ᵢ₊₁) → (cᵢ·y₂ᵢ − sᵢ·y₂ᵢ₊₁, sᵢ·y₂ᵢ + cᵢ·y₂ᵢ₊₁)
//
// rope holds c₀, s₀, c₁, s₁, ... of its row (RoFormer, arXiv 2104.09864; pairs
// of neighbours, as FLUX has them). Heads of 8 to 128 columns that are a power
// of two are spread over size/4 lanes, four columns each, so that a warp reads
// without gaps; any other head is walked along by one warp.
//
// Launch: blocks of 256 threads, as many as there are groups of four columns.
// Reads and writes x once.
#include "formats.cuh"
#include "reduce.cuh"

// rotate turns two pairs; rope holds their cosines and sines.
static __device__ __forceinline__ void rotate(float (&x)[4], const float (&rope)[4]) {
    const float a = x[0], b = x[1], c = x[2], d = x[3];
    x[0] = a * rope[0] - b * rope[1];
    x[1] = a * rope[1] + b * rope[0];
    x[2] = c * rope[2] - d * rope[3];
    x[3] = c * rope[3] + d * rope[2];
}

static __device__ __forceinline__ void heads_of_fours(const taca_qk_norm_rope_args& p, int lanes) {
    const long long units = p.rows * p.heads * lanes, step = (long long)gridDim.x * blockDim.x;
    const bool      gains = p.gain.at && fours(p.gain, p.head_size), ropes = p.rope.at && fours(p.rope, p.head_size);
    // All lanes of a warp go round together, since they add up with their neighbours.
    for (long long first = (long long)blockIdx.x * blockDim.x + (threadIdx.x & ~31); first < units; first += step) {
        const long long u = first + (threadIdx.x & 31), head = u / lanes, r = head / p.heads;
        const int       column = 4 * (int)(u % lanes);
        const long long i = (head % p.heads) * p.head_size + column;
        const bool      mine = u < units;
        float           x[4] = {}, v[4];
        if (mine) load_state<4>(p.x, r, i, x);
        if (p.gain.at) {
            float sum = x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3];
            for (int lane = lanes / 2; lane; lane >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, lane);
            const float factor = inverse_root(sum / (float)p.head_size + (float)p.eps);
            load_vector<4>(p.gain, gains, 0, column, v);
#pragma unroll
            for (int e = 0; e < 4; e++) x[e] *= factor * v[e];
        }
        if (!mine) continue;
        if (p.rope.at) {
            if (ropes)
                load_state<4>(p.rope, r, column, v);
            else
#pragma unroll
                for (int e = 0; e < 4; e++) v[e] = load_one_state(p.rope, r, column + e);
            rotate(x, v);
        }
        store<4>(p.x, r, i, x);
    }
}

static __device__ __forceinline__ void heads_by_warp(const taca_qk_norm_rope_args& p) {
    const long long count = p.rows * p.heads, step = (long long)gridDim.x * (blockDim.x / 32);
    const int       lane = threadIdx.x & 31;
    for (long long head = (long long)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; head < count; head += step) {
        const long long r = head / p.heads, begin = (head % p.heads) * p.head_size;
        float           factor = 1.f;
        if (p.gain.at) {
            float sum = 0.f;
            for (int i = lane; i < p.head_size; i += 32) {
                const float x = load_one_state(p.x, r, begin + i);
                sum = fmaf(x, x, sum);
            }
            factor = inverse_root(warp_sum(sum) / (float)p.head_size + (float)p.eps);
        }
        for (int i = 2 * lane; i < p.head_size; i += 64) {
            float a = load_one_state(p.x, r, begin + i), b = load_one_state(p.x, r, begin + i + 1);
            if (p.gain.at) {
                a *= factor * load_one(p.gain, 0, i);
                b *= factor * load_one(p.gain, 0, i + 1);
            }
            if (p.rope.at) {
                const float c = load_one_state(p.rope, r, i), s = load_one_state(p.rope, r, i + 1), was = a;
                a = was * c - b * s;
                b = was * s + b * c;
            }
            store_one(p.x, r, begin + i, a);
            store_one(p.x, r, begin + i + 1, b);
        }
    }
}

extern "C" __global__ void __launch_bounds__(256) taca_qk_norm_rope(const taca_qk_norm_rope_args p) {
    const int lanes = (int)p.head_size / 4;
    if (4 * lanes == p.head_size && lanes <= 32 && (lanes & (lanes - 1)) == 0 && fours(p.x, p.heads * p.head_size))
        heads_of_fours(p, lanes);
    else
        heads_by_warp(p);
}
