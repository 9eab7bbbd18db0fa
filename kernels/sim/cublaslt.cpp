// A stand-in for libcublasLt.so.12: it reads the descriptors that a program
// makes, refuses what the documentation does not list, and multiplies on the
// host, in the order of the stream.
#include "cublaslt.hpp"

#include <cuda.h>
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver_private.hpp"

// The simulated driver, if the program already has its symbols.
extern "C" {
#pragma weak tacasim_readable
#pragma weak tacasim_writable
#pragma weak tacasim_product
#pragma weak tacasim_break
#pragma weak tacasim_capability
#pragma weak cuCtxGetCurrent
#pragma weak cuLaunchHostFunc
}

using namespace lt;

#define LT_CALL extern "C" __attribute__((visibility("default"))) int

namespace {

// Otherwise it was opened for its owner only, and is asked for them.
template <class F>
F driverSymbol(F linked, const char* name) {
    if (linked) return linked;
    static void* library = dlopen("libcuda.so.1", RTLD_NOW);
    return library ? reinterpret_cast<F>(dlsym(library, name)) : nullptr;
}

// fails counts calls, and reports whether TACASIM_CUBLASLT_FAIL ("create",
// "matmul:3", ...) names this one; without a number it is every one.
bool fails(const char* kind) {
    static std::mutex mutex;
    const char* asked = getenv("TACASIM_CUBLASLT_FAIL");
    if (!asked || strncmp(asked, kind, strlen(kind))) return false;
    const char* colon = strchr(asked, ':');
    std::lock_guard<std::mutex> lock(mutex);
    static int count = 0;
    return !colon || ++count == atoi(colon + 1);
}

struct Handle {
    uint64_t mark;
};
constexpr uint64_t handleMark = 0x7461636173696d68, algorithmMark = 0x7461636173696d61;

bool isHandle(const void* handle) { return handle && static_cast<const Handle*>(handle)->mark == handleMark; }

template <class T>
Status set(T& field, const void* value, size_t size) {
    if (!value || size != sizeof field) return invalidValue;
    memcpy(&field, value, size);
    return success;
}

template <class T>
Status get(const T& field, void* value, size_t size, size_t* written) {
    if (written) *written = sizeof field;
    if (!size) return written ? success : invalidValue;
    if (!value || size != sizeof field) return invalidValue;
    memcpy(value, &field, size);
    return success;
}

// with calls f with the field that an attribute names.
template <class F>
Status with(Desc& d, int which, F f) {
    switch (which) {
    case descCompute: return f(d.compute);
    case descScale: return f(d.scale);
    case descPointerMode: return f(d.pointerMode);
    case descTransA: return f(d.transA);
    case descTransB: return f(d.transB);
    case descTransC: return f(d.transC);
    case descEpilogue: return f(d.epilogue);
    case descBias: return f(d.bias);
    case descBiasStride: return f(d.biasStride);
    case descScaleA: return f(d.scaleA);
    case descScaleB: return f(d.scaleB);
    case descScaleC: return f(d.scaleC);
    case descScaleD: return f(d.scaleD);
    case descFastAccumulation: return f(d.fastAccumulation);
    case descBiasType: return f(d.biasType);
    }
    return invalidValue;
}

template <class F>
Status with(Layout& l, int which, F f) {
    switch (which) {
    case layoutType: return f(l.type);
    case layoutOrder: return f(l.order);
    case layoutRows: return f(l.rows);
    case layoutCols: return f(l.cols);
    case layoutLd: return f(l.ld);
    case layoutBatch: return f(l.batch);
    case layoutStride: return f(l.stride);
    }
    return invalidValue;
}

template <class F>
Status with(Preference& p, int which, F f) {
    switch (which) {
    case preferSearch: return f(p.search);
    case preferWorkspace: return f(p.workspace);
    case preferReduction: return f(p.reduction);
    case preferAlignA:
    case preferAlignB:
    case preferAlignC:
    case preferAlignD: return f(p.align[which - preferAlignA]);
    }
    return invalidValue;
}

template <class T>
Status setIn(void* object, int which, const void* value, size_t size) {
    return object ? with(*static_cast<T*>(object), which, [&](auto& field) { return set(field, value, size); }) : invalidValue;
}

template <class T>
Status getFrom(void* object, int which, void* value, size_t size, size_t* written) {
    return object ? with(*static_cast<T*>(object), which, [&](auto& field) { return get(field, value, size, written); }) : invalidValue;
}

template <class T>
Status make(void** to, T value) {
    if (!to) return invalidValue;
    *to = new T(value);
    return success;
}

template <class T>
Status drop(void* object) {
    delete static_cast<T*>(object);
    return success;
}

Operands described(void* desc, void* a, void* b, void* c, void* d) {
    Operands o;
    o.how = *static_cast<Desc*>(desc);
    o.a = *static_cast<Layout*>(a);
    o.b = *static_cast<Layout*>(b);
    o.c = *static_cast<Layout*>(c);
    o.d = *static_cast<Layout*>(d);
    return o;
}

// kindOf is what an algorithm was found for; another kind of product needs
// another one.
uint64_t kindOf(const Operands& o) {
    const uint64_t parts[] = {o.a.type, o.d.type, uint64_t(o.how.compute), uint64_t(o.how.transA), uint64_t(o.how.transB), o.how.epilogue,
                              o.a.rows, o.a.cols, o.b.rows, o.b.cols, uint64_t(o.a.ld), uint64_t(o.b.ld), uint64_t(o.d.ld), uint64_t(o.d.batch)};
    uint64_t sum = 14695981039346656037u;
    for (uint64_t p : parts) sum = (sum ^ p) * 1099511628211u;
    return sum;
}

// alignmentsFit: a promise of less than an element, or for 8-bit floats of less
// than 16 bytes, cannot be used.
bool alignmentsFit(const Operands& o, const uint32_t align[4]) {
    const uint32_t types[] = {o.a.type, o.b.type, o.c.type, o.d.type};
    for (int i = 0; i < 4; i++)
        if (align[i] < (o.a.type == e4m3 ? 16 : bytesOf(types[i]))) return false;
    return true;
}

constexpr uint64_t mostWorkspace = 4 << 20;

int capability() {
    const auto ask = driverSymbol(&tacasim_capability, "tacasim_capability");
    return ask ? ask() : 0;
}

}  // namespace

const Seam& lt::seam() {
    static const Seam found = {
        driverSymbol(&tacasim_readable, "tacasim_readable"), driverSymbol(&tacasim_writable, "tacasim_writable"),
        driverSymbol(&tacasim_product, "tacasim_product"), driverSymbol(&tacasim_break, "tacasim_break")};
    return found;
}

extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() { return 120901; }

LT_CALL cublasLtCreate(void** handle) {
    if (!handle) return invalidValue;
    if (fails("create")) return notInitialized;
    const auto current = driverSymbol(&cuCtxGetCurrent, "cuCtxGetCurrent");
    CUcontext context = nullptr;
    if (!current || current(&context) || !context) return notInitialized;
    *handle = new Handle{handleMark};
    return success;
}

LT_CALL cublasLtDestroy(void* handle) {
    if (!isHandle(handle)) return notInitialized;
    static_cast<Handle*>(handle)->mark = 0;
    delete static_cast<Handle*>(handle);
    return success;
}

LT_CALL cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
    Desc d;
    d.compute = compute;
    d.scale = scale;
    return make(desc, d);
}
LT_CALL cublasLtMatmulDescDestroy(void* desc) { return drop<Desc>(desc); }
LT_CALL cublasLtMatmulDescSetAttribute(void* desc, int which, const void* value, size_t size) { return setIn<Desc>(desc, which, value, size); }
LT_CALL cublasLtMatmulDescGetAttribute(void* desc, int which, void* value, size_t size, size_t* written) {
    return getFrom<Desc>(desc, which, value, size, written);
}

LT_CALL cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t cols, int64_t ld) {
    Layout l;
    l.type = uint32_t(type);
    l.rows = rows;
    l.cols = cols;
    l.ld = ld;
    return make(layout, l);
}
LT_CALL cublasLtMatrixLayoutDestroy(void* layout) { return drop<Layout>(layout); }
LT_CALL cublasLtMatrixLayoutSetAttribute(void* layout, int which, const void* value, size_t size) { return setIn<Layout>(layout, which, value, size); }
LT_CALL cublasLtMatrixLayoutGetAttribute(void* layout, int which, void* value, size_t size, size_t* written) {
    return getFrom<Layout>(layout, which, value, size, written);
}

LT_CALL cublasLtMatmulPreferenceCreate(void** preference) { return make(preference, Preference{}); }
LT_CALL cublasLtMatmulPreferenceDestroy(void* preference) { return drop<Preference>(preference); }
LT_CALL cublasLtMatmulPreferenceSetAttribute(void* preference, int which, const void* value, size_t size) {
    return setIn<Preference>(preference, which, value, size);
}

// The algorithm holds what it was found for, for Matmul to hold the caller to.
LT_CALL cublasLtMatmulAlgoGetHeuristic(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int wanted,
                                       Heuristic* results, int* found) {
    if (!isHandle(handle)) return notInitialized;
    if (!desc || !a || !b || !c || !d || !preference || wanted < 1 || !results || !found) return invalidValue;
    *found = 0;
    if (fails("heuristic")) return notSupported;
    const Preference& p = *static_cast<Preference*>(preference);
    const Operands o = described(desc, a, b, c, d);
    if (Status s = possible(o, capability())) return s;
    if (!alignmentsFit(o, p.align)) return notSupported;
    memset(results, 0, sizeof *results);
    uint64_t* data = results->algorithm.data;
    data[0] = algorithmMark;
    data[1] = kindOf(o);
    for (int i = 0; i < 4; i++) data[2 + i] = p.align[i];
    results->workspace = data[6] = p.workspace < mostWorkspace ? p.workspace : mostWorkspace;
    results->waves = 1;
    *found = 1;
    return success;
}

namespace {

// accepted holds a call to what its algorithm was found for. Without one the
// library finds one itself.
Status accepted(const Operands& o, const Algorithm* algorithm) {
    const uint64_t at[] = {o.at, o.bt, o.ct, o.dt};
    const uint32_t types[] = {o.a.type, o.b.type, o.c.type, o.d.type};
    for (int i = 0; i < 4; i++)
        if ((at[i] || i != 2 || o.beta != 0) && (!at[i] || at[i] % (o.a.type == e4m3 ? 16 : bytesOf(types[i])))) return invalidValue;
    if (o.workspace % 16 || (o.workspaceBytes && !o.workspace)) return invalidValue;
    if (o.how.has(epilogueBias) && (!o.how.bias || o.how.bias % bytesOf(biasType(o)))) return invalidValue;
    if (!algorithm) return success;
    if (algorithm->data[0] != algorithmMark || algorithm->data[1] != kindOf(o)) return invalidValue;
    for (int i = 0; i < 4; i++)
        if (at[i] % algorithm->data[2 + i]) return invalidValue;
    return o.workspaceBytes < algorithm->data[6] ? invalidValue : success;
}

}  // namespace

LT_CALL cublasLtMatmul(void* handle, void* desc, const void* alpha, const void* a, void* layoutA, const void* b, void* layoutB,
                       const void* beta, const void* c, void* layoutC, void* d, void* layoutD, const Algorithm* algorithm,
                       void* workspace, size_t workspaceBytes, void* stream) {
    if (!isHandle(handle)) return notInitialized;
    if (!desc || !layoutA || !layoutB || !layoutC || !layoutD || !alpha || !beta) return invalidValue;
    if (fails("matmul")) return executionFailed;
    Operands o = described(desc, layoutA, layoutB, layoutC, layoutD);
    o.alpha = *static_cast<const float*>(alpha);
    o.beta = *static_cast<const float*>(beta);
    o.at = uint64_t(a), o.bt = uint64_t(b), o.ct = uint64_t(c), o.dt = uint64_t(d);
    o.workspace = uint64_t(workspace);
    o.workspaceBytes = workspaceBytes;
    if (Status s = possible(o, capability())) return s;
    if (Status s = accepted(o, algorithm)) return s;
    if (o.ct == o.dt && o.c.ld != o.d.ld) return invalidValue;
    if (algorithm) o.workspaceBytes = algorithm->data[6];
    // A graph may run the product again at any time: it lives as long as the process.
    static std::mutex mutex;
    static std::vector<std::unique_ptr<Operands>>& all = *new std::vector<std::unique_ptr<Operands>>;
    std::lock_guard<std::mutex> lock(mutex);
    all.push_back(std::make_unique<Operands>(o));
    const auto launch = driverSymbol(&cuLaunchHostFunc, "cuLaunchHostFunc");
    const CUresult r = launch(CUstream(stream), [](void* o) { multiply(*static_cast<Operands*>(o)); }, all.back().get());
    if (!r) return success;
    return r == CUDA_ERROR_INVALID_HANDLE || r == CUDA_ERROR_INVALID_CONTEXT ? invalidValue : executionFailed;
}
