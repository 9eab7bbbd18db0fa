// GATHER, UPSAMPLE2X and COPY: numbers are moved, and at most rounded.
#ifndef TACA_MOVE_H
#define TACA_MOVE_H

#include "blocks.h"
#include "quantised.h"

// move_row is row i of dst = scale · row j of src.
static void move_row(const taca_matrix *dst, int64_t i, const taca_matrix *src, int64_t j, float scale) {
    void *to = row_of(dst, i);
    const void *from = row_of(src, j);
    if (dst->type == src->type && scale == 1) {
        memcpy(to, from, (size_t)(dst->cols * element_size(dst->type)));
        return;
    }
    for (int64_t k = 0; k < dst->cols; k += LANES) {
        int64_t n = dst->cols - k < LANES ? dst->cols - k : LANES;
        v_put_part(to, dst->type, k, n, v_mul(v_set(scale), v_get_part(from, src->type, k, n)));
    }
}

// move_weights is move_row of weights of any format.
static void move_weights(const taca_matrix *dst, int64_t i, const taca_matrix *src, int64_t j, float scale, void *work) {
    const taca_matrix numbers = {.at = (uintptr_t)work, .rows = 1, .cols = src->cols, .stride = src->cols, .type = TACA_F32};
    if (is_quantised(src->type)) {
        dequantise(work, row_of(src, j), src->type, src->cols);
    } else if (in_blocks(src->type)) {
        block_numbers(work, row_of(src, j), src->type, 0, src->cols);
    } else {
        move_row(dst, i, src, j, scale);
        return;
    }
    move_row(dst, i, &numbers, 0, scale);
}

// A unit is a row of dst.
static void gather_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_gather *a = args;
    const int32_t *ids = (const int32_t *)a->ids;
    for (int64_t i = lo; i < hi; i++) {
        move_weights(&a->dst, i, &a->table, ids[i], a->scale, work);
    }
}

// A unit is a pixel of x, which becomes four of dst.
static void upsample_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_upsample *a = args;
    (void)work;
    for (int64_t i = lo; i < hi; i++) {
        int64_t at = i / a->width * 4 * a->width + i % a->width * 2; // dst is twice as wide
        move_row(&a->dst, at, &a->x, i, 1);
        move_row(&a->dst, at + 1, &a->x, i, 1);
        move_row(&a->dst, at + 2 * a->width, &a->x, i, 1);
        move_row(&a->dst, at + 2 * a->width + 1, &a->x, i, 1);
    }
}

// A unit is a row; a is the scale of x.
static void copy_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_pointwise *a = args;
    for (int64_t i = lo; i < hi; i++) {
        move_weights(&a->dst, i, &a->x, i, a->a, work);
    }
}

#endif
