// LINEAR: dst = act(x·wᵀ + bias), or dst += scale · x·wᵀ.
#ifndef TACA_LINEAR_H
#define TACA_LINEAR_H

#include "gemm.h"

// FEW_AHEAD is how many bytes before their use weights are called for: the
// processor's own prefetching stops at every page.
enum { FEW_AHEAD = 8192 };

// dots is rows dot products with one row of weights: w is read once, four
// vectors at a time. Sums are over k modulo 4·LANES first.
INLINE void dots(float *restrict c, int64_t stride, const float *restrict x, const char *restrict w, int64_t type, int64_t in, const int rows) {
    const gemm_slice s = {0};
    vec sum[TACA_FEW_ROWS][4];
    for (int i = 0; i < rows; i++) {
        sum[i][0] = sum[i][1] = sum[i][2] = sum[i][3] = v_zero();
    }
    int64_t k = 0;
    for (; k + 4 * LANES <= in; k += 4 * LANES) {
        const char *ahead = w + k * element_size(type) + FEW_AHEAD;
        for (int64_t i = 0; i < 4 * LANES * element_size(type); i += 64) {
            __builtin_prefetch(ahead + i);
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            vec b = weight_words(w, type, s, k + j * LANES, LANES);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++) {
                sum[i][j] = v_fma(v_load(x + i * in + k + j * LANES), b, sum[i][j]);
            }
        }
    }
    for (; k < in; k += LANES) {
        int64_t n = in - k < LANES ? in - k : LANES;
        vec b = weight_words(w, type, s, k, n);
        for (int i = 0; i < rows; i++) {
            sum[i][0] = v_fma(v_get_part(x + i * in, TACA_F32, k, n), b, sum[i][0]);
        }
    }
    for (int i = 0; i < rows; i++) {
        c[i * stride] = v_sum(v_add(v_add(sum[i][0], sum[i][1]), v_add(sum[i][2], sum[i][3])));
    }
}

INLINE void dots_typed(float *restrict c, int64_t stride, const float *restrict x, const char *restrict w, int64_t type, int64_t in, int64_t rows) {
    switch (rows) {
    case 1: dots(c, stride, x, w, type, in, 1); break;
    case 2: dots(c, stride, x, w, type, in, 2); break;
    case 3: dots(c, stride, x, w, type, in, 3); break;
    default: dots(c, stride, x, w, type, in, 4); break;
    }
}

// few_rows is columns col .. col+cols-1 of dst for up to TACA_FEW_ROWS rows.
static void few_rows(const taca_linear *a, int64_t col, int64_t cols, char *restrict work) {
    enum { TOGETHER = 64 };
    float *c = (float *)work, *x = c + TACA_FEW_ROWS * TOGETHER, *row = x + TACA_FEW_ROWS * a->x.cols;
    const int64_t in = a->x.cols, type = a->w.type;
    _Static_assert((TACA_FEW_ROWS * TOGETHER + (TACA_FEW_ROWS + 1) * TACA_FEW_COLS) * 4 <= TACA_WORK_BYTES, "workspace");
    for (int64_t i = 0; i < a->x.rows; i++) {
        to_words((char *)(x + i * in), row_of(&a->x, i), a->x.type, 0, 0, in);
    }
    for (int64_t j = 0; j < cols; j += TOGETHER) {
        int64_t n = cols - j < TOGETHER ? cols - j : TOGETHER;
        for (int64_t i = 0; i < n; i++) {
            const char *w = row_of(&a->w, col + j + i);
            switch (type) {
            case TACA_F32: dots_typed(c + i, TOGETHER, x, w, TACA_F32, in, a->x.rows); break;
            case TACA_BF16: dots_typed(c + i, TOGETHER, x, w, TACA_BF16, in, a->x.rows); break;
            case TACA_F16: dots_typed(c + i, TOGETHER, x, w, TACA_F16, in, a->x.rows); break;
            case TACA_F8E5M2: dots_typed(c + i, TOGETHER, x, w, TACA_F8E5M2, in, a->x.rows); break;
            case TACA_F8E4M3: dots_typed(c + i, TOGETHER, x, w, TACA_F8E4M3, in, a->x.rows); break;
            default:
                block_numbers(row, w, type, 0, in);
                dots_typed(c + i, TOGETHER, x, (const char *)row, TACA_F32, in, a->x.rows);
            }
        }
        store_block(a, c, TOGETHER, 0, a->x.rows, col + j, n);
    }
}

#if !defined(TACA_ISA_AMX)
// pack_strips copies or quantises the left operand; a unit is GEMM_STRIP rows.
static void pack_strips(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_linear *a = args;
    const int kind = product_kind(a);
    float *sign = work, *room = sign + ROTATION;
    const int64_t in = a->x.cols, bytes = packed_row(in, kind), last = hi * GEMM_STRIP < a->x.rows ? hi * GEMM_STRIP : a->x.rows;
    signs(sign, ROTATION);
    for (int64_t i = lo * GEMM_STRIP; i < last; i++) {
        char *to = (char *)a->packed + i * bytes;
        memset(to + bytes - 64, 0, 64);
        if (kind != TACA_INTEGERS) {
            memcpy(to, row_of(&a->x, i), (size_t)(in * 2));
            continue;
        }
        row_scales(a, GEMM_STRIP)[i] = quantise_row(to, row_sums(a, GEMM_STRIP) + i, row_of(&a->x, i), a->x.type, in, sign, room);
    }
}
#endif

// product_block is rows × cols of dst at (row, col).
static void product_block(const taca_linear *a, int64_t row, int64_t rows, int64_t col, int64_t cols, void *work) {
    if (a->few) {
        few_rows(a, col, cols, work);
#if defined(TACA_ISA_AMX)
    } else if (taca_in_quads(a)) {
        amx_block(a, row, rows, col, cols, work, TACA_INTEGERS);
    } else if (taca_in_pairs(a)) {
        amx_block(a, row, rows, col, cols, work, TACA_PAIRS);
#endif
    } else {
        gemm_block(a, row, rows, col, cols, work);
    }
}

// linear_units joins units of a block that come together.
static void linear_units(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_linear *a = args;
    const int64_t down = (a->dst.rows + a->unit_rows - 1) / a->unit_rows, across = (a->dst.cols + a->unit_cols - 1) / a->unit_cols;
#if defined(TACA_ISA_AMX)
    tiles_begin();
#endif
    for (int64_t u = lo; u < hi;) {
        const int64_t first = u / (down * a->block_units) * a->block_units; // column of units that begins the block
        const int64_t width = across - first < a->block_units ? across - first : a->block_units;
        const int64_t in_column = u - first * down, at = in_column % width;
        const int64_t together = hi - u < width - at ? hi - u : width - at;
        const int64_t row = in_column / width * a->unit_rows, col = (first + at) * a->unit_cols;
        const int64_t rows = a->dst.rows - row < a->unit_rows ? a->dst.rows - row : a->unit_rows;
        const int64_t cols = a->dst.cols - col < together * a->unit_cols ? a->dst.cols - col : together * a->unit_cols;
        product_block(a, row, rows, col, cols, work);
        u += together;
    }
#if defined(TACA_ISA_AMX)
    tiles_end();
#endif
}

#endif
