// Tensor core products. Products are exact, sums are taken in f64 and rounded
// to f32 once: at least as exact as any GPU, whose own rounding is not
// documented. Fragments are those of the PTX manual; lane l = 4·g + t.
#include "value.hpp"

namespace sim {
namespace {

using Shorts = uint16_t __attribute__((vector_size(64)));   // 32 numbers
using Row = double __attribute__((vector_size(64)));        // 8 columns

// A register of all lanes is an 8 × 8 matrix in row-major order: lane 4·g + t
// has columns 2·t and 2·t + 1 of row g. So A is read as it lies.
template <class Small>
void widen(const uint32_t* cells, double* to) {
    uint16_t bits[64];
    std::memcpy(bits, cells, 128);
    for (int n = 0; n < 64; n++) to[n] = toFloat(Small{bits[n]});
}

// widenTurned gives the transpose: B has its columns along the rows of lanes.
template <class Small>
void widenTurned(const uint32_t* cells, double* to) {
    Shorts low, high;
    std::memcpy(&low, cells, 64);
    std::memcpy(&high, cells + 16, 64);
    const Shorts first = {0,  8,  16, 24, 32, 40, 48, 56, 1,  9,  17, 25, 33, 41, 49, 57,
                          2,  10, 18, 26, 34, 42, 50, 58, 3,  11, 19, 27, 35, 43, 51, 59};
    const Shorts turned[2] = {__builtin_shuffle(low, high, first), __builtin_shuffle(low, high, first + 4)};
    uint32_t cellsOut[32];
    std::memcpy(cellsOut, turned, 128);
    widen<Small>(cellsOut, to);
}

// The accumulators: registers 0 and 1 hold rows 0 to 7, 2 and 3 the others.
void readSums(Warp& w, const Operand* c, Row* sum) {
    for (int half = 0; half < 2; half++) {
        const uint32_t *even = w.words(c[2 * half]), *odd = w.words(c[2 * half + 1]);
        double* to = reinterpret_cast<double*>(sum + 8 * half);
        for (int l = 0; l < 32; l++) {
            to[2 * l] = as<float>(even[l]);
            to[2 * l + 1] = as<float>(odd[l]);
        }
    }
}

void writeSums(Warp& w, const Operand* d, const Row* sum) {
    for (int half = 0; half < 2; half++) {
        uint32_t *even = w.words(d[2 * half]), *odd = w.words(d[2 * half + 1]);
        const double* from = reinterpret_cast<const double*>(sum + 8 * half);
        for (int l = 0; l < 32; l++) {
            even[l] = cellOf(float(from[2 * l]));
            odd[l] = cellOf(float(from[2 * l + 1]));
        }
    }
}

// addProducts adds an 8 × 8 by 8 × 8 product to eight rows of sums.
inline void addProducts(Row* __restrict__ sum, const double* __restrict__ a, const Row* __restrict__ b) {
    for (int r = 0; r < 8; r++) {
        Row s = sum[r];
        for (int k = 0; k < 8; k++) s += a[8 * r + k] * b[k];
        sum[r] = s;
    }
}

// multiply16 is m16n8k16: A in four registers (rows low/high by k low/high),
// B in two, the sums in four.
template <class Small>
void multiply16(Warp& w, const Instruction& i, uint32_t) {
    alignas(64) double a[4][64];
    alignas(64) Row b[2][8], sum[16];
    for (int n = 0; n < 4; n++) widen<Small>(w.words(i.s[n]), a[n]);
    for (int n = 0; n < 2; n++) widenTurned<Small>(w.words(i.s[4 + n]), reinterpret_cast<double*>(b[n]));
    readSums(w, i.s + 6, sum);
    addProducts(sum, a[0], b[0]);
    addProducts(sum, a[2], b[1]);
    addProducts(sum + 8, a[1], b[0]);
    addProducts(sum + 8, a[3], b[1]);
    writeSums(w, i.d, sum);
    w.block->counters.mma++;
}

// tf32 reads a float without the 13 bits that the format lacks.
float tf32(uint32_t cell) { return as<float>(cell & ~0x1fffu); }

}  // namespace

void multiplyBf16(Warp& w, const Instruction& i, uint32_t active) { multiply16<Brain>(w, i, active); }
void multiplyF16(Warp& w, const Instruction& i, uint32_t active) { multiply16<Half>(w, i, active); }

// multiplyTf32 is m16n8k8: lane 4·g + t has A(g, t), A(g+8, t), A(g, t+4),
// A(g+8, t+4), and B(t, g), B(t+4, g).
void multiplyTf32(Warp& w, const Instruction& i, uint32_t) {
    double a[2][64];
    alignas(64) Row b[8], sum[16];
    for (int l = 0; l < 32; l++) {
        const int g = l / 4, t = l % 4;
        for (int n = 0; n < 4; n++) a[n & 1][8 * g + t + 4 * (n >> 1)] = tf32(w.words(i.s[n])[l]);
        for (int n = 0; n < 2; n++) b[t + 4 * n][g] = tf32(w.words(i.s[4 + n])[l]);
    }
    readSums(w, i.s + 6, sum);
    addProducts(sum, a[0], b);
    addProducts(sum + 8, a[1], b);
    writeSums(w, i.d, sum);
    w.block->counters.mma++;
}

}  // namespace sim
