// GATHER, UPSAMPLE2X and COPY: numbers are moved, and at most rounded.
#ifndef TACA_MOVE_H
#define TACA_MOVE_H

#include "quantised.h"

static void move_row(const taca_matrix *dst, int64_t i, const taca_matrix *src, int64_t j) {
    void *to = row_of(dst, i);
    const void *from = row_of(src, j);
    if (dst->type == src->type) {
        memcpy(to, from, (size_t)(dst->cols * element_size(dst->type)));
        return;
    }
    for (int64_t k = 0; k < dst->cols; k += LANES) {
        int64_t n = dst->cols - k < LANES ? dst->cols - k : LANES;
        v_put_part(to, dst->type, k, n, v_get_part(from, src->type, k, n));
    }
}

// A unit is a row of dst.
static void gather_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_gather *a = args;
    const int32_t *ids = (const int32_t *)a->ids;
    (void)work;
    for (int64_t i = lo; i < hi; i++) {
        move_row(&a->dst, i, &a->table, ids[i]);
    }
}

// A unit is a pixel of x, which becomes four of dst.
static void upsample_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_upsample *a = args;
    (void)work;
    for (int64_t i = lo; i < hi; i++) {
        int64_t at = i / a->width * 4 * a->width + i % a->width * 2; // dst is twice as wide
        move_row(&a->dst, at, &a->x, i);
        move_row(&a->dst, at + 1, &a->x, i);
        move_row(&a->dst, at + 2 * a->width, &a->x, i);
        move_row(&a->dst, at + 2 * a->width + 1, &a->x, i);
    }
}

// A unit is a row.
static void copy_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_pointwise *a = args;
    for (int64_t i = lo; i < hi; i++) {
        if (is_quantised(a->x.type)) {
            dequantise(work, row_of(&a->x, i), a->x.type, a->x.cols);
            const taca_matrix row = {.at = (uintptr_t)work, .rows = 1, .cols = a->x.cols, .stride = a->x.cols, .type = TACA_F32};
            move_row(&a->dst, i, &row, 0);
        } else {
            move_row(&a->dst, i, &a->x, i);
        }
    }
}

#endif
