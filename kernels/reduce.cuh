// Sums over the threads of a warp and of a block.
#pragma once

static __device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (int lane = 16; lane; lane >>= 1) v += __shfl_xor_sync(0xffffffffu, v, lane);
    return v;
}

// block_sum adds over all WARPS·32 threads, and gives every thread the sum. It
// may be called again at once: it ends with a barrier.
template <int WARPS> static __device__ __forceinline__ float block_sum(float v) {
    __shared__ float partial[WARPS];
    const int        lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    v = warp_sum(v);
    if (lane == 0) partial[warp] = v;
    __syncthreads();
    float sum = 0.f;
#pragma unroll
    for (int w = 0; w < WARPS; w++) sum += partial[w];
    __syncthreads();
    return sum;
}

// inverse_root is 1/√v, within half a unit in the last place nearly always: one
// step of Newton's on what a root and a division have left. Of infinity it is 0.
static __device__ __forceinline__ float inverse_root(float v) {
    const float y = 1.f / sqrtf(v);
    return y == 0.f ? 0.f : fmaf(0.5f * y, fmaf(-v * y, y, 1.f), y);
}
