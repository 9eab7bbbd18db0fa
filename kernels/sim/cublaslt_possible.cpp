// Which products there are, by the tables and remarks of cublasLtMatmul's
// documentation.
#include <initializer_list>

#include "cublaslt.hpp"

namespace lt {
namespace {

bool typesFit(const Operands& o) {
    const uint32_t in = o.a.type, out = o.d.type;
    if (in != o.b.type || o.c.type != out || o.how.scale != f32) return false;
    switch (in) {
    case f32: return out == f32 && (o.how.compute == computeF32 || o.how.compute == computeTF32);
    case f16: return (out == f16 || out == f32) && o.how.compute == computeF32;
    case bf16: return (out == bf16 || out == f32) && o.how.compute == computeF32;
    case e4m3: return (out == bf16 || out == f32) && o.how.compute == computeF32;
    }
    return false;
}

bool epilogueFits(const Operands& o) {
    switch (o.how.epilogue) {
    case epilogueNone:
    case epilogueRelu:
    case epilogueBias:
    case epilogueGelu:
    case epilogueRelu | epilogueBias:
    case epilogueGelu | epilogueBias: break;
    default: return false;
    }
    if (!o.how.has(epilogueBias) || o.how.biasType < 0) return true;
    const uint32_t usual = o.a.type == e4m3 ? uint32_t(bf16) : o.d.type;
    return uint32_t(o.how.biasType) == usual;
}

// shapesFit looks for what contradicts itself.
bool shapesFit(const Operands& o) {
    const uint64_t m = o.how.transA ? o.a.cols : o.a.rows, ka = o.how.transA ? o.a.rows : o.a.cols;
    const uint64_t n = o.how.transB ? o.b.rows : o.b.cols, kb = o.how.transB ? o.b.cols : o.b.rows;
    if (!m || !n || !ka || ka != kb || o.d.rows != m || o.d.cols != n || o.c.rows != m || o.c.cols != n) return false;
    for (const Layout* l : {&o.a, &o.b, &o.c, &o.d})
        if (l->ld < int64_t(l->rows) || l->batch != o.d.batch || l->batch < 1) return false;
    if (o.d.batch == 1) return true;
    const uint64_t span = uint64_t(o.d.ld) * (o.d.cols - 1) + o.d.rows, stride = uint64_t(o.d.stride < 0 ? -o.d.stride : o.d.stride);
    // Results of a batch may be columns of one matrix, side by side or interleaved by rows.
    return stride >= span || (stride >= o.d.rows && stride * uint64_t(o.d.batch) <= uint64_t(o.d.ld));
}

// eightBitFits is what products of 8-bit floats ask for beyond the rest.
bool eightBitFits(const Operands& o, int capability) {
    if (capability < 89 || o.how.transA != transposed || o.how.transB != plain) return false;
    const uint64_t out = 16 / bytesOf(o.d.type);
    return o.a.rows % 16 == 0 && o.a.cols % 16 == 0 && o.b.cols % 16 == 0 && o.a.ld % 16 == 0 && o.b.ld % 16 == 0 &&
           uint64_t(o.d.ld) % out == 0 && uint64_t(o.c.ld) % out == 0;
}

}  // namespace

uint64_t bytesOf(uint32_t type) {
    switch (type) {
    case f32: return 4;
    case e4m3: return 1;
    default: return 2;
    }
}

uint32_t biasType(const Operands& o) {
    if (o.how.biasType >= 0) return uint32_t(o.how.biasType);
    return o.a.type == e4m3 ? uint32_t(bf16) : o.d.type;
}

Status possible(const Operands& o, int capability) {
    if (!shapesFit(o)) return invalidValue;
    for (const Layout* l : {&o.a, &o.b, &o.c, &o.d})
        if (l->order) return notSupported;
    if (!typesFit(o) || !epilogueFits(o) || o.how.pointerMode || o.how.transC) return notSupported;
    if (o.a.type == e4m3) return eightBitFits(o, capability) ? success : notSupported;
    if (o.how.scaleA || o.how.scaleB || o.how.scaleC || o.how.scaleD) return invalidValue;
    return success;
}

}  // namespace lt
