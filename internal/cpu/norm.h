// Norms: every row (or head, or group) by its own mean and variance, in F32.
#ifndef TACA_NORM_H
#define TACA_NORM_H

#include "vecmath.h"

#include <math.h>

// Four sums at a time: shorter dependence, and smaller partial sums to round.
INLINE double total_of(const vec *part) {
    float few[LANES];
    v_store(few, v_add(v_add(part[0], part[1]), v_add(part[2], part[3])));
    double total[4] = {0};
    for (int i = 0; i < LANES; i += 4) {
        for (int j = 0; j < 4; j++) {
            total[j] += few[i + j];
        }
    }
    return (total[0] + total[1]) + (total[2] + total[3]);
}

// mean_of reads x to the end of its last vector, which is zero there.
static double mean_of(const float *x, int64_t n) {
    vec part[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            part[c] = v_add(part[c], v_load(x + i + c * LANES));
        }
    }
    for (; i < n; i += LANES) {
        part[0] = v_add(part[0], v_load(x + i));
    }
    return total_of(part) / (double)n;
}

// mean_square is the mean of (x - centre)². It fills the last vector of x up
// with centre.
static double mean_square(float *x, int64_t n, float centre) {
    for (int64_t i = n; i % LANES != 0; i++) {
        x[i] = centre;
    }
    vec part[4] = {v_zero(), v_zero(), v_zero(), v_zero()}, less = v_set(centre);
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            vec a = v_sub(v_load(x + i + c * LANES), less);
            part[c] = v_fma(a, a, part[c]);
        }
    }
    for (; i < n; i += LANES) {
        vec a = v_sub(v_load(x + i), less);
        part[0] = v_fma(a, a, part[0]);
    }
    return total_of(part) / (double)n;
}

// norm_rows: a unit is a row. dst = gain·(x - mean)/sqrt(variance + eps) + bias.
static void norm_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_norm *a = args;
    float *x = work;
    const void *gain = row_of(&a->gain, 0), *bias = row_of(&a->bias, 0);
    vec one = v_set(a->modulated ? 1 : 0);
    int64_t cols = a->x.cols;
    for (int64_t row = lo; row < hi; row++) {
        widen(x, row_of(&a->x, row), a->x.type, cols);
        float mean = (float)mean_of(x, cols);
        float scale = (float)(1 / sqrt(mean_square(x, cols, mean) + (double)a->eps));
        void *dst = row_of(&a->dst, row);
        for (int64_t i = 0; i < cols; i += LANES) {
            int64_t n = cols - i < LANES ? cols - i : LANES;
            vec y = v_mul(v_sub(v_load(x + i), v_set(mean)), v_set(scale));
            vec by = v_add(one, v_get_part(gain, a->gain.type, i, n));
            v_put_part(dst, a->dst.type, i, n, v_fma(y, by, v_get_part(bias, a->bias.type, i, n)));
        }
    }
}

// rms_norm_rows: a unit is a row. dst = gain·x/sqrt(mean(x²) + eps).
static void rms_norm_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_norm *a = args;
    float *x = work;
    const void *gain = row_of(&a->gain, 0);
    int64_t cols = a->x.cols;
    for (int64_t row = lo; row < hi; row++) {
        widen(x, row_of(&a->x, row), a->x.type, cols);
        vec scale = v_set((float)(1 / sqrt(mean_square(x, cols, 0) + (double)a->eps)));
        void *dst = row_of(&a->dst, row);
        for (int64_t i = 0; i < cols; i += LANES) {
            int64_t n = cols - i < LANES ? cols - i : LANES;
            vec y = v_mul(v_load(x + i), scale);
            v_put_part(dst, a->dst.type, i, n, v_mul(y, v_get_part(gain, a->gain.type, i, n)));
        }
    }
}

// rotate turns the pairs of x by the angles whose cosine and sine are the
// pairs of rope.
INLINE vec rotate(vec x, vec rope) {
    static const float signs[16] = {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1};
    vec sine = v_mul(v_odd(rope), v_load(signs));
    return v_fma(x, v_even(rope), v_mul(v_swap_pairs(x), sine));
}

// qk_norm_rope_rows: a unit is a row. Every head is normed, then rotated. Roots
// take long: those of all heads come before the first is needed.
static void qk_norm_rope_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_qk *a = args;
    const void *gain = row_of(&a->gain, 0);
    int64_t size = a->x.cols / a->heads, wide = (size + LANES - 1) / LANES * LANES;
    double *square = work;
    float *x = (float *)(square + (a->heads + 7) / 8 * 8);
    for (int64_t row = lo; row < hi; row++) {
        const float *rope = row_of(&a->rope, row);
        char *at = row_of(&a->x, row);
        const int64_t bytes = size * element_size(a->x.type);
        for (int64_t head = 0; head < a->heads; head++) {
            widen(x + head * wide, at + head * bytes, a->x.type, size);
            square[head] = a->gain.at ? mean_square(x + head * wide, size, 0) : 0;
        }
        for (int64_t head = 0; head < a->heads; head++) {
            square[head] = 1 / sqrt(square[head] + (double)a->eps);
        }
        for (int64_t head = 0; head < a->heads; head++, at += bytes) {
            const vec scale = v_set((float)square[head]);
            for (int64_t i = 0; i < size; i += LANES) {
                int64_t n = size - i < LANES ? size - i : LANES;
                vec y = v_load(x + head * wide + i);
                if (a->gain.at) {
                    y = v_mul(v_mul(y, scale), v_get_part(gain, a->gain.type, i, n));
                }
                if (a->rope.at) {
                    y = rotate(y, v_get_part(rope, TACA_F32, i, n));
                }
                v_put_part(at, a->x.type, i, n, y);
            }
        }
    }
}

// group_sums_rows: a unit is unit_rows rows, whose sums of x and x² per
// group go to their own place, so that adding them up in order gives the same
// on any number of threads.
static void group_sums_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_group_norm *a = args;
    int64_t cols = a->x.cols, size = cols / a->groups;
    double *sum = work, *square = sum + cols;
    float *x = (float *)(square + cols);
    for (int64_t unit = lo; unit < hi; unit++) {
        memset(sum, 0, (size_t)cols * 2 * sizeof *sum);
        int64_t end = (unit + 1) * a->unit_rows < a->x.rows ? (unit + 1) * a->unit_rows : a->x.rows;
        for (int64_t row = unit * a->unit_rows; row < end; row++) {
            widen(x, row_of(&a->x, row), a->x.type, cols);
            for (int64_t i = 0; i < cols; i++) {
                double wide = x[i];
                sum[i] += wide;
                square[i] += wide * wide;
            }
        }
        double *out = (double *)a->sums + unit * a->groups * 2;
        for (int64_t g = 0; g < a->groups; g++, out += 2) {
            out[0] = out[1] = 0;
            for (int64_t i = g * size; i < (g + 1) * size; i++) {
                out[0] += sum[i];
                out[1] += square[i];
            }
        }
    }
}

// group_norm_rows: a unit is a row. dst = act(gain·(x - mean)·scale + bias),
// where sums now holds mean and scale of every group.
static void group_norm_rows(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_group_norm *a = args;
    int64_t cols = a->x.cols, size = cols / a->groups, wide = (cols + LANES - 1) / LANES * LANES;
    float *mean = work, *scale = mean + wide, *gain = scale + wide, *bias = gain + wide;
    const double *of = (const double *)a->sums;
    widen(gain, row_of(&a->gain, 0), a->gain.type, cols);
    widen(bias, row_of(&a->bias, 0), a->bias.type, cols);
    for (int64_t i = 0; i < cols; i++) {
        mean[i] = (float)of[i / size * 2];
        scale[i] = (float)of[i / size * 2 + 1];
    }
    for (int64_t row = lo; row < hi; row++) {
        const void *x = row_of(&a->x, row);
        void *dst = row_of(&a->dst, row);
        for (int64_t i = 0; i < cols; i += LANES) {
            int64_t n = cols - i < LANES ? cols - i : LANES;
            vec y = v_mul(v_sub(v_get_part(x, a->x.type, i, n), v_load(mean + i)), v_load(scale + i));
            y = v_fma(y, v_load(gain + i), v_load(bias + i));
            v_put_part(dst, a->dst.type, i, n, v_activate(y, a->act));
        }
    }
}

#endif
