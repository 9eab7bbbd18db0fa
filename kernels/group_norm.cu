// Group norm over all pixels and the channels of one group, in three steps:
//
//   sums:  every block takes a slab of rows, and gives mean and squared
//          deviations of every unit of columns in it
//   stats: one block a group joins slabs and units by Chan's formula, and gives
//          mean and 1/√(variance + eps)
//   norm:  dst = act(gain·(x − mean)·factor + bias)
//
// A unit is four columns where a group's channels are a multiple of four and
// the operands are aligned, else one. A thread sums differences from the first
// value it sees, so that rows far from zero lose nothing.
//
// sums holds slabs × units pairs (mean, squares), then groups pairs (mean,
// factor), all F32. Moves x twice and dst once.
#include "activation.cuh"
#include "formats.cuh"
#include "reduce.cuh"

enum { group_threads = 256 };

// moments is what is known of n numbers.
struct moments {
    float n, mean, squares;

    // add joins two sets (Chan, Golub, LeVeque 1979).
    __device__ __forceinline__ void add(const moments& o) {
        if (o.n == 0.f) return;
        const float all = n + o.n, apart = o.mean - mean;
        squares += o.squares + apart * apart * (n * o.n / all);
        mean += apart * (o.n / all);
        n = all;
    }
};

static __device__ __forceinline__ bool by_fours(const taca_group_norm_args& p) {
    return (p.cols / p.groups & 3) == 0 && fours(p.x, p.cols) && fours(p.dst, p.cols);
}

template <int N> static __device__ __forceinline__ moments unit_moments(const taca_group_norm_args& p, long long lo, long long hi, long long step, long long column) {
    float shift = 0.f, sum = 0.f, squares = 0.f, n = 0.f;
    for (long long r = lo; r < hi; r += step) {
        float v[N];
        load_state<N>(p.x, r, column, v);
        if (n == 0.f) shift = v[0];
#pragma unroll
        for (int e = 0; e < N; e++) {
            const float d = v[e] - shift;
            sum += d;
            squares = fmaf(d, d, squares);
        }
        n += N;
    }
    if (n == 0.f) return {};
    return {n, shift + sum / n, fmaxf(squares - sum * (sum / n), 0.f)};
}

template <int N> static __device__ __forceinline__ void slab_sums(const taca_group_norm_args& p) {
    __shared__ moments part[group_threads];
    const int          units = (int)(p.cols / N), across = min(units, group_threads), down = group_threads / across;
    const int          lane = threadIdx.x % across, walker = threadIdx.x / across;
    const long long    lo = p.rows * blockIdx.x / p.slabs, hi = p.rows * (blockIdx.x + 1) / p.slabs;
    for (int begin = 0; begin < units; begin += across) {
        const int unit = begin + lane;
        if (walker < down) part[threadIdx.x] = unit < units ? unit_moments<N>(p, lo + walker, hi, down, (long long)unit * N) : moments{};
        __syncthreads();
        if (walker == 0 && unit < units) {
            moments all = part[lane];
            for (int w = 1; w < down; w++) all.add(part[w * across + lane]);
            ((float2*)p.sums)[(long long)blockIdx.x * units + unit] = make_float2(all.mean, all.squares);
        }
        __syncthreads();
    }
}

// Launch: slabs blocks of 256 threads; slabs is at most rows.
extern "C" __global__ void __launch_bounds__(group_threads) taca_group_sums(const taca_group_norm_args p) {
    if (by_fours(p))
        slab_sums<4>(p);
    else
        slab_sums<1>(p);
}

// Launch: groups blocks of 32 threads.
extern "C" __global__ void __launch_bounds__(32) taca_group_stats(const taca_group_norm_args p) {
    const int       width = by_fours(p) ? 4 : 1, units = (int)(p.cols / width), mine = units / (int)p.groups, g = blockIdx.x;
    const long long entries = p.slabs * mine;
    moments         all{};
    for (long long e = threadIdx.x; e < entries; e += 32) {
        const long long slab = e / mine, unit = g * mine + e % mine;
        const float2    m = ((const float2*)p.sums)[slab * units + unit];
        const float     rows = (float)(p.rows * (slab + 1) / p.slabs - p.rows * slab / p.slabs);
        all.add({rows * width, m.x, m.y});
    }
    for (int lane = 16; lane; lane >>= 1) {
        const moments other = {__shfl_xor_sync(0xffffffffu, all.n, lane), __shfl_xor_sync(0xffffffffu, all.mean, lane),
                               __shfl_xor_sync(0xffffffffu, all.squares, lane)};
        all.add(other);
    }
    if (threadIdx.x == 0)
        ((float2*)p.sums)[p.slabs * units + g] = make_float2(all.mean, inverse_root(all.squares / all.n + (float)p.eps));
}

template <int N> static __device__ __forceinline__ void norm_rows(const taca_group_norm_args& p) {
    const float2*   stats = (const float2*)p.sums + p.slabs * (p.cols / N);
    const int       channels = (int)(p.cols / p.groups);
    const bool      gains = fours(p.gain, p.cols), biases = fours(p.bias, p.cols);
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long u = (long long)blockIdx.x * blockDim.x + threadIdx.x; u < p.cols / N; u += step) {
        const int    i = (int)u * N;
        const float2 s = stats[i / channels];
        float        gain[N], bias[N];
        load_vector<N>(p.gain, gains, 0, i, gain);
        load_vector<N>(p.bias, biases, 0, i, bias);
        for (long long r = blockIdx.y; r < p.rows; r += gridDim.y) {
            float v[N];
            load_state<N>(p.x, r, i, v);
#pragma unroll
            for (int e = 0; e < N; e++) v[e] = activate(fmaf((v[e] - s.x) * s.y, gain[e], bias[e]), (int)p.act);
            store<N>(p.dst, r, i, v);
        }
    }
}

// Launch: blocks of 256 threads, x over the columns, y over the rows.
extern "C" __global__ void __launch_bounds__(group_threads) taca_group_norm(const taca_group_norm_args p) {
    if (by_fours(p))
        norm_rows<4>(p);
    else
        norm_rows<1>(p);
}
