// What Go and C agree on: matrices, one args struct per verb, and the table of
// function pointers that every instruction set fills.
#ifndef TACA_KERNELS_H
#define TACA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// The order of tensor.DType.
enum {
    TACA_F32, TACA_BF16, TACA_F16, TACA_F8E4M3, TACA_F8E5M2, TACA_Q8, TACA_Q4,
    TACA_Q4_0, TACA_Q4_1, TACA_Q5_0, TACA_Q5_1, TACA_Q8_0, TACA_Q2_K, TACA_Q3_K, TACA_Q4_K, TACA_Q5_K, TACA_Q6_K
};

// The order of tensor.Activation.
enum { TACA_IDENTITY, TACA_SILU, TACA_GELU_TANH, TACA_GELU, TACA_QUICK_GELU };

// A matrix in memory that Go keeps alive. The address is a number, not a
// pointer, so that the struct may live in Go's heap under cgo's rules. It may
// be unaligned where a checkpoint is mapped.
typedef struct {
    uintptr_t at; // first element; 0: none
    int64_t rows, cols;
    int64_t stride; // elements from one row to the next
    int64_t type;
} taca_matrix;

// Workspace of one thread, 64-byte aligned, undefined between calls.
enum { TACA_WORK_BYTES = 4 << 20 };

// LINEAR, and convolutions as one; PACK, which brings x to packed before it. A
// unit is a part of dst. Units side by side make a block, which is best done at
// once; blocks go down a column before they go to the next, so that neighbours
// share weights.
typedef struct {
    taca_matrix dst, x, w, bias;
    int64_t act;
    int64_t unit_rows, unit_cols;
    int64_t block_units;            // a block is at most what taca_tiling says, but any number of columns where few
    uintptr_t packed;               // x as PACK has laid it out, or 0
    int64_t height, width;          // the image whose 3×3 neighbourhoods are multiplied; 0: the rows of x are
    float scale;
    int32_t adds; // dst += scale · x·wᵀ, without bias and act; otherwise dst = act(scale · x·wᵀ + bias)
    int32_t few;  // at most TACA_FEW_ROWS rows of at most TACA_FEW_COLS: weights are read once, where they are
} taca_linear;

// What a product is formed of: floats, pairs of bfloat16, or integers.
enum { TACA_FLOATS, TACA_PAIRS, TACA_INTEGERS };

// taca_in_quads is whether a product is one of integers: rows of x are quantised
// as PACK brings them to packed.
static inline int taca_in_quads(const taca_linear *a) { return a->w.type == TACA_Q8 || a->w.type == TACA_Q4; }

// taca_in_pairs is whether a product may be formed of bfloat16 numbers: x must
// be, and weights too unless the result is rounded anyway.
static inline int taca_in_pairs(const taca_linear *a) {
    return a->x.type == TACA_BF16 && !taca_in_quads(a) && (a->w.type == TACA_BF16 || a->w.type == TACA_F8E4M3 || a->w.type == TACA_F8E5M2 || a->dst.type == TACA_BF16);
}

// What counts as few.
enum { TACA_FEW_ROWS = 4, TACA_FEW_COLS = 1 << 17 };

typedef struct {
    taca_matrix dst, x, gain, bias; // ModulatedNorm: scale and shift
    float eps;
    int32_t modulated; // gain counts from 1
} taca_norm;

typedef struct {
    taca_matrix x, gain, rope;
    int64_t heads;
    float eps;
} taca_qk;

typedef struct {
    taca_matrix dst, q, k, v, rel_bias;
    int64_t heads;
    int64_t unit_rows;  // query rows of a unit; a unit belongs to one head
    int64_t pass_units; // most units that share a pass over the keys
    int64_t text_lo, text_hi, visual_lo, visual_hi; // keys of text, queries of visual tokens
    float scale, gamma;
    int32_t causal;
} taca_attention;

// ATTENTION_STATS: see tensor.Ops. A unit is unit_rows visual queries.
typedef struct {
    taca_matrix stats, maps, q, k;
    int64_t heads;
    int64_t unit_rows;
    int64_t text_lo, text_hi, visual_lo; // keys of text, the first visual query
    float scale, gamma;
} taca_attention_stats;

typedef struct {
    taca_matrix dst, x, y, gate;
    float a, b;
    int64_t act;
} taca_pointwise;

// GATHER: dst = scale · table, by rows.
typedef struct {
    taca_matrix dst, table;
    uintptr_t ids; // int32_t[dst.rows]
    float scale;
} taca_gather;

typedef struct {
    taca_matrix dst, x, gain, bias;
    // GROUP_SUMS fills double[units][groups][2] with sums of x and x²;
    // GROUP_NORM reads double[groups][2], mean and 1/sqrt(variance + eps).
    uintptr_t sums;
    int64_t unit_rows; // rows of a unit of GROUP_SUMS
    int64_t groups, act;
} taca_group_norm;

typedef struct {
    taca_matrix dst, x;
    int64_t height, width;
} taca_upsample;

typedef struct {
    int64_t rounds; // of a unit
    int64_t kind;   // of operands
} taca_peak;

// A verb works on units [lo, hi) of its args.
typedef void (*taca_verb)(const void *args, int64_t lo, int64_t hi, void *work);

enum {
    TACA_LINEAR,
    TACA_PACK,
    TACA_NORM,
    TACA_RMS_NORM,
    TACA_QK_NORM_ROPE,
    TACA_ATTENTION,
    TACA_ATTENTION_STATS,
    TACA_GATED_ADD,
    TACA_ACTIVATE,
    TACA_MUL,
    TACA_MIX,
    TACA_GATHER,
    TACA_GROUP_SUMS,
    TACA_GROUP_NORM,
    TACA_UPSAMPLE2X,
    TACA_COPY,
    TACA_PEAK,
    TACA_VERBS
};

// The grains in which a kernel of LINEAR covers dst, and the largest block,
// which its caches like best.
typedef struct {
    int64_t strip, panel; // rows, columns
    int64_t rows, cols;
    int64_t grain; // PACK lays x out in whole strips, and multiples of this many columns; 0: there is no PACK
    int64_t bytes; // of a number it lays out
    int64_t tiles; // whether strips are laid out as tiles, or as rows
} taca_tiling;

// taca_crowded is whether rows so many bytes apart all fall into the same sets of
// a first-level cache, where few of them have room.
static inline int taca_crowded(int64_t bytes) { return bytes % 4096 == 0; }

// taca_packed_row is the bytes that PACK has for a row of so many columns.
static inline int64_t taca_packed_row(int64_t in, taca_tiling t) {
    int64_t bytes = (in + t.grain - 1) / t.grain * t.grain * t.bytes;
    return bytes + (!t.tiles && taca_crowded(bytes) ? 64 : 0);
}

typedef struct {
    const char *name;
    taca_tiling words, pairs, quads; // of floats, where x and w come as bfloat16, and of integers
    double words_round, pairs_round, quads_round; // operations in a round of PEAK
    taca_verb verb[TACA_VERBS];
} taca_kernels;

// Where DotProd can be compiled: clang takes it from its command line alone.
#if defined(__aarch64__) && (defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__))
#define TACA_NEONDOT
#endif

// taca_machine lists the tables whose instructions this machine has, best
// first, and returns how many there are.
enum { TACA_TABLES = 7 };
int taca_machine(const taca_kernels *tables[TACA_TABLES]);

// taca_compiler is the name and version of what made these kernels.
const char *taca_compiler(void);

#endif
