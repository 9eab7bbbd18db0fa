// Element by element: a unit is a row. The elements of dst are written after
// those of the same place were read, so dst may be an operand.
#ifndef TACA_POINTWISE_H
#define TACA_POINTWISE_H

#include "vecmath.h"

// gated_add_rows is x += gate·y.
static void gated_add_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    (void)work;
    const taca_pointwise *a = args;
    const void *gate = row_of(&a->gate, 0);
    for (int64_t row = lo; row < hi; row++) {
        void *x = row_of(&a->x, row);
        const void *y = row_of(&a->y, row);
        for (int64_t i = 0; i < a->x.cols; i += LANES) {
            int64_t n = a->x.cols - i < LANES ? a->x.cols - i : LANES;
            vec by = a->gate.at ? v_get_part(gate, a->gate.type, i, n) : v_set(1);
            v_put_part(x, a->x.type, i, n, v_fma(by, v_get_part(y, a->y.type, i, n), v_get_part(x, a->x.type, i, n)));
        }
    }
}

// activate_rows is dst = act(x).
static void activate_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    (void)work;
    const taca_pointwise *a = args;
    for (int64_t row = lo; row < hi; row++) {
        void *dst = row_of(&a->dst, row);
        const void *x = row_of(&a->x, row);
        for (int64_t i = 0; i < a->x.cols; i += LANES) {
            int64_t n = a->x.cols - i < LANES ? a->x.cols - i : LANES;
            v_put_part(dst, a->dst.type, i, n, v_activate(v_get_part(x, a->x.type, i, n), a->act));
        }
    }
}

// mul_rows is dst = x·y.
static void mul_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    (void)work;
    const taca_pointwise *a = args;
    for (int64_t row = lo; row < hi; row++) {
        void *dst = row_of(&a->dst, row);
        const void *x = row_of(&a->x, row), *y = row_of(&a->y, row);
        for (int64_t i = 0; i < a->x.cols; i += LANES) {
            int64_t n = a->x.cols - i < LANES ? a->x.cols - i : LANES;
            v_put_part(dst, a->dst.type, i, n, v_mul(v_get_part(x, a->x.type, i, n), v_get_part(y, a->y.type, i, n)));
        }
    }
}

// mix_rows is dst = a·x + b·y.
static void mix_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    (void)work;
    const taca_pointwise *a = args;
    vec p = v_set(a->a), q = v_set(a->b);
    for (int64_t row = lo; row < hi; row++) {
        void *dst = row_of(&a->dst, row);
        const void *x = row_of(&a->x, row), *y = row_of(&a->y, row);
        for (int64_t i = 0; i < a->x.cols; i += LANES) {
            int64_t n = a->x.cols - i < LANES ? a->x.cols - i : LANES;
            vec by = v_mul(q, v_get_part(y, a->y.type, i, n));
            v_put_part(dst, a->dst.type, i, n, v_fma(p, v_get_part(x, a->x.type, i, n), by));
        }
    }
}

#endif
