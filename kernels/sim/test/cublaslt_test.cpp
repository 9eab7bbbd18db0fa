// The stand-in for cuBLASLt multiplies as the descriptors say, and refuses what
// the real one would.
#include <cuda.h>

#include <cmath>

#include "harness.hpp"

extern "C" {
int cublasLtCreate(void**);
int cublasLtDestroy(void*);
int cublasLtMatmulDescCreate(void**, int, int);
int cublasLtMatmulDescSetAttribute(void*, int, const void*, size_t);
int cublasLtMatrixLayoutCreate(void**, int, uint64_t, uint64_t, int64_t);
int cublasLtMatrixLayoutSetAttribute(void*, int, const void*, size_t);
int cublasLtMatmulPreferenceCreate(void**);
int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, size_t);
int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int, void*, int*);
int cublasLtMatmul(void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*, void*, void*, const void*, void*, size_t, void*);
}

namespace {

enum { F32 = 0, BF16 = 14, OK = 0, INVALID = 7, UNSUPPORTED = 15 };

float bf16(uint16_t h) {
    uint32_t w = uint32_t(h) << 16;
    float f;
    memcpy(&f, &w, 4);
    return f;
}

uint16_t toBF16(float f) {
    uint32_t w;
    memcpy(&w, &f, 4);
    return uint16_t((w + 0x7fff + (w >> 16 & 1)) >> 16);
}

// Matrix is column-major device memory of one format.
struct Matrix {
    int type;
    uint64_t rows, cols;
    int64_t ld;
    CUdeviceptr at = 0;
    Matrix(int type, uint64_t rows, uint64_t cols, int64_t ld, unsigned seed) : type(type), rows(rows), cols(cols), ld(ld) {
        expect(cuMemAlloc_v2(&at, uint64_t(ld) * cols * (type == F32 ? 4 : 2)) == 0, "no memory");
        std::vector<uint8_t> host(uint64_t(ld) * cols * (type == F32 ? 4 : 2));
        for (uint64_t i = 0; i < uint64_t(ld) * cols; i++) {
            seed = seed * 1664525 + 1013904223;
            const float v = float(int(seed >> 16 & 0xff) - 128) / 64;
            if (type == F32) memcpy(&host[4 * i], &v, 4);
            else reinterpret_cast<uint16_t*>(host.data())[i] = toBF16(v);
        }
        expect(cuMemcpyHtoD_v2(at, host.data(), host.size()) == 0, "no copy");
    }
    ~Matrix() { cuMemFree_v2(at); }
    double get(uint64_t r, uint64_t c) const {
        const uint64_t i = c * uint64_t(ld) + r;
        return type == F32 ? reinterpret_cast<float*>(at)[i] : bf16(reinterpret_cast<uint16_t*>(at)[i]);
    }
};

struct Setup {
    CUcontext context = nullptr;
    CUstream stream = nullptr;
    void *handle = nullptr, *desc = nullptr, *preference = nullptr;
    uint64_t found[16];
    Setup() {
        cuInit(0);
        cuCtxCreate_v2(&context, 0, 0);
        cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
        expect(cublasLtCreate(&handle) == OK && cublasLtMatmulDescCreate(&desc, 68, F32) == OK && cublasLtMatmulPreferenceCreate(&preference) == OK, "no setup");
        const int32_t transpose = 1;
        cublasLtMatmulDescSetAttribute(desc, 3, &transpose, 4);
    }
    ~Setup() {
        cublasLtDestroy(handle);
        cuCtxDestroy_v2(context);
    }
    void* layout(const Matrix& m) {
        void* l = nullptr;
        cublasLtMatrixLayoutCreate(&l, m.type, m.rows, m.cols, m.ld);
        return l;
    }
    int plan(const Matrix& a, const Matrix& b, const Matrix& d) {
        int count = 0;
        const int status = cublasLtMatmulAlgoGetHeuristic(handle, desc, layout(a), layout(b), layout(d), layout(d), preference, 1, found, &count);
        return status ? status : count == 1 ? OK : UNSUPPORTED;
    }
    int run(const Matrix& a, const Matrix& b, const Matrix& d, float alpha, float beta) {
        return cublasLtMatmul(handle, desc, &alpha, reinterpret_cast<void*>(a.at), layout(a), reinterpret_cast<void*>(b.at), layout(b), &beta,
                              reinterpret_cast<void*>(d.at), layout(d), reinterpret_cast<void*>(d.at), layout(d), found, nullptr, 0, stream);
    }
};

void product(int in, int out, bool biased, bool gelu, float alpha, float beta) {
    Setup s;
    const Matrix a(in, 24, 10, 32, 1), b(in, 24, 7, 24, 2), d(out, 10, 7, 16, 3), bias(out, 10, 1, 10, 4);
    const int32_t epilogue = (biased || gelu ? 0 : 1) | (biased ? 4 : 0) | (gelu ? 32 : 0);
    cublasLtMatmulDescSetAttribute(s.desc, 7, &epilogue, 4);
    cublasLtMatmulDescSetAttribute(s.desc, 8, &bias.at, 8);
    std::vector<double> want;
    for (uint64_t n = 0; n < 7; n++)
        for (uint64_t m = 0; m < 10; m++) {
            double v = 0;
            for (uint64_t k = 0; k < 24; k++) v += a.get(k, m) * b.get(k, n);
            v = alpha * v + beta * d.get(m, n) + (biased ? bias.get(m, 0) : 0);
            want.push_back(gelu ? v / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))) : v);
        }
    expect(s.plan(a, b, d) == OK && s.run(a, b, d, alpha, beta) == OK, "refused");
    expect(std::abs(d.get(0, 0) - want[0]) > 1e-6, "it was done before anybody waited");
    expect(cuStreamSynchronize(s.stream) == 0, "it failed");
    for (uint64_t n = 0; n < 7; n++)
        for (uint64_t m = 0; m < 10; m++) {
            const double v = want[n * 10 + m], bound = (out == F32 ? 1e-5 : 1.0 / 256) * (std::abs(v) + 0.1);
            expect(std::abs(d.get(m, n) - v) <= bound, "element " + std::to_string(m) + ", " + std::to_string(n) + " is " + std::to_string(d.get(m, n)) + ", want " + std::to_string(v));
        }
}

}  // namespace

TEST(products_are_right) {
    for (const auto& [in, out] : std::vector<std::pair<int, int>>{{BF16, BF16}, {BF16, F32}, {F32, F32}}) {
        product(in, out, false, false, 1, 0);
        product(in, out, true, false, 1, 0);
        product(in, out, true, true, 1, 0);
        product(in, out, false, false, 0.5f, 1);
    }
}

TEST(impossible_products_are_refused) {
    Setup s;
    const Matrix a(BF16, 24, 10, 24, 1), b(BF16, 24, 7, 24, 2), d(BF16, 10, 7, 10, 3);
    const Matrix wide(F32, 10, 7, 10, 3), narrow(F32, 24, 10, 24, 1), other(BF16, 20, 7, 20, 2);
    expect(s.plan(a, b, d) == OK, "a plain product");
    expect(s.plan(narrow, b, d) == UNSUPPORTED, "two input formats");
    expect(s.plan(narrow, Matrix(F32, 24, 7, 24, 2), d) == UNSUPPORTED, "F32 to BF16");
    expect(s.plan(a, other, d) == INVALID, "inner sizes that differ");
    expect(s.plan(a, b, wide) == OK, "BF16 to F32");
    Matrix shifted(BF16, 24, 10, 25, 1);
    shifted.at += 2;
    expect(s.plan(a, b, d) == OK && s.run(shifted, b, d, 1, 0) == INVALID, "an address that is less aligned than was promised");
    shifted.at -= 2;
}
