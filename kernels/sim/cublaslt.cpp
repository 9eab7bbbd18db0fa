// A stand-in for libcublasLt.so.12: it reads the descriptors that a program
// makes, refuses what the documentation does not list, and multiplies on the
// host, in the order of the stream. Inputs are exact, sums are F32, the result
// is rounded once. Declarations follow cublasLt.h of CUDA 12.
#include <cuda.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

extern "C" {
int tacasim_readable(uint64_t at, uint64_t bytes);
int tacasim_writable(uint64_t at, uint64_t bytes);
void tacasim_product(double flops);
void tacasim_break(int result);
}

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum Type { F32 = 0, F16 = 2, BF16 = 14 };
enum { COMPUTE_F32 = 68 };
enum { EPILOGUE_PLAIN = 1, EPILOGUE_BIAS = 4, EPILOGUE_GELU = 32 };
enum { DESC_TRANS_A = 3, DESC_TRANS_B = 4, DESC_EPILOGUE = 7, DESC_BIAS = 8, DESC_BIAS_STRIDE = 10 };
enum { LAYOUT_BATCH = 5, LAYOUT_STRIDE = 6 };
enum { PREFER_WORKSPACE = 1, PREFER_ALIGN_A = 5, PREFER_ALIGN_D = 8 };

constexpr uint64_t algorithm_mark = 0x7461636173696d21;

struct Description {
    int32_t transposeA = 0, transposeB = 0, epilogue = EPILOGUE_PLAIN;
    uint64_t bias = 0;
    int64_t biasStride = 0;
};

struct Layout {
    int type;
    uint64_t rows, cols;
    int64_t ld;
    int32_t batch = 1;
    int64_t stride = 0;
};

struct Preference {
    uint64_t workspace = 0;
    uint32_t align[4] = {256, 256, 256, 256};  // of a, b, c, d
};

struct Algorithm {
    uint64_t data[8];
};

struct Heuristic {
    Algorithm algorithm;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

// Product is one call, with all it needs when its turn on the stream comes.
struct Product {
    Description how;
    Layout a, b, c, d;
    float alpha, beta;
    uint64_t at, bt, ct, dt;
};

bool fails(const char* what) {
    const char* asked = getenv("TACASIM_CUBLASLT_FAIL");
    return asked && strstr(asked, what);
}

int bytes(int type) { return type == F32 ? 4 : 2; }

float widen(int type, const void* data, int64_t i) {
    if (type == F32) return static_cast<const float*>(data)[i];
    const uint16_t h = static_cast<const uint16_t*>(data)[i];
    uint32_t word = uint32_t(h) << 16;
    if (type == F16) {
        const uint32_t magnitude = h & 0x7fff;
        float f;
        word = magnitude << 13;
        memcpy(&f, &word, 4);
        f *= 5.192296858534828e33f;  // 2^112 moves the exponent's bias
        if (magnitude >= 0x7c00) f = magnitude == 0x7c00 ? INFINITY : NAN;
        return h & 0x8000 ? -f : f;
    }
    float f;
    memcpy(&f, &word, 4);
    return f;
}

void narrow(int type, void* data, int64_t i, float value) {
    if (type == F32) {
        static_cast<float*>(data)[i] = value;
        return;
    }
    uint32_t word;
    memcpy(&word, &value, 4);
    word = value != value ? 0x7fc00000 : word + 0x7fff + (word >> 16 & 1);
    static_cast<uint16_t*>(data)[i] = uint16_t(word >> 16);
}

float gelu(float x) { return 0.5f * x * (1 + std::tanh(0.7978845608028654f * (x + 0.044715f * x * x * x))); }


bool readable(const Layout& l, uint64_t at) {
    for (uint64_t c = 0; c < l.cols; c++)
        if (!tacasim_readable(at + c * uint64_t(l.ld) * uint64_t(bytes(l.type)), l.rows * uint64_t(bytes(l.type)))) return false;
    return true;
}

bool writable(const Layout& l, uint64_t at) {
    for (uint64_t c = 0; c < l.cols; c++)
        if (!tacasim_writable(at + c * uint64_t(l.ld) * uint64_t(bytes(l.type)), l.rows * uint64_t(bytes(l.type)))) return false;
    return true;
}

// Panel is an operand as F32, each of its vectors along k without gaps.
struct Panel {
    std::vector<float> values;
    uint64_t k;
    const float* vector(uint64_t i) const { return &values[i * k]; }
};

Panel panel(const Layout& l, uint64_t at, bool alongRows) {
    const uint64_t k = alongRows ? l.rows : l.cols, n = alongRows ? l.cols : l.rows;
    Panel p{std::vector<float>(k * n + 1), k};
    const void* data = reinterpret_cast<const void*>(at);
    for (uint64_t i = 0; i < n; i++)
        for (uint64_t j = 0; j < k; j++)
            p.values[i * k + j] = widen(l.type, data, alongRows ? int64_t(i) * l.ld + int64_t(j) : int64_t(j) * l.ld + int64_t(i));
    return p;
}

float dot(const float* a, const float* b, uint64_t k) {
    float part[16] = {};
    uint64_t i = 0;
    for (; i + 16 <= k; i += 16)
        for (int l = 0; l < 16; l++) part[l] += a[i + uint64_t(l)] * b[i + uint64_t(l)];
    float sum = 0;
    for (float p : part) sum += p;
    for (; i < k; i++) sum += a[i] * b[i];
    return sum;
}

// columns makes columns [lo, hi) of one product of the batch.
void columns(const Product& p, const Panel& a, const Panel& b, uint64_t bias, uint64_t ct, uint64_t dt, uint64_t lo, uint64_t hi) {
    for (uint64_t n = lo; n < hi; n++)
        for (uint64_t m = 0; m < p.d.rows; m++) {
            float v = p.alpha * dot(a.vector(m), b.vector(n), a.k);
            if (p.beta != 0) v += p.beta * widen(p.c.type, reinterpret_cast<const void*>(ct), int64_t(n) * p.c.ld + int64_t(m));
            if (p.how.epilogue & EPILOGUE_BIAS) v += widen(p.d.type, reinterpret_cast<const void*>(bias), int64_t(m));
            if (p.how.epilogue & EPILOGUE_GELU) v = gelu(v);
            narrow(p.d.type, reinterpret_cast<void*>(dt), int64_t(n) * p.d.ld + int64_t(m), v);
        }
}

uint64_t moved(uint64_t at, const Layout& l, int32_t i) { return at + uint64_t(int64_t(i) * l.stride * bytes(l.type)); }

void one(const Product& p, int32_t i) {
    const uint64_t at = moved(p.at, p.a, i), bt = moved(p.bt, p.b, i), ct = moved(p.ct, p.c, i), dt = moved(p.dt, p.d, i);
    const uint64_t bias = p.how.bias + uint64_t(i * p.how.biasStride * bytes(p.d.type));
    const bool biased = p.how.epilogue & EPILOGUE_BIAS;
    if (!readable(p.a, at) || !readable(p.b, bt) || (p.beta != 0 && !readable(p.c, ct)) ||
        (biased && !tacasim_readable(bias, p.d.rows * uint64_t(bytes(p.d.type))))) {
        fprintf(stderr, "tacasim: cublasLtMatmul reads outside its memory, or what nobody has written\n");
        return tacasim_break(CUDA_ERROR_ILLEGAL_ADDRESS);
    }
    const Panel a = panel(p.a, at, p.how.transposeA), b = panel(p.b, bt, !p.how.transposeB);
    if (!writable(p.d, dt)) {
        fprintf(stderr, "tacasim: cublasLtMatmul writes outside its memory\n");
        return tacasim_break(CUDA_ERROR_ILLEGAL_ADDRESS);
    }
    std::thread other([&] { columns(p, a, b, bias, ct, dt, 0, p.d.cols / 2); });
    columns(p, a, b, bias, ct, dt, p.d.cols / 2, p.d.cols);
    other.join();
    tacasim_product(2 * double(p.d.rows) * double(p.d.cols) * double(a.k));
}

void multiply(void* data) {
    const Product& p = *static_cast<Product*>(data);
    for (int32_t i = 0; i < p.d.batch; i++) one(p, i);
}

// possible is what the documentation of cublasLtMatmul lists, and shapes that fit.
int possible(const Description& how, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
    const bool types = a.type == b.type && c.type == d.type &&
                       (a.type == F32 ? d.type == F32 : (a.type == BF16 && (d.type == BF16 || d.type == F32)));
    if (!types) return NOT_SUPPORTED;
    const uint64_t m = how.transposeA ? a.cols : a.rows, ka = how.transposeA ? a.rows : a.cols;
    const uint64_t n = how.transposeB ? b.rows : b.cols, kb = how.transposeB ? b.cols : b.rows;
    if (ka != kb || d.rows != m || d.cols != n || c.rows != m || c.cols != n || !m || !n || !ka) return INVALID_VALUE;
    for (const Layout* l : {&a, &b, &c, &d})
        if (l->ld < int64_t(l->rows) || l->batch != d.batch) return INVALID_VALUE;
    if (how.epilogue != EPILOGUE_PLAIN && how.epilogue & ~(EPILOGUE_BIAS | EPILOGUE_GELU)) return NOT_SUPPORTED;
    if (d.batch > 1 && d.stride < int64_t(d.rows) && d.stride != 0) return INVALID_VALUE;
    return SUCCESS;
}

template <class T> int set(T& field, const void* value, size_t size) {
    if (size != sizeof field) return INVALID_VALUE;
    memcpy(&field, value, size);
    return SUCCESS;
}

}  // namespace

#define LT_CALL extern "C" __attribute__((visibility("default"))) int

LT_CALL cublasLtCreate(void** handle) {
    if (fails("create")) return NOT_INITIALIZED;
    CUcontext context = nullptr;
    if (cuCtxGetCurrent(&context) || !context) return NOT_INITIALIZED;
    *handle = new int(0);
    return SUCCESS;
}

LT_CALL cublasLtDestroy(void* handle) {
    delete static_cast<int*>(handle);
    return SUCCESS;
}

LT_CALL cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
    if (compute != COMPUTE_F32 || scale != F32) return NOT_SUPPORTED;
    *desc = new Description;
    return SUCCESS;
}

LT_CALL cublasLtMatmulDescDestroy(void* desc) {
    delete static_cast<Description*>(desc);
    return SUCCESS;
}

LT_CALL cublasLtMatmulDescSetAttribute(void* desc, int which, const void* value, size_t size) {
    Description& d = *static_cast<Description*>(desc);
    switch (which) {
    case DESC_TRANS_A: return set(d.transposeA, value, size);
    case DESC_TRANS_B: return set(d.transposeB, value, size);
    case DESC_EPILOGUE: return set(d.epilogue, value, size);
    case DESC_BIAS: return set(d.bias, value, size);
    case DESC_BIAS_STRIDE: return set(d.biasStride, value, size);
    }
    return INVALID_VALUE;
}

LT_CALL cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t cols, int64_t ld) {
    *layout = new Layout{type, rows, cols, ld};
    return SUCCESS;
}

LT_CALL cublasLtMatrixLayoutDestroy(void* layout) {
    delete static_cast<Layout*>(layout);
    return SUCCESS;
}

LT_CALL cublasLtMatrixLayoutSetAttribute(void* layout, int which, const void* value, size_t size) {
    Layout& l = *static_cast<Layout*>(layout);
    switch (which) {
    case LAYOUT_BATCH: return set(l.batch, value, size);
    case LAYOUT_STRIDE: return set(l.stride, value, size);
    }
    return INVALID_VALUE;
}

LT_CALL cublasLtMatmulPreferenceCreate(void** preference) {
    *preference = new Preference;
    return SUCCESS;
}

LT_CALL cublasLtMatmulPreferenceDestroy(void* preference) {
    delete static_cast<Preference*>(preference);
    return SUCCESS;
}

LT_CALL cublasLtMatmulPreferenceSetAttribute(void* preference, int which, const void* value, size_t size) {
    Preference& p = *static_cast<Preference*>(preference);
    if (which == PREFER_WORKSPACE) return set(p.workspace, value, size);
    if (which >= PREFER_ALIGN_A && which <= PREFER_ALIGN_D) return set(p.align[which - PREFER_ALIGN_A], value, size);
    return INVALID_VALUE;
}

// The algorithm remembers the alignment it was promised, for Matmul to hold the
// caller to.
LT_CALL cublasLtMatmulAlgoGetHeuristic(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int wanted,
                                       Heuristic* results, int* found) {
    *found = 0;
    if (!handle || wanted < 1) return INVALID_VALUE;
    if (fails("heuristic")) return NOT_SUPPORTED;
    const Preference& p = *static_cast<Preference*>(preference);
    const int status = possible(*static_cast<Description*>(desc), *static_cast<Layout*>(a), *static_cast<Layout*>(b),
                                *static_cast<Layout*>(c), *static_cast<Layout*>(d));
    if (status != SUCCESS) return status;
    memset(results, 0, sizeof *results);
    results->algorithm.data[0] = algorithm_mark;
    for (int i = 0; i < 4; i++) results->algorithm.data[1 + i] = p.align[i];
    results->workspace = results->algorithm.data[5] = p.workspace;
    *found = 1;
    return SUCCESS;
}

LT_CALL cublasLtMatmul(void* handle, void* desc, const void* alpha, const void* a, void* layoutA, const void* b, void* layoutB,
                       const void* beta, const void* c, void* layoutC, void* d, void* layoutD, const Algorithm* algorithm,
                       void* workspace, size_t workspaceBytes, void* stream) {
    if (!handle || !algorithm || algorithm->data[0] != algorithm_mark) return INVALID_VALUE;
    if (fails("matmul")) return EXECUTION_FAILED;
    auto product = std::make_shared<Product>(Product{*static_cast<Description*>(desc), *static_cast<Layout*>(layoutA), *static_cast<Layout*>(layoutB),
                                                     *static_cast<Layout*>(layoutC), *static_cast<Layout*>(layoutD), *static_cast<const float*>(alpha),
                                                     *static_cast<const float*>(beta), uint64_t(a), uint64_t(b), uint64_t(c), uint64_t(d)});
    if (int status = possible(product->how, product->a, product->b, product->c, product->d)) return status;
    const uint64_t at[] = {product->at, product->bt, product->ct, product->dt};
    for (int i = 0; i < 4; i++)
        if (at[i] % algorithm->data[1 + i]) return INVALID_VALUE;  // the real one would read wrong data
    if (workspaceBytes < algorithm->data[5] || (workspaceBytes && !tacasim_writable(uint64_t(workspace), workspaceBytes))) return INVALID_VALUE;
    // A graph may run the product again and again: it lives as long as the process.
    static std::vector<std::shared_ptr<Product>> all;
    all.push_back(product);
    return cuLaunchHostFunc(CUstream(stream), multiply, product.get()) ? EXECUTION_FAILED : SUCCESS;
}
