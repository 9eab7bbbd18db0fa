// What of cuBLASLt's interface is modelled: names and numbers of cublasLt.h,
// CUDA 12, and the descriptions of a product behind its handles.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lt {

enum Status { success = 0, notInitialized = 1, allocFailed = 3, invalidValue = 7, executionFailed = 13, notSupported = 15 };
enum Type { f32 = 0, f16 = 2, bf16 = 14, e4m3 = 28 };
enum Compute { computeF32 = 68, computeTF32 = 77 };
enum Operation { plain = 0, transposed = 1 };
enum Epilogue { epilogueNone = 1, epilogueRelu = 2, epilogueBias = 4, epilogueGelu = 32 };
enum DescAttribute {
    descCompute = 0, descScale = 1, descPointerMode = 2, descTransA = 3, descTransB = 4, descTransC = 5, descEpilogue = 7,
    descBias = 8, descBiasStride = 10, descScaleA = 17, descScaleB = 18, descScaleC = 19, descScaleD = 20,
    descFastAccumulation = 25, descBiasType = 26,
};
enum LayoutAttribute { layoutType = 0, layoutOrder = 1, layoutRows = 2, layoutCols = 3, layoutLd = 4, layoutBatch = 5, layoutStride = 6 };
enum PreferenceAttribute {
    preferSearch = 0, preferWorkspace = 1, preferReduction = 3, preferAlignA = 5, preferAlignB = 6, preferAlignC = 7, preferAlignD = 8,
};

// Desc says how to multiply.
struct Desc {
    int32_t compute = computeF32, scale = f32, pointerMode = 0;
    int32_t transA = plain, transB = plain, transC = plain;
    uint32_t epilogue = epilogueNone;
    uint64_t bias = 0;
    int64_t biasStride = 0;
    uint64_t scaleA = 0, scaleB = 0, scaleC = 0, scaleD = 0;
    int8_t fastAccumulation = 0;
    int32_t biasType = -1;  // that of the result

    bool has(Epilogue e) const { return epilogue & e; }
};

// Layout is a column-major matrix, or a batch of them.
struct Layout {
    uint32_t type = f32;
    int32_t order = 0;
    uint64_t rows = 0, cols = 0;
    int64_t ld = 0;
    int32_t batch = 1;
    int64_t stride = 0;
};

struct Preference {
    uint32_t search = 0, reduction = ~0u;
    uint64_t workspace = 0;
    uint32_t align[4] = {256, 256, 256, 256};  // bytes that divide a, b, c, d
};

struct Algorithm {
    uint64_t data[8];
};

struct Heuristic {
    Algorithm algorithm;
    size_t workspace;
    int32_t state;
    float waves;
    int32_t reserved[4];
};

// Operands is what one call multiplies.
struct Operands {
    Desc how;
    Layout a, b, c, d;
    float alpha = 1, beta = 0;
    uint64_t at = 0, bt = 0, ct = 0, dt = 0, workspace = 0, workspaceBytes = 0;
};

// Seam is what the arithmetic asks of the simulated driver; see
// driver_private.hpp.
struct Seam {
    int (*readable)(uint64_t at, uint64_t bytes);
    int (*writable)(uint64_t at, uint64_t bytes);
    void (*product)(double flops);
    void (*stop)(const char* why);
};
const Seam& seam();

uint64_t bytesOf(uint32_t type);
// biasType is the type of the bias's elements.
uint32_t biasType(const Operands& o);
// possible answers whether the documentation lists such a product.
Status possible(const Operands& o, int capability);
// multiply carries it out, as work of a stream.
void multiply(const Operands& o);

}  // namespace lt
