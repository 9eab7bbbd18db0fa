// Fills the table of the instruction set whose isa_*.c includes this. Its
// stats_*.c includes that once more, for the statistics of attention alone: what
// the compiler makes of all other kernels does not depend on them.
#include "vec.h"
#include "vecmath.h"

#define TACA_JOIN(a, b) a##b
#define TACA_NAMED(a, b) TACA_JOIN(a, b)
#define TACA_STATS_UNITS TACA_NAMED(TACA_TABLE, _stats_units)

#if defined(TACA_STATS_ALONE)
#pragma GCC diagnostic ignored "-Wunused-function"
#include "attention_stats.h"
#else

#include "attention.h"
#include "linear.h"
#include "move.h"
#include "norm.h"
#include "peak.h"
#include "pointwise.h"

void TACA_STATS_UNITS(const void *args, int64_t lo, int64_t hi, void *work); // in stats_*.c

const taca_kernels TACA_TABLE = {
    .name = TACA_TABLE_NAME,
    .words = {GEMM_STRIP, GEMM_PANEL, GEMM_ROWS, GEMM_COLS, 0, 0, 0},
#if defined(TACA_ISA_AMX)
    .pairs = {AMX_STRIP, AMX_PANEL, AMX_ROWS, AMX_COLS, PAIR_GRAIN, 2, 1},
    .quads = {AMX_STRIP, AMX_PANEL, AMX_ROWS, AMX_COLS, QUAD_GRAIN, QUAD_BYTES, 1},
#else
    .pairs = {GEMM_STRIP, GEMM_PANEL, GEMM_ROWS, GEMM_COLS, PAIR_GRAIN, 2, 0},
    .quads = {GEMM_STRIP, GEMM_PANEL, GEMM_ROWS, GEMM_COLS, QUAD_GRAIN, QUAD_BYTES, 0},
#endif
    .words_round = PEAK_WORDS,
    .pairs_round = PEAK_PAIRS,
    .quads_round = PEAK_QUADS,
    .verb = {
        [TACA_LINEAR] = linear_units,
        [TACA_PACK] = pack_strips,
        [TACA_NORM] = norm_rows,
        [TACA_RMS_NORM] = rms_norm_rows,
        [TACA_QK_NORM_ROPE] = qk_norm_rope_rows,
        [TACA_ATTENTION] = attention_units,
        [TACA_ATTENTION_STATS] = TACA_STATS_UNITS,
        [TACA_GATED_ADD] = gated_add_rows,
        [TACA_ACTIVATE] = activate_rows,
        [TACA_MUL] = mul_rows,
        [TACA_MIX] = mix_rows,
        [TACA_GATHER] = gather_rows,
        [TACA_GROUP_SUMS] = group_sums_rows,
        [TACA_GROUP_NORM] = group_norm_rows,
        [TACA_UPSAMPLE2X] = upsample_rows,
        [TACA_COPY] = copy_rows,
        [TACA_PEAK] = peak_rounds,
    },
};

#endif
