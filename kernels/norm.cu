// Norms of rows. One block makes one row, which is read once: a thread keeps
// what it has read in registers, up to 4·threads·held columns where they come in
// fours, threads·held where not; what is beyond is read again, out of cache.
//
//   modulated: dst = (1 + gain)·(x − mean)/√(variance + eps) + bias
//   layer:     dst = gain·(x − mean)/√(variance + eps) + bias
//   rms:       dst = gain·x/√(mean(x²) + eps)
//
// The variance is summed around the mean, which matters where rows lie far
// from zero. Launch: rows blocks of 128 threads.
#include "formats.cuh"
#include "reduce.cuh"

enum norm_kind { MODULATED, LAYER, RMS };

enum { norm_threads = 128, norm_held = 6 }; // 3072 columns of four elements a thread

template <int N> struct row_reader {
    const taca_norm_args& p;
    long long        row;
    float            held[norm_held][N];

    // each calls f on what this thread has of the row; the first time it reads.
    template <bool FIRST, class F> __device__ __forceinline__ void each(F f) {
        const int step = N * norm_threads, begin = N * threadIdx.x;
#pragma unroll
        for (int h = 0; h < norm_held; h++) {
            const int i = begin + h * step;
            if (i >= p.cols) continue;
            if (FIRST) load_state<N>(p.x, row, i, held[h]);
            f(held[h], i);
        }
        for (long long i = begin + norm_held * step; i < p.cols; i += step) {
            float v[N];
            load_state<N>(p.x, row, i, v);
            f(v, i);
        }
    }
};

template <norm_kind KIND, int N> static __device__ __forceinline__ void norm_row(const taca_norm_args& p) {
    row_reader<N> x{p, (long long)blockIdx.x};
    float         mean = 0.f, sum = 0.f;
    if (KIND == RMS) {
        x.template each<true>([&](const float(&v)[N], long long) {
#pragma unroll
            for (int e = 0; e < N; e++) sum = fmaf(v[e], v[e], sum);
        });
    } else {
        x.template each<true>([&](const float(&v)[N], long long) {
#pragma unroll
            for (int e = 0; e < N; e++) mean += v[e];
        });
        mean = block_sum<norm_threads / 32>(mean) / (float)p.cols;
        x.template each<false>([&](const float(&v)[N], long long) {
#pragma unroll
            for (int e = 0; e < N; e++) sum = fmaf(v[e] - mean, v[e] - mean, sum);
        });
    }
    const float factor = inverse_root(block_sum<norm_threads / 32>(sum) / (float)p.cols + (float)p.eps);
    const bool  gains = fours(p.gain, p.cols), biases = KIND != RMS && fours(p.bias, p.cols);
    x.template each<false>([&](const float(&v)[N], long long i) {
        float gain[N], bias[N] = {}, out[N];
        load_vector<N>(p.gain, gains, 0, i, gain);
        if (KIND != RMS) load_vector<N>(p.bias, biases, 0, i, bias);
#pragma unroll
        for (int e = 0; e < N; e++) out[e] = fmaf((v[e] - mean) * factor, KIND == MODULATED ? 1.f + gain[e] : gain[e], bias[e]);
        store<N>(p.dst, blockIdx.x, i, out);
    });
}

template <norm_kind KIND> static __device__ __forceinline__ void norm(const taca_norm_args& p) {
    if (fours(p.x, p.cols) && fours(p.dst, p.cols))
        norm_row<KIND, 4>(p);
    else
        norm_row<KIND, 1>(p);
}

extern "C" __global__ void __launch_bounds__(norm_threads) taca_modulated_norm(const taca_norm_args p) { norm<MODULATED>(p); }
extern "C" __global__ void __launch_bounds__(norm_threads) taca_layer_norm(const taca_norm_args p) { norm<LAYER>(p); }
extern "C" __global__ void __launch_bounds__(norm_threads) taca_rms_norm(const taca_norm_args p) { norm<RMS>(p); }
