// Matrix products, in blocks of dst.
//
// A slice of K at a time, the block's weights are widened and turned into
// panels of GEMM_PANEL columns that stay in the second-level cache, while the
// rows of x pass by in strips, read where they are if they lie there as words.
// Both are cut into 32-bit words of K, a word being one float, a pair of
// bfloat16, four int8 or two int16, so that one kernel serves all. Sums wait in
// the workspace between slices: every element of dst is one chain of additions
// in the order of K, however dst is cut into blocks.
#ifndef TACA_GEMM_H
#define TACA_GEMM_H

#include "quantised.h"
#include "vecmath.h"

// GEMM_ROWS and GEMM_COLS are of a block, GEMM_WORDS of K in a slice.
#if defined(TACA_ISA_AVX512)
enum { GEMM_STRIP = 14, GEMM_VECS = 2, GEMM_WORDS = 384, GEMM_ROWS = 1036, GEMM_COLS = 128 };
#elif defined(TACA_ISA_AVX2)
enum { GEMM_STRIP = 6, GEMM_VECS = 2, GEMM_WORDS = 256, GEMM_ROWS = 256, GEMM_COLS = 256 };
#elif defined(TACA_ISA_NEON)
enum { GEMM_STRIP = 6, GEMM_VECS = 4, GEMM_WORDS = 256, GEMM_ROWS = 256, GEMM_COLS = 256 };
#else
enum { GEMM_STRIP = 4, GEMM_VECS = 2, GEMM_WORDS = 256, GEMM_ROWS = 256, GEMM_COLS = 256 };
#endif

enum {
    GEMM_PANEL = GEMM_VECS * LANES, // columns
    GEMM_ROW = GEMM_WORDS * 4 + 64, // bytes of a row in a strip: neighbours fall into different cache sets
};

// gemm_slice is the part of K being summed.
typedef struct {
    int64_t at, depth; // columns at .. at+depth-1 of x and w
    int64_t words;     // what they take in strips and panels; the rest is zero
    int kind;          // of words
    int shift;         // elements of a word, as a power of two
} gemm_slice;

#if defined(TACA_ISA_BF16)
enum { GEMM_PAIRS = 1, PAIR_GRAIN = 32 };
#else
enum { GEMM_PAIRS = 0, PAIR_GRAIN = 0 };
#endif

// product_kind is what a product is formed of.
INLINE int product_kind(const taca_linear *a) { return taca_in_quads(a) ? TACA_INTEGERS : GEMM_PAIRS && taca_in_pairs(a) ? TACA_PAIRS : TACA_FLOATS; }

// next_slice is the part of K from column k on, of at most so many words.
INLINE gemm_slice next_slice(int64_t in, int64_t k, int64_t words, int kind) {
    gemm_slice s = {.at = k, .depth = in - k, .kind = kind, .shift = kind == TACA_INTEGERS ? QUAD_SHIFT : kind};
    s.depth = s.depth < words << s.shift ? s.depth : words << s.shift;
    s.words = (s.depth + (1 << s.shift) - 1) >> s.shift;
    return s;
}

#include "gemm_pack.h"

// gemm_step is s + a·b, word by word.
INLINE vec gemm_step(vec a, vec b, vec s, int kind) {
    if (kind == TACA_INTEGERS) {
        return v_dot_integers(a, b, s);
    }
#if defined(TACA_ISA_BF16)
    if (kind == TACA_PAIRS) {
        return v_dot(a, b, s);
    }
#endif
    return v_fma(a, b, s);
}

// multiply_rows adds a strip of rows times a panel to c, rows × GEMM_PANEL.
INLINE void multiply_rows(float *restrict c, gemm_strip x, const char *restrict panel, gemm_slice s, const int kind, const int rows) {
    vec sum[GEMM_STRIP][GEMM_VECS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < GEMM_VECS; j++) {
            sum[i][j] = s.at == 0 ? v_zero() : v_load(c + i * GEMM_PANEL + j * LANES);
        }
    }
    const char *third[(GEMM_STRIP + 2) / 3]; // every third row: the others are one or two strides away
#pragma GCC unroll 8
    for (int i = 0; i < rows; i += 3) {
        third[i / 3] = x.at + i * x.stride;
    }
    for (int64_t k = 0; k < s.words; k++) {
        vec b[GEMM_VECS];
#pragma GCC unroll 4
        for (int j = 0; j < GEMM_VECS; j++) {
            b[j] = v_load(panel + (j * s.words + k) * (int64_t)sizeof(vec));
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            float word;
            if (i % 3 == 0) {
                __asm__("" : "+r"(third[i / 3])); // or there would be more pointers than registers
            }
            memcpy(&word, third[i / 3] + i % 3 * x.stride, sizeof word);
            if (i % 3 == 2 || i == rows - 1) {
                third[i / 3] += 4;
            }
            vec a = v_set(word);
#pragma GCC unroll 4
            for (int j = 0; j < GEMM_VECS; j++) {
                sum[i][j] = gemm_step(a, b[j], sum[i][j], kind);
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < GEMM_VECS; j++) {
            v_store(c + i * GEMM_PANEL + j * LANES, sum[i][j]);
        }
    }
}

static void multiply(float *restrict c, gemm_strip strip, const char *restrict panel, gemm_slice s, int64_t rows) {
    const int few = rows <= GEMM_STRIP / 2;
    switch (s.kind) {
    case TACA_INTEGERS: few ? multiply_rows(c, strip, panel, s, TACA_INTEGERS, GEMM_STRIP / 2) : multiply_rows(c, strip, panel, s, TACA_INTEGERS, GEMM_STRIP); break;
#if defined(TACA_ISA_BF16)
    case TACA_PAIRS: few ? multiply_rows(c, strip, panel, s, TACA_PAIRS, GEMM_STRIP / 2) : multiply_rows(c, strip, panel, s, TACA_PAIRS, GEMM_STRIP); break;
#endif
    default: few ? multiply_rows(c, strip, panel, s, TACA_FLOATS, GEMM_STRIP / 2) : multiply_rows(c, strip, panel, s, TACA_FLOATS, GEMM_STRIP);
    }
}

// put_sum writes n finished sums to a row of dst.
INLINE void put_sum(const taca_linear *a, void *dst, int64_t col, int64_t n, vec v, vec bias) {
    if (a->adds) {
        v = v_fma(v_set(a->scale), v, v_get_part(dst, a->dst.type, col, n));
    } else {
        v = v_activate_for(v_fma(v_set(a->scale), v, bias), a->act, a->dst.type);
    }
    v_put_part(dst, a->dst.type, col, n, v);
}

// column_scales is the factors of columns of dst.
static void column_scales(float *restrict to, const taca_matrix *w, int64_t col, int64_t cols) {
    for (int64_t j = 0; j < cols; j++) {
        to[j] = weight_scale(row_of(w, col + j), w->type, w->cols);
    }
}

// column_bias is the bias of columns of dst, or zeros.
static void column_bias(float *restrict to, const taca_linear *a, int64_t col, int64_t cols) {
    for (int64_t j = 0; j < cols; j += LANES) {
        int64_t n = cols - j < LANES ? cols - j : LANES;
        v_store(to + j, a->bias.at ? v_get_part((const void *)a->bias.at, a->bias.type, col + j, n) : v_zero());
    }
}

// scale_sums makes floats of n sums of integers of a row, in place.
INLINE void scale_sums(float *restrict c, const float *restrict scales, int64_t n, const taca_linear *a, int64_t strip, int64_t row) {
    const int32_t off = QUAD_OFFSET * row_sums(a, strip)[row];
    const vec scale = v_set(row_scales(a, strip)[row]);
    for (int64_t j = 0; j < n; j += LANES) {
        v_store(c + j, v_mul(v_mul(v_from_int32(v_sub_int32(v_load(c + j), off)), scale), v_load(scales + j)));
    }
}

// store_block writes sums c (stride floats from row to row) to rows × cols of
// dst at (row, col), with what LINEAR does to a finished sum.
static void store_block(const taca_linear *a, const float *restrict c, int64_t stride, int64_t row, int64_t rows, int64_t col, int64_t cols) {
    const void *bias = (const void *)a->bias.at;
    for (int64_t i = 0; i < rows; i++) {
        void *dst = row_of(&a->dst, row + i);
        for (int64_t j = 0; j < cols; j += LANES) {
            int64_t n = cols - j < LANES ? cols - j : LANES;
            put_sum(a, dst, col + j, n, v_load(c + i * stride + j), bias ? v_get_part(bias, a->bias.type, col + j, n) : v_zero());
        }
    }
}

// finished is what belongs to a panel of columns when it is stored.
typedef struct {
    const float *bias, *scales; // of the columns; scales where sums are integers
    int64_t row, rows, col, cols;
} finished;

// put_pair writes 2 * LANES floats to a row of dst.
INLINE void put_pair(const taca_linear *a, int64_t row, int64_t col, vec low, vec high) {
    char *to = row_of(&a->dst, row);
#if defined(TACA_ISA_BF16)
    if (a->dst.type == TACA_BF16) {
        _mm512_storeu_si512(to + col * 2, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        return;
    }
#endif
    v_put(to, a->dst.type, col, low);
    v_put(to, a->dst.type, col + LANES, high);
}

// put_rows is put_panel for one activation.
INLINE void put_rows(const taca_linear *a, const float *restrict c, const finished *f, const int kind, int64_t act, const int64_t strip, const int tiles) {
    const vec low_bias = v_load(f->bias), high_bias = v_load(f->bias + LANES);
    const vec low_scale = kind == TACA_INTEGERS ? v_load(f->scales) : low_bias, high_scale = kind == TACA_INTEGERS ? v_load(f->scales + LANES) : low_bias;
    const vec scale = v_set(a->scale);
    for (int64_t i = 0; i < f->rows; i++) {
        const float *from = c + (tiles ? i / 16 * 256 + i % 16 * 16 : i * GEMM_PANEL);
        vec low = v_load(from), high = v_load(from + (tiles ? 768 : LANES));
        if (kind == TACA_INTEGERS) {
            const int32_t off = QUAD_OFFSET * row_sums(a, strip)[f->row + i];
            const vec row_scale = v_set(row_scales(a, strip)[f->row + i]);
            low = v_mul(v_mul(v_from_int32(v_sub_int32(low, off)), row_scale), low_scale);
            high = v_mul(v_mul(v_from_int32(v_sub_int32(high, off)), row_scale), high_scale);
        }
        low = v_activate_for(v_fma(scale, low, low_bias), act, a->dst.type);
        high = v_activate_for(v_fma(scale, high, high_bias), act, a->dst.type);
        put_pair(a, f->row + i, f->col, low, high);
    }
}

// put_panel writes the sums of a strip and a whole panel of two vectors, which lie
// in rows or in tiles, with what LINEAR does to finished sums.
INLINE void put_panel(const taca_linear *a, const float *restrict c, const finished *f, const int kind, const int64_t strip, const int tiles) {
    switch (a->act) {
    case TACA_IDENTITY: put_rows(a, c, f, kind, TACA_IDENTITY, strip, tiles); break;
    case TACA_GELU_TANH: put_rows(a, c, f, kind, TACA_GELU_TANH, strip, tiles); break;
    default: put_rows(a, c, f, kind, a->act, strip, tiles); break;
    }
}

// store_panel writes sums to a panel of dst.
static void store_panel(const taca_linear *a, float *restrict c, const finished *f, int kind) {
    if (GEMM_VECS == 2 && !a->adds && f->cols == GEMM_PANEL) {
        if (kind == TACA_INTEGERS) {
            put_panel(a, c, f, TACA_INTEGERS, GEMM_STRIP, 0);
        } else {
            put_panel(a, c, f, TACA_FLOATS, GEMM_STRIP, 0);
        }
        return;
    }
    for (int64_t r = 0; kind == TACA_INTEGERS && r < f->rows; r++) {
        scale_sums(c + r * GEMM_PANEL, f->scales, GEMM_PANEL, a, GEMM_STRIP, f->row + r);
    }
    store_block(a, c, GEMM_PANEL, f->row, f->rows, f->col, f->cols);
}

// gemm_block is rows × cols of dst at (row, col).
static void gemm_block(const taca_linear *a, int64_t row, int64_t rows, int64_t col, int64_t cols, char *restrict work) {
    enum { SUMS = (GEMM_ROWS + GEMM_STRIP) * (GEMM_COLS + GEMM_PANEL) * 4, PANELS = (GEMM_COLS + GEMM_PANEL) * GEMM_WORDS * 4 };
    _Static_assert(SUMS + PANELS + GEMM_STRIP * GEMM_ROW <= TACA_WORK_BYTES, "workspace");
    float *sums = (float *)work;
    char *panels = work + SUMS, *strip = panels + PANELS;
    const int64_t in = a->w.cols, across = (cols + GEMM_PANEL - 1) / GEMM_PANEL, calls = (GEMM_STRIP + across - 1) / across;
    const int kind = product_kind(a);
    float scales[GEMM_COLS + GEMM_PANEL], bias[GEMM_COLS + GEMM_PANEL];
    column_bias(bias, a, col, cols);
    if (kind == TACA_INTEGERS) {
        column_scales(scales, &a->w, col, cols);
    }
    for (int64_t k = 0; k == 0 || k < in;) {
        const gemm_slice s = next_slice(in, k, GEMM_WORDS, kind);
        k += s.depth > 0 ? s.depth : 1;
        pack_panels(panels, &a->w, s, col, cols);
        for (int64_t i = 0; i < rows; i += GEMM_STRIP) {
            int64_t high = rows - i < GEMM_STRIP ? rows - i : GEMM_STRIP;
            const gemm_strip x = next_strip(a, s, row + i, high, strip);
            for (int64_t j = 0; j < across; j++) {
                const int64_t next = row + i + GEMM_STRIP + j * calls, end = next + calls < row + rows ? next + calls : row + rows;
                call_strip(a, s, next, end);
                int64_t wide = cols - j * GEMM_PANEL < GEMM_PANEL ? cols - j * GEMM_PANEL : GEMM_PANEL;
                float *c = sums + (s.depth < in ? (i * across + j * GEMM_STRIP) * GEMM_PANEL : 0);
                multiply(c, x, panels + j * GEMM_PANEL * s.words * 4, s, high);
                if (k >= in) {
                    const finished f = {bias + j * GEMM_PANEL, scales + j * GEMM_PANEL, row + i, high, col + j * GEMM_PANEL, wide};
                    store_panel(a, c, &f, kind);
                }
            }
        }
    }
}

#if defined(TACA_ISA_AMX)
#include "gemm_amx.h"
#endif

#endif
