// Products against sums in double, for every format and epilogue; refusals.
// With -DREAL_CUBLASLT_H and cublasLt.h on the include path the numbers that
// were declared are compared with the real ones.
#include "cublaslt.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "cublaslt_formats.hpp"
#include "driver_process.hpp"

#ifdef REAL_CUBLASLT_H
#include <cublasLt.h>
static_assert(int(lt::f32) == CUDA_R_32F && int(lt::f16) == CUDA_R_16F && int(lt::bf16) == CUDA_R_16BF && int(lt::e4m3) == CUDA_R_8F_E4M3);
static_assert(int(lt::computeF32) == CUBLAS_COMPUTE_32F && int(lt::computeTF32) == CUBLAS_COMPUTE_32F_FAST_TF32);
static_assert(int(lt::plain) == CUBLAS_OP_N && int(lt::transposed) == CUBLAS_OP_T);
static_assert(int(lt::invalidValue) == CUBLAS_STATUS_INVALID_VALUE && int(lt::notSupported) == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(int(lt::notInitialized) == CUBLAS_STATUS_NOT_INITIALIZED && int(lt::executionFailed) == CUBLAS_STATUS_EXECUTION_FAILED);
static_assert(int(lt::allocFailed) == CUBLAS_STATUS_ALLOC_FAILED);
static_assert(int(lt::epilogueNone) == CUBLASLT_EPILOGUE_DEFAULT && int(lt::epilogueRelu) == CUBLASLT_EPILOGUE_RELU);
static_assert(int(lt::epilogueBias) == CUBLASLT_EPILOGUE_BIAS && int(lt::epilogueGelu) == CUBLASLT_EPILOGUE_GELU);
static_assert((lt::epilogueGelu | lt::epilogueBias) == CUBLASLT_EPILOGUE_GELU_BIAS && (lt::epilogueRelu | lt::epilogueBias) == CUBLASLT_EPILOGUE_RELU_BIAS);
static_assert(int(lt::descCompute) == CUBLASLT_MATMUL_DESC_COMPUTE_TYPE && int(lt::descScale) == CUBLASLT_MATMUL_DESC_SCALE_TYPE);
static_assert(int(lt::descPointerMode) == CUBLASLT_MATMUL_DESC_POINTER_MODE && int(lt::descTransA) == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(int(lt::descTransB) == CUBLASLT_MATMUL_DESC_TRANSB && int(lt::descTransC) == CUBLASLT_MATMUL_DESC_TRANSC);
static_assert(int(lt::descEpilogue) == CUBLASLT_MATMUL_DESC_EPILOGUE && int(lt::descBias) == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(int(lt::descBiasStride) == CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE && int(lt::descBiasType) == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);
static_assert(int(lt::descScaleA) == CUBLASLT_MATMUL_DESC_A_SCALE_POINTER && int(lt::descScaleB) == CUBLASLT_MATMUL_DESC_B_SCALE_POINTER);
static_assert(int(lt::descScaleC) == CUBLASLT_MATMUL_DESC_C_SCALE_POINTER && int(lt::descScaleD) == CUBLASLT_MATMUL_DESC_D_SCALE_POINTER);
static_assert(int(lt::descFastAccumulation) == CUBLASLT_MATMUL_DESC_FAST_ACCUM);
static_assert(int(lt::layoutType) == CUBLASLT_MATRIX_LAYOUT_TYPE && int(lt::layoutOrder) == CUBLASLT_MATRIX_LAYOUT_ORDER);
static_assert(int(lt::layoutRows) == CUBLASLT_MATRIX_LAYOUT_ROWS && int(lt::layoutCols) == CUBLASLT_MATRIX_LAYOUT_COLS);
static_assert(int(lt::layoutLd) == CUBLASLT_MATRIX_LAYOUT_LD && int(lt::layoutBatch) == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
static_assert(int(lt::layoutStride) == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
static_assert(int(lt::preferSearch) == CUBLASLT_MATMUL_PREF_SEARCH_MODE && int(lt::preferWorkspace) == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(int(lt::preferReduction) == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(int(lt::preferAlignA) == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES && int(lt::preferAlignD) == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(sizeof(lt::Algorithm) == sizeof(cublasLtMatmulAlgo_t) && sizeof(lt::Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(lt::Heuristic, workspace) == offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(lt::Heuristic, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));
#endif

namespace {

using namespace lt;

#define LT(f, ...) reinterpret_cast<int (*)(__VA_ARGS__)>(productSymbol(#f))

uint64_t sizeOf(uint32_t type) { return type == f32 ? 4 : type == e4m3 ? 1 : 2; }

float widen(uint32_t type, const uint8_t* data, uint64_t i) {
    switch (type) {
    case f32: return reinterpret_cast<const float*>(data)[i];
    case f16: return fromF16(reinterpret_cast<const uint16_t*>(data)[i]);
    case bf16: return fromBF16(reinterpret_cast<const uint16_t*>(data)[i]);
    }
    return fromE4M3(data[i]);
}

// Shape is one product: what is special about it, the rest as usual.
struct Shape {
    uint32_t in = bf16, out = bf16, epilogue = epilogueNone;
    uint64_t m = 37, n = 21, k = 53;
    int32_t transA = transposed, transB = plain, batch = 1, compute = computeF32;
    int64_t pad = 0;        // of leading dimensions
    int64_t strideB = -1;   // -1: one after the other
    bool interleaved = false;  // results side by side in the rows of one matrix
    float alpha = 1, beta = 0;
    bool scales = false;
    uint32_t align = 256;
    uint64_t promised = 8 << 10;  // workspace of the call
};

struct Made {
    Layout layout;
    CUdeviceptr at = 0;
    std::vector<uint8_t> host;
};

// Product makes all of a case: operands with random values, descriptors.
struct Product {
    Session session;
    CUstream stream = session.stream();
    Shape is;
    void *handle = nullptr, *desc = nullptr, *layouts[4] = {}, *preference = nullptr;
    Made a, b, d, bias;
    CUdeviceptr workspace = session.memory(1 << 20), scaleA = 0, scaleB = 0;
    Heuristic found;
    std::mt19937 random{7};

    Made made(uint32_t type, uint64_t rows, uint64_t cols, int64_t stride) {
        Made x;
        x.layout.type = type;
        x.layout.rows = rows;
        x.layout.cols = cols;
        x.layout.ld = int64_t(rows) + is.pad;
        x.layout.batch = is.batch;
        x.layout.stride = stride < 0 ? x.layout.ld * int64_t(cols) : stride;
        fill(x, uint64_t(x.layout.ld) * cols * uint64_t(is.batch));
        return x;
    }

    void fill(Made& x, uint64_t elements) {
        x.host.resize(elements * sizeOf(x.layout.type));
        std::uniform_real_distribution<float> some(-1, 1);
        for (uint64_t i = 0; i < elements; i++) {
            const float v = some(random);
            switch (x.layout.type) {
            case f32: reinterpret_cast<float*>(x.host.data())[i] = v; break;
            case f16: reinterpret_cast<uint16_t*>(x.host.data())[i] = toF16(v); break;
            case bf16: reinterpret_cast<uint16_t*>(x.host.data())[i] = toBF16(v); break;
            default: x.host[i] = uint8_t((random() & 0x80) | (random() % 0x50)); break;
            }
        }
        x.at = session.memory(x.host.size());
        ok(CU(cuMemcpyHtoD)(x.at, x.host.data(), x.host.size()));
    }

    explicit Product(const Shape& c) : is(c) {
        a = is.transA ? made(is.in, is.k, is.m, -1) : made(is.in, is.m, is.k, -1);
        b = is.transB ? made(is.in, is.n, is.k, is.strideB) : made(is.in, is.k, is.n, is.strideB);
        d = made(is.out, is.m, is.n, -1);
        if (is.interleaved) {
            d.layout.ld = int64_t(is.m) * is.batch;
            d.layout.stride = int64_t(is.m);
        }
        bias.layout.type = is.in == e4m3 ? uint32_t(bf16) : is.out;
        fill(bias, is.m * uint64_t(is.batch));
        const float scales[] = {0.25f, 3};
        scaleA = session.memory(4);
        scaleB = session.memory(4);
        ok(CU(cuMemcpyHtoD)(scaleA, scales, 4));
        ok(CU(cuMemcpyHtoD)(scaleB, scales + 1, 4));
        ok(CU(cuCtxSynchronize)());
        describe();
    }

    template <class T>
    void set(int attribute, T value) {
        expect(LT(cublasLtMatmulDescSetAttribute, void*, int, const void*, size_t)(desc, attribute, &value, sizeof value) == success, "set");
    }

    void describe() {
        expect(LT(cublasLtCreate, void**)(&handle) == success, "create");
        expect(LT(cublasLtMatmulDescCreate, void**, int, int)(&desc, is.compute, f32) == success, "desc");
        set(descTransA, is.transA);
        set(descTransB, is.transB);
        set(descEpilogue, is.epilogue);
        if (is.epilogue & epilogueBias) {
            set(descBias, uint64_t(bias.at));
            set(descBiasStride, int64_t(is.m));
        }
        if (is.scales) {
            set(descScaleA, uint64_t(scaleA));
            set(descScaleB, uint64_t(scaleB));
        }
        const Made* each[] = {&a, &b, &d, &d};
        for (int i = 0; i < 4; i++) {
            const Layout& l = each[i]->layout;
            expect(LT(cublasLtMatrixLayoutCreate, void**, int, uint64_t, uint64_t, int64_t)(&layouts[i], int(l.type), l.rows, l.cols, l.ld) == success, "layout");
            const auto put = LT(cublasLtMatrixLayoutSetAttribute, void*, int, const void*, size_t);
            expect(put(layouts[i], layoutBatch, &l.batch, sizeof l.batch) == success, "batch");
            expect(put(layouts[i], layoutStride, &l.stride, sizeof l.stride) == success, "stride");
        }
        LT(cublasLtMatmulPreferenceCreate, void**)(&preference);
        const auto prefer = LT(cublasLtMatmulPreferenceSetAttribute, void*, int, const void*, size_t);
        const uint64_t most = 8 << 10;
        prefer(preference, preferWorkspace, &most, sizeof most);
        for (int i = preferAlignA; i <= preferAlignD; i++) prefer(preference, i, &is.align, sizeof is.align);
    }

    int find() {
        int n = 0;
        return LT(cublasLtMatmulAlgoGetHeuristic, void*, void*, void*, void*, void*, void*, void*, int, Heuristic*, int*)(
            handle, desc, layouts[0], layouts[1], layouts[2], layouts[3], preference, 1, &found, &n);
    }

    int run(CUdeviceptr at, CUdeviceptr from = 0) {
        return LT(cublasLtMatmul, void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*, void*, void*,
                  const Algorithm*, void*, size_t, void*)(handle, desc, &is.alpha, reinterpret_cast<void*>(from ? from : a.at), layouts[0],
                                                          reinterpret_cast<void*>(b.at), layouts[1], &is.beta, reinterpret_cast<void*>(at), layouts[2],
                                                          reinterpret_cast<void*>(at), layouts[3], &found.algorithm,
                                                          reinterpret_cast<void*>(workspace), is.promised, stream);
    }

    double wanted(int32_t i, uint64_t row, uint64_t col) const {
        double sum = 0;
        const uint64_t ai = uint64_t(i * a.layout.stride), bi = uint64_t(i * b.layout.stride), di = uint64_t(i * d.layout.stride);
        const uint64_t la = uint64_t(a.layout.ld), lb = uint64_t(b.layout.ld);
        for (uint64_t k = 0; k < is.k; k++)
            sum += double(widen(is.in, a.host.data(), ai + (is.transA ? row * la + k : k * la + row))) *
                   widen(is.in, b.host.data(), bi + (is.transB ? k * lb + col : col * lb + k));
        double v = is.alpha * sum * (is.scales ? 0.75 : 1);
        if (is.beta != 0) v += is.beta * widen(is.out, d.host.data(), di + col * uint64_t(d.layout.ld) + row);
        if (is.epilogue & epilogueBias) v += widen(bias.layout.type, bias.host.data(), uint64_t(i) * is.m + row);
        if (is.epilogue & epilogueRelu) v = std::max(v, 0.0);
        if (is.epilogue & epilogueGelu) v = 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
        return v;
    }

    // agrees compares with sums in double; what lies between columns stays.
    void agrees() {
        std::vector<uint8_t> got(d.host.size());
        ok(CU(cuStreamSynchronize)(stream), "product");
        ok(CU(cuMemcpyDtoH)(got.data(), d.at, got.size()));
        const double unit = is.out == f32 ? 1e-5 : is.out == f16 ? 0x1p-11 : 0x1p-8;
        std::vector<bool> result(got.size() / sizeOf(is.out));
        for (int32_t i = 0; i < is.batch; i++)
            for (uint64_t col = 0; col < is.n; col++)
                for (uint64_t row = 0; row < is.m; row++) {
                    const uint64_t at = uint64_t(i * d.layout.stride) + col * uint64_t(d.layout.ld) + row;
                    const double w = wanted(i, row, col), g = widen(is.out, got.data(), at);
                    result[at] = true;
                    expect(std::abs(g - w) <= unit * std::abs(w) + 2e-5 * std::sqrt(double(is.k)),
                           std::to_string(g) + " instead of " + std::to_string(w) + " at " + std::to_string(row) + "," + std::to_string(col));
                }
        for (uint64_t e = 0; e < result.size(); e++)
            expect(result[e] || !memcmp(&got[e * sizeOf(is.out)], &d.host[e * sizeOf(is.out)], sizeOf(is.out)), "bytes between columns were changed");
    }
};

void right(const Shape& c, const Settings& settings = {}) {
    inProcess(settings, [&] {
        Product p(c);
        expect(p.find() == success, "heuristic");
        expect(p.run(p.d.at) == success, "matmul");
        p.agrees();
    });
}

void refused(const Shape& c, int status, const Settings& settings = {}) {
    inProcess(settings, [&] {
        Product p(c);
        const int got = p.find();
        expect(got == status, "heuristic: " + std::to_string(got));
    });
}

}  // namespace

// Every number comes back, and what lies between two goes to the even one.
TEST(formats_round_to_nearest_even) {
    for (uint32_t h = 0; h < 0x7c00; h++) {
        expect(toF16(fromF16(uint16_t(h))) == h && toF16(fromF16(uint16_t(h | 0x8000))) == (h | 0x8000), "f16 " + std::to_string(h));
        if (h == 0x7bff) continue;
        const float between = (fromF16(uint16_t(h)) + fromF16(uint16_t(h + 1))) / 2;
        expect(toF16(between) == h + (h & 1), "between f16 " + std::to_string(h));
    }
    for (uint32_t h = 0x80; h < 0x7f00; h++) {
        expect(toBF16(fromBF16(uint16_t(h))) == h, "bf16 " + std::to_string(h));
        expect(toBF16(fromBits(h << 16 | 0x8000)) == h + (h & 1), "between bf16 " + std::to_string(h));
    }
    expect(toF16(65520.0f) == 0x7c00 && toF16(65519.0f) == 0x7bff, "beyond the largest f16");
    expect(fromE4M3(0x7e) == 448 && fromE4M3(0x01) == 0x1p-9f && fromE4M3(0x88) == -0x1p-6f && fromE4M3(0xb8) == -1, "e4m3");
    expect(fromF16(0x0001) == 0x1p-24f && std::isinf(fromF16(0x7c00)) && std::isnan(fromF16(0x7e00)), "f16");
}

TEST(products_of_all_formats) {
    const std::pair<uint32_t, uint32_t> formats[] = {{f32, f32}, {bf16, bf16}, {bf16, f32}, {f16, f16}, {f16, f32}};
    for (auto& [in, out] : formats)
        for (uint32_t epilogue : {1, 2, 4, 6, 32, 36})
            for (int transposes : {0, 1, 2, 3}) {
                Shape c;
                c.in = in;
                c.out = out;
                c.epilogue = epilogue;
                c.transA = transposes & 1;
                c.transB = transposes >> 1;
                c.pad = 3;
                c.alpha = 0.5f;
                c.beta = transposes == 1 ? -2.0f : 0;
                right(c);
            }
    Shape tf32;
    tf32.in = tf32.out = f32;
    tf32.compute = computeTF32;
    right(tf32);
}

TEST(products_of_8_bit_floats) {
    for (uint32_t out : {uint32_t(bf16), uint32_t(f32)}) {
        Shape c;
        c.in = e4m3;
        c.out = out;
        c.m = 48, c.n = 32, c.k = 64;
        c.scales = true;
        c.epilogue = epilogueBias;
        right(c, {{"TACASIM_CAPABILITY", "89"}});
        refused(c, notSupported, {{"TACASIM_CAPABILITY", "86"}});
        Shape odd = c;
        odd.k = 56;
        refused(odd, notSupported, {{"TACASIM_CAPABILITY", "89"}});
        Shape turned = c;
        turned.transA = plain;
        refused(turned, notSupported, {{"TACASIM_CAPABILITY", "89"}});
        Shape loose = c;
        loose.align = 8;
        refused(loose, notSupported, {{"TACASIM_CAPABILITY", "89"}});
    }
}

TEST(batches) {
    for (int64_t strideB : {int64_t(-1), int64_t(0)})
        for (bool interleaved : {false, true}) {
            Shape c;
            c.batch = 3;
            c.strideB = strideB;
            c.interleaved = interleaved;
            c.epilogue = epilogueBias | epilogueGelu;
            right(c);
        }
    Shape large;
    large.m = 260, large.n = 130, large.k = 300;  // shared between threads
    right(large);
}

TEST(products_that_are_refused) {
    Shape c;
    c.in = bf16, c.out = f16;
    refused(c, notSupported);
    c = {};
    c.in = f32, c.out = bf16;
    refused(c, notSupported);
    c = {};
    c.epilogue = 128;
    refused(c, notSupported);
    c = {};
    c.scales = true;
    refused(c, invalidValue);
    c = {};
    c.compute = 64;
    refused(c, notSupported);
    c = {};
    c.align = 1;
    refused(c, notSupported);
    c = {};
    c.pad = -1;
    refused(c, invalidValue);
}

TEST(calls_that_are_refused) {
    inProcess({}, [] {
        Product p(Shape{});
        expect(p.find() == success, "heuristic");
        expect(p.run(p.d.at, p.a.at + 2) == invalidValue, "less aligned than was promised");
        p.is.promised = 16;
        expect(p.run(p.d.at) == invalidValue, "less workspace than was asked for");
        p.is.promised = 8 << 10;
        p.set(descEpilogue, uint32_t(epilogueGelu));
        expect(p.run(p.d.at) == invalidValue, "an algorithm for another product");
        p.set(descEpilogue, uint32_t(epilogueNone));
        const Algorithm kept = p.found.algorithm;
        p.found.algorithm.data[0]++;
        expect(p.run(p.d.at) == invalidValue, "an algorithm that is none");
        p.found.algorithm = kept;
        expect(p.run(p.d.at) == success, "the real one");
        expect(p.run(p.a.at) == success && CU(cuStreamSynchronize)(p.stream) == CUDA_ERROR_ILLEGAL_ADDRESS, "a result over its operand");
    });
    inProcess({}, [] {
        Product p(Shape{});
        expect(p.find() == success, "heuristic");
        p.a.at = p.session.memory(p.a.host.size());
        expect(p.run(p.d.at) == success && CU(cuStreamSynchronize)(p.stream) == CUDA_ERROR_ILLEGAL_ADDRESS, "an operand that was never written");
    });
    for (const char* what : {"create", "heuristic", "matmul:1"})
        inProcess({{"TACASIM_CUBLASLT_FAIL", what}}, [&] {
            std::string failed;
            try {
                Product p(Shape{});
                failed = p.find() ? "heuristic" : p.run(p.d.at) == executionFailed && p.run(p.d.at) == success ? "matmul:1" : "nothing";
            } catch (const std::exception&) {
                failed = "create";
            }
            expect(failed == what, failed + " instead of " + what);
        });
}

TEST(products_wait_their_turn) {
    inProcess({}, [] {
        Product p(Shape{});
        expect(p.find() == success, "heuristic");
        CUgraph graph = nullptr;
        CUgraphExec exec = nullptr;
        ok(CU(cuStreamBeginCapture)(p.stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
        expect(p.run(p.d.at) == success, "matmul");
        ok(CU(cuStreamEndCapture)(p.stream, &graph));
        ok(CU(cuGraphInstantiate)(&exec, graph, 0));
        std::vector<uint8_t> before(p.d.host.size());
        ok(CU(cuMemcpyDtoH)(before.data(), p.d.at, before.size()));
        expect(before == p.d.host, "nothing has run");
        std::rotate(p.a.host.begin(), p.a.host.begin() + 2, p.a.host.end());  // other weights at the same address
        ok(CU(cuMemcpyHtoD)(p.a.at, p.a.host.data(), p.a.host.size()));
        ok(CU(cuCtxSynchronize)());
        ok(CU(cuGraphLaunch)(exec, p.stream));
        p.agrees();
    });
}
