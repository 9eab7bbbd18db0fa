// Copies of queries, keys and values, laid out for attention_products.h.
#ifndef TACA_ATTENTION_PACK_H
#define TACA_ATTENTION_PACK_H

#include "attention_products.h"

// AHEAD is how many rows before their use those of a head are called for: they lie
// too far apart for the processor to see them coming.
enum { AHEAD = 24 };

// A run of rows of one head of a matrix.
typedef struct {
    const taca_matrix *of;
    int64_t first, rows, column, size;
    int paired; // BF16, to be kept as pairs
} head_rows;

INLINE int64_t fill(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

INLINE const char *head_row(const head_rows *h, int64_t row) {
    return (const char *)row_of(h->of, h->first + row) + h->column * element_size(h->of->type);
}

INLINE void call_row(const head_rows *h, int64_t row) {
    for (int64_t b = 0; b < h->size * element_size(h->of->type); b += 64) {
        __builtin_prefetch(head_row(h, row) + b);
    }
}

// pack_rows writes rows [row, row+count) as depth words each, which is whole
// vectors. What is beyond the end of a row is zero, as is what is beyond the last.
static void pack_rows(float *restrict out, const head_rows *h, int64_t row, int64_t count, int64_t depth) {
    for (int64_t r = row; r < row + count; r++, out += depth) {
        int64_t used = 0;
        if (r < h->rows) {
            call_row(h, r + AHEAD);
        }
        if (r < h->rows && h->paired) {
            const char *from = head_row(h, r);
            for (; used + (int64_t)sizeof(vec) <= h->size * 2; used += sizeof(vec)) {
                v_store((char *)out + used, v_load(from + used));
            }
            if (used < h->size * 2) {
                memcpy((char *)out + used, from + used, (size_t)(h->size * 2 - used));
                used = h->size * 2;
            }
        } else if (r < h->rows) {
            widen(out, head_row(h, r), h->of->type, h->size);
            used = fill(h->size, LANES) * 4;
        }
        if (used < depth * 4) {
            memset((char *)out + used, 0, (size_t)(depth * 4 - used));
        }
    }
}

// pack_keys writes the transpose of the rows, in panels depth words long; the
// last panel only as far as cols. stage is LANES × depth.
static void pack_keys(float *restrict out, const head_rows *h, int64_t depth, int64_t cols, float *restrict stage) {
    for (int64_t r = 0; r < cols; r += LANES) {
        float *to = out + r / PANEL * PANEL * depth + r % PANEL;
        pack_rows(stage, h, r, LANES, depth);
        for (int64_t i = 0; i < depth; i += LANES, to += LANES * PANEL) {
            vec block[LANES];
#pragma GCC unroll 16
            for (int64_t l = 0; l < LANES; l++) {
                block[l] = v_load(stage + l * depth + i);
            }
            v_transpose(block);
#pragma GCC unroll 16
            for (int64_t l = 0; l < LANES; l++) {
                v_store(to + l * PANEL, block[l]);
            }
        }
    }
}

// pack_values writes panels of depth words: a row of values each, or of two
// rows LANES apart, as probabilities are paired. stage is 2 × cols, which is
// whole vectors.
static void pack_values(float *restrict out, const head_rows *h, int64_t depth, int64_t cols, float *restrict stage) {
    for (int64_t r = 0; r < depth; r++) {
        float *to = out + r * PANEL;
#if defined(TACA_ISA_BF16)
        if (h->paired) {
            pack_rows(stage, h, r + r / LANES * LANES, 1, cols);
            pack_rows(stage + cols, h, r + r / LANES * LANES + LANES, 1, cols);
            for (int64_t c = 0; c < cols; c += LANES) {
                vec low = v_load_bf16((uint16_t *)stage + c), high = v_load_bf16((uint16_t *)(stage + cols) + c);
                v_store(to + c / PANEL * PANEL * depth + c % PANEL, v_pair(low, high));
            }
            continue;
        }
#endif
        pack_rows(stage, h, r, 1, cols);
        for (int64_t c = 0; c < cols; c += LANES) {
            v_store(to + c / PANEL * PANEL * depth + c % PANEL, v_load(stage + c));
        }
    }
}

#endif
