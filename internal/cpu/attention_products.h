// The two matrix products of attention, logits = q·kᵀ and acc = factor·acc +
// p·v. Depth is counted in words of 32 bits: a float each, or a pair of BF16
// where the instruction set multiplies pairs. b lies in panels of PANEL
// columns, each depth words long.
#ifndef TACA_ATTENTION_PRODUCTS_H
#define TACA_ATTENTION_PRODUCTS_H

#include "vec.h"

// TILE_ROWS × TILE_VECS accumulators, one row of b and a broadcast fill the
// registers.
#if defined(TACA_ISA_AVX512) || defined(TACA_ISA_NEON)
enum { TILE_ROWS = 6, TILE_VECS = 4 };
#elif defined(TACA_ISA_AVX2)
enum { TILE_ROWS = 6, TILE_VECS = 2 };
#else
enum { TILE_ROWS = 4, TILE_VECS = 2 };
#endif
enum { PANEL = TILE_VECS * LANES };

#if defined(TACA_ISA_BF16)
enum { HAVE_PAIRS = 1 };
#else
enum { HAVE_PAIRS = 0 };
#endif

// What products works on: rows × cols elements of out. A row's arithmetic is
// one chain of additions over the depth, whatever the tile.
typedef struct {
    float *out;
    int64_t out_stride;
    const float *factor; // of each row of out, or 0: out is new
    const float *a;
    int64_t a_stride;
    const float *b;
    int64_t rows, depth, cols;
} operands;

INLINE vec v_accumulate(vec a, vec b, vec c, const int paired) {
#if defined(TACA_ISA_BF16)
    if (paired) {
        return v_dot(a, b, c);
    }
#endif
    (void)paired;
    return v_fma(a, b, c);
}

// product is TILE_ROWS × vecs vectors of out, at row and column.
INLINE void product(const operands *o, int64_t row, int64_t column, const int vecs, const int paired) {
    float *out = o->out + row * o->out_stride + column;
    const float *a = o->a + row * o->a_stride, *b = o->b + column / PANEL * PANEL * o->depth + column % PANEL;
    vec s[TILE_ROWS][TILE_VECS];
#pragma GCC unroll 8
    for (int r = 0; r < TILE_ROWS; r++) {
#pragma GCC unroll 4
        for (int c = 0; c < vecs; c++) {
            s[r][c] = o->factor ? v_mul(v_set(o->factor[row + r]), v_load(out + r * o->out_stride + c * LANES)) : v_zero();
        }
    }
    const int64_t depth = o->depth, stride = o->a_stride;
    for (int64_t k = 0; k < depth; k++, b += PANEL) {
        vec of[TILE_VECS];
#pragma GCC unroll 4
        for (int c = 0; c < vecs; c++) {
            of[c] = v_load(b + c * LANES);
        }
#pragma GCC unroll 8
        for (int r = 0; r < TILE_ROWS; r++) {
            vec by = v_set(a[r * stride + k]);
#pragma GCC unroll 4
            for (int c = 0; c < vecs; c++) {
                s[r][c] = v_accumulate(by, of[c], s[r][c], paired);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < TILE_ROWS; r++) {
#pragma GCC unroll 4
        for (int c = 0; c < vecs; c++) {
            v_store(out + r * o->out_stride + c * LANES, s[r][c]);
        }
    }
}

INLINE void vector_products(const operands *o, const int paired) {
    for (int64_t c = 0; c < o->cols; c += PANEL) {
        for (int64_t r = 0; r < o->rows; r += TILE_ROWS) {
            if (o->cols - c >= PANEL) {
                product(o, r, c, TILE_VECS, paired);
                continue;
            }
            for (int64_t i = c; i < o->cols; i += LANES) {
                product(o, r, i, 1, paired);
            }
        }
    }
}

#if defined(TACA_ISA_AMX)

#include "amx.h"

// Tiles 0..3 are 2 × 2 squares of out, 4 and 5 rows of a, 6 and 7 columns of b.
static void matrix_begin(void) { tiles_begin(); }
static void matrix_end(void) { tiles_end(); }

// matrix_product is 32 × 32 elements of out, or 16 × 32 where not both.
INLINE void matrix_product(const operands *o, int64_t row, int64_t column, const int both) {
    float *out = o->out + row * o->out_stride + column, *out2 = out + 16 * o->out_stride;
    const float *a = o->a + row * o->a_stride, *b = o->b + column / PANEL * PANEL * o->depth + column % PANEL;
    const int64_t to = o->out_stride * 4, by = o->a_stride * 4;
    written(out);
    if (o->factor) {
        _tile_loadd(0, out, to);
        _tile_loadd(1, out + 16, to);
        if (both) {
            _tile_loadd(2, out2, to);
            _tile_loadd(3, out2 + 16, to);
        }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t k = 0; k < o->depth; k += 16, a += 16, b += 16 * PANEL) {
        _tile_loadd(4, a, by);
        _tile_loadd(6, b, PANEL * 4);
        _tile_loadd(7, b + 16, PANEL * 4);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (both) {
            _tile_loadd(5, a + 16 * o->a_stride, by);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, out, to);
    _tile_stored(1, out + 16, to);
    if (both) {
        _tile_stored(2, out2, to);
        _tile_stored(3, out2 + 16, to);
    }
}

static void matrix_products(const operands *o) {
    for (int64_t r = 0; o->factor && r < o->rows; r++) {
        for (int64_t c = 0; o->factor[r] != 1 && c < o->cols; c += LANES) {
            float *out = o->out + r * o->out_stride + c;
            v_store(out, v_mul(v_set(o->factor[r]), v_load(out)));
        }
    }
    for (int64_t panel = 0; panel < o->cols; panel += PANEL) {
        for (int64_t r = 0; r < o->rows; r += 32) {
            for (int64_t c = panel; c < panel + PANEL && c < o->cols; c += 32) {
                if (o->rows - r > 16) {
                    matrix_product(o, r, c, 1);
                } else {
                    matrix_product(o, r, c, 0);
                }
            }
        }
    }
}

// What rows, words of depth and columns are filled up to.
INLINE int64_t row_step(int paired) { return paired ? 16 : TILE_ROWS; }
INLINE int64_t column_step(int paired) { return paired ? 32 : LANES; }

#else

static void matrix_begin(void) {}
static void matrix_end(void) {}
INLINE int64_t row_step(int paired) { return (void)paired, TILE_ROWS; }
INLINE int64_t column_step(int paired) { return (void)paired, LANES; }

#endif

static void products(const operands *o, int paired) {
#if defined(TACA_ISA_AMX)
    if (paired) {
        matrix_products(o);
        return;
    }
#elif defined(TACA_ISA_BF16)
    if (paired) {
        vector_products(o, 1);
        return;
    }
#endif
    (void)paired;
    vector_products(o, 0);
}

#endif
