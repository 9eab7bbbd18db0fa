// The activations of tensor.Activation.
#pragma once

#include "taca.h"

static __device__ __forceinline__ float sigmoid(float x) { return 1.f / (1.f + expf(-x)); }

static __device__ __forceinline__ float activate(float x, int act) {
    switch (act) {
    case TACA_SILU: return x * sigmoid(x);
    case TACA_GELU_TANH: return 0.5f * x * (1.f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    case TACA_GELU: return 0.5f * x * (1.f + erff(0.7071067811865476f * x));
    case TACA_QUICK_GELU: return x * sigmoid(1.702f * x);
    }
    return x;
}
