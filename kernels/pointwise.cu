// Element-wise verbs: one pass over memory, four elements at a time where the
// operands allow it. A block walks along one row; its threads take neighbouring
// elements, so every sector that is touched is used whole.
//
// Launch: blocks of 256 threads, x over the columns, y over the rows.
#include "activation.cuh"
#include "formats.cuh"

// each calls f<4> or f<1> on the first element of every group of this thread.
template <class F> static __device__ __forceinline__ void each_element(const taca_pointwise_args& p, bool wide, F f) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long r = blockIdx.y; r < p.rows; r += gridDim.y) {
        const long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x;
        if (wide)
            for (long long i = 4 * first; i < p.cols; i += 4 * step) f.template at<4>(p, r, i);
        else
            for (long long i = first; i < p.cols; i += step) f.template at<1>(p, r, i);
    }
}

struct gated_add {
    template <int N> __device__ __forceinline__ void at(const taca_pointwise_args& p, long long r, long long i) const {
        float x[N], y[N], gate[N];
        load_state<N>(p.dst, r, i, x);
        load_state<N>(p.y, r, i, y);
#pragma unroll
        for (int e = 0; e < N; e++) gate[e] = 1.f;
        if (p.gate.at) load<N>(p.gate, 0, i, gate);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] = fmaf(gate[e], y[e], x[e]);
        store<N>(p.dst, r, i, x);
    }
};

struct activation {
    template <int N> __device__ __forceinline__ void at(const taca_pointwise_args& p, long long r, long long i) const {
        float x[N];
        load_state<N>(p.x, r, i, x);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] = activate(x[e], (int)p.act);
        store<N>(p.dst, r, i, x);
    }
};

struct multiplication {
    template <int N> __device__ __forceinline__ void at(const taca_pointwise_args& p, long long r, long long i) const {
        float x[N], y[N];
        load_state<N>(p.x, r, i, x);
        load_state<N>(p.y, r, i, y);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] *= y[e];
        store<N>(p.dst, r, i, x);
    }
};

struct mixture {
    template <int N> __device__ __forceinline__ void at(const taca_pointwise_args& p, long long r, long long i) const {
        float x[N], y[N];
        load_state<N>(p.x, r, i, x);
        load_state<N>(p.y, r, i, y);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] = fmaf((float)p.a, x[e], (float)p.b * y[e]);
        store<N>(p.dst, r, i, x);
    }
};

struct conversion {
    template <int N> __device__ __forceinline__ void at(const taca_pointwise_args& p, long long r, long long i) const {
        float x[N];
        load<N>(p.x, r, i, x);
#pragma unroll
        for (int e = 0; e < N; e++) x[e] *= (float)p.a;
        store<N>(p.dst, r, i, x);
    }
};

extern "C" __global__ void __launch_bounds__(256) taca_gated_add(const taca_pointwise_args p) {
    each_element(p, fours(p.dst, p.cols) && fours(p.y, p.cols) && (!p.gate.at || fours(p.gate, p.cols)), gated_add{});
}
extern "C" __global__ void __launch_bounds__(256) taca_activate(const taca_pointwise_args p) {
    each_element(p, fours(p.dst, p.cols) && fours(p.x, p.cols), activation{});
}
extern "C" __global__ void __launch_bounds__(256) taca_mul(const taca_pointwise_args p) {
    each_element(p, fours(p.dst, p.cols) && fours(p.x, p.cols) && fours(p.y, p.cols), multiplication{});
}
extern "C" __global__ void __launch_bounds__(256) taca_mix(const taca_pointwise_args p) {
    each_element(p, fours(p.dst, p.cols) && fours(p.x, p.cols) && fours(p.y, p.cols), mixture{});
}
extern "C" __global__ void __launch_bounds__(256) taca_copy(const taca_pointwise_args p) {
    each_element(p, fours(p.dst, p.cols) && fours(p.x, p.cols), conversion{});
}
