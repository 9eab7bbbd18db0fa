// The products themselves: inputs are exact, sums are F32, results are rounded
// once. Sums of 16 strands are what a vector holds; the order is not cuBLASLt's.
#pragma GCC optimize("fp-contract=fast")

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "cublaslt.hpp"
#include "cublaslt_formats.hpp"

namespace lt {
namespace {

constexpr uint64_t strands = 16;
typedef float Vector __attribute__((vector_size(4 * strands), aligned(4)));

float element(uint32_t type, uint64_t at, uint64_t i) {
    switch (type) {
    case f32: return reinterpret_cast<const float*>(at)[i];
    case f16: return fromF16(reinterpret_cast<const uint16_t*>(at)[i]);
    case bf16: return fromBF16(reinterpret_cast<const uint16_t*>(at)[i]);
    default: return fromE4M3(reinterpret_cast<const uint8_t*>(at)[i]);
    }
}

void store(uint32_t type, uint64_t at, uint64_t i, float value) {
    switch (type) {
    case f32: reinterpret_cast<float*>(at)[i] = value; break;
    case f16: reinterpret_cast<uint16_t*>(at)[i] = toF16(value); break;
    default: reinterpret_cast<uint16_t*>(at)[i] = toBF16(value);
    }
}

// Panel is an operand in F32, its vectors along k one after the other, each
// padded with zeros to whole strands.
struct Panel {
    uint64_t k = 0;
    std::vector<float> values;
    const float* operator[](uint64_t i) const { return values.data() + i * k; }

    Panel(const Layout& l, uint64_t at, bool alongColumns) {
        const uint64_t length = alongColumns ? l.rows : l.cols, count = alongColumns ? l.cols : l.rows, ld = uint64_t(l.ld);
        k = (length + strands - 1) / strands * strands;
        values.assign(k * count, 0);
        if (alongColumns) {
            for (uint64_t i = 0; i < count; i++)
                for (uint64_t j = 0; j < length; j++) values[i * k + j] = element(l.type, at, i * ld + j);
            return;
        }
        constexpr uint64_t tile = 32;  // so that neither side leaves the cache
        for (uint64_t i0 = 0; i0 < count; i0 += tile)
            for (uint64_t j = 0; j < length; j++)
                for (uint64_t i = i0; i < std::min(count, i0 + tile); i++) values[i * k + j] = element(l.type, at, j * ld + i);
    }
};

float sum(const Vector& v) {
    float parts[strands];
    for (uint64_t i = 0; i < strands; i++) parts[i] = v[i];
    for (uint64_t half = strands / 2; half; half /= 2)
        for (uint64_t i = 0; i < half; i++) parts[i] += parts[i + half];
    return parts[0];
}

// dots makes the sums of 4 rows of a with 4 columns of b; rows and columns
// beyond the edge repeat the last.
void dots(const Panel& a, const Panel& b, uint64_t m, uint64_t rows, uint64_t n, uint64_t cols, float out[4][4]) {
    const float *x[4], *y[4];
    for (uint64_t i = 0; i < 4; i++) x[i] = a[m + std::min(i, rows - 1)], y[i] = b[n + std::min(i, cols - 1)];
    Vector total[4][4] = {};
    for (uint64_t k = 0; k < a.k; k += strands)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                total[i][j] += *reinterpret_cast<const Vector*>(x[i] + k) * *reinterpret_cast<const Vector*>(y[j] + k);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) out[i][j] = sum(total[i][j]);
}

float gelu(float x) { return 0.5f * x * (1 + std::tanh(0.7978845608028654f * (x + 0.044715f * x * x * x))); }

// One is one product of a batch.
struct One {
    const Operands& o;
    uint64_t at, bt, ct, dt, bias;
    float scale;  // alpha and the scales of a and b

    void put(uint64_t m, uint64_t n, float total) const {
        float v = scale * total;
        if (o.beta != 0) v += o.beta * element(o.c.type, ct, n * uint64_t(o.c.ld) + m);
        if (o.how.has(epilogueBias)) v += element(biasType(o), bias, m);
        if (o.how.has(epilogueRelu)) v = std::max(v, 0.0f);
        if (o.how.has(epilogueGelu)) v = gelu(v);
        store(o.d.type, dt, n * uint64_t(o.d.ld) + m, v);
    }

    void rows(const Panel& a, const Panel& b, uint64_t lo, uint64_t hi) const {
        float out[4][4];
        for (uint64_t m = lo; m < hi; m += 4)
            for (uint64_t n = 0; n < o.d.cols; n += 4) {
                const uint64_t r = std::min<uint64_t>(4, hi - m), c = std::min<uint64_t>(4, o.d.cols - n);
                dots(a, b, m, r, n, c, out);
                for (uint64_t j = 0; j < c; j++)
                    for (uint64_t i = 0; i < r; i++) put(m + i, n + j, out[i][j]);
            }
    }
};

bool isPacked(const Layout& l) { return l.ld == int64_t(l.rows); }

// each asks about the bytes of a matrix, without the gaps between columns.
bool each(const Layout& l, uint64_t at, int (*ask)(uint64_t, uint64_t)) {
    const uint64_t size = bytesOf(l.type);
    if (isPacked(l)) return ask(at, l.rows * l.cols * size);
    for (uint64_t c = 0; c < l.cols; c++)
        if (!ask(at + c * uint64_t(l.ld) * size, l.rows * size)) return false;
    return true;
}

void demand(bool holds, const char* what) {
    if (!holds) seam().stop((std::string("cublasLtMatmul: ") + what).c_str());
}

// overlap compares what lies between the first and the last element.
bool overlap(const Layout& a, uint64_t at, const Layout& b, uint64_t bt) {
    auto span = [](const Layout& l) { return ((l.cols - 1) * uint64_t(l.ld) + l.rows) * bytesOf(l.type); };
    return at < bt + span(b) && bt < at + span(a);
}

float scaleAt(uint64_t at) {
    if (!at) return 1;
    demand(seam().readable(at, 4), "a scale is not in device memory, or was never written");
    return *reinterpret_cast<const float*>(at);
}

void check(const One& p) {
    const Operands& o = p.o;
    demand(each(o.a, p.at, seam().readable), "A is not in device memory, or was never written");
    demand(each(o.b, p.bt, seam().readable), "B is not in device memory, or was never written");
    demand(o.beta == 0 || each(o.c, p.ct, seam().readable), "C is not in device memory, or was never written");
    demand(!o.how.has(epilogueBias) || seam().readable(p.bias, o.d.rows * bytesOf(biasType(o))), "the bias is not in device memory, or was never written");
    demand(each(o.d, p.dt, seam().writable), "D is not in device memory");
    const bool columnsOfOne = !isPacked(o.d);  // operands may lie in the gaps of a result
    demand(columnsOfOne || (!overlap(o.a, p.at, o.d, p.dt) && !overlap(o.b, p.bt, o.d, p.dt)), "D lies over A or B");
}

uint64_t moved(uint64_t at, const Layout& l, int32_t i) { return at + uint64_t(int64_t(i) * l.stride * int64_t(bytesOf(l.type))); }

bool onlyOneThread() {
    const char* threads = getenv("TACASIM_THREADS");
    return threads && atoi(threads) == 1;
}

}  // namespace

void multiply(const Operands& o) {
    const float scale = o.alpha * scaleAt(o.how.scaleA) * scaleAt(o.how.scaleB);
    if (o.workspaceBytes) {
        // What was there is lost: the workspace may be nobody else's.
        demand(seam().writable(o.workspace, o.workspaceBytes), "the workspace is not in device memory");
        memset(reinterpret_cast<void*>(o.workspace), 0xff, o.workspaceBytes);
    }
    for (int32_t i = 0; i < o.d.batch; i++) {
        const uint64_t bias = o.how.bias + uint64_t(i * o.how.biasStride * int64_t(bytesOf(biasType(o))));
        const One one{o, moved(o.at, o.a, i), moved(o.bt, o.b, i), moved(o.ct, o.c, i), moved(o.dt, o.d, i), bias, scale};
        check(one);
        const Panel a(o.a, one.at, o.how.transA), b(o.b, one.bt, !o.how.transB);
        const uint64_t m = o.d.rows, work = m * o.d.cols * a.k, half = onlyOneThread() || work < 1 << 18 ? 0 : m / 8 * 4;
        std::thread helper;
        if (half) helper = std::thread([&] { one.rows(a, b, 0, half); });
        one.rows(a, b, half, m);
        if (half) helper.join();
        seam().product(2.0 * double(m) * double(o.d.cols) * double(o.how.transA ? o.a.rows : o.a.cols));
    }
}

}  // namespace lt
