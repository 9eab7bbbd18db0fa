// ATTENTION_STATS: where the visual queries of an attention spend their
// probability. A unit is a run of visual query rows, whose heads it does one
// after the other, so that maps are summed in one order.
//
// Keys come in blocks that are all text or all not, and every row keeps its
// peak, its sum, the part of it that is text, and Σ 2^d·d, where d is a logit
// less the peak in units of log 2. With p = 2^d / sum, the entropy is
// log sum − (Σ 2^d·d) / sum. Text keys come a second time for the maps, when
// peak and sum are known.
#ifndef TACA_ATTENTION_STATS_H
#define TACA_ATTENTION_STATS_H

#include "attention.h"

typedef struct {
    const taca_attention_stats *of;
    int paired; // operands stay BF16
    int64_t head, size, depth;
    int64_t first, rows, padded; // visual queries, from 0; padded: filled up
    int64_t at, keys, step;      // the present block of keys, and the greatest
    float scale;                 // of its logits, times log2(e)
    float *q, *k, *stage, *logits;
    float *peak;              // padded
    float *sum, *text, *bits; // padded × LANES; bits: Σ 2^d·d
} tallying;

// tally takes the present block into row r.
static void tally(tallying *u, int64_t r, int is_text) {
    const float *logits = u->logits + r % STRIP * LOGITS_STRIDE;
    vec scale = v_set(u->scale), peak = v_set(u->peak[r]);
    for (int64_t i = 0; i < u->keys; i += LANES) {
        peak = v_max(peak, last_lanes(v_mul(v_load(logits + i), scale), u->keys - i, -INFINITY));
    }
    float was = u->peak[r];
    u->peak[r] = v_peak(peak);
    peak = v_set(u->peak[r]);
    vec fall = v_sub(v_set(was), peak), factor = v_exp2(fall), sum = v_load(u->sum + r * LANES);
    vec bits = v_mul(factor, v_fma(sum, fall, v_load(u->bits + r * LANES)));
    vec here = v_zero();
    for (int64_t i = 0; i < u->keys; i += LANES) {
        vec d = last_lanes(exponent(logits, i, scale, 0, 0, peak, EVEN), u->keys - i, 0);
        vec p = last_lanes(v_exp2(d), u->keys - i, 0);
        here = v_add(here, p);
        bits = v_fma(p, d, bits);
    }
    vec text = v_mul(v_load(u->text + r * LANES), factor);
    v_store(u->text + r * LANES, is_text ? v_add(text, here) : text);
    v_store(u->sum + r * LANES, v_fma(sum, factor, here));
    v_store(u->bits + r * LANES, bits);
}

// chart adds what row r spends on the present block, which is text, to its map.
static void chart(tallying *u, int64_t r, int is_text) {
    (void)is_text;
    const taca_attention_stats *a = u->of;
    const float *logits = u->logits + r % STRIP * LOGITS_STRIDE;
    char *to = (char *)row_of(&a->maps, u->first + r) + (u->at - a->text_lo) * 4;
    vec scale = v_set(u->scale), peak = v_set(u->peak[r]), share = v_set(1 / (v_sum(v_load(u->sum + r * LANES)) * (float)a->heads));
    for (int64_t i = 0; i < u->keys; i += LANES) {
        int64_t n = least(LANES, u->keys - i);
        vec before = u->head ? v_get_part(to, TACA_F32, i, n) : v_zero();
        v_put_part(to, TACA_F32, i, n, v_fma(v_exp2(exponent(logits, i, scale, 0, 0, peak, EVEN)), share, before));
    }
}

// pass shows each row the keys from lo to hi, which are all text or all not.
static void pass(tallying *u, int64_t lo, int64_t hi, int is_text, void (*see)(tallying *, int64_t, int)) {
    const taca_attention_stats *a = u->of;
    u->scale = a->scale * 0x1.715476p+0f;
    if (is_text) {
        u->scale *= a->gamma;
    }
    for (u->at = lo; u->at < hi; u->at += u->step) {
        u->keys = least(u->step, hi - u->at);
        int64_t cols = fill(u->keys, column_step(u->paired));
        head_rows keys = {&a->k, u->at, u->keys, u->head * u->size, u->size, u->paired};
        pack_keys(u->k, &keys, u->depth, cols, u->stage);
        for (int64_t from = 0; from < u->padded; from += STRIP) {
            int64_t count = least(STRIP, u->padded - from);
            products(&(operands){u->logits, LOGITS_STRIDE, 0, u->q + from * u->depth, u->depth, u->k, count, u->depth, cols}, u->paired);
            for (int64_t r = from; r < least(from + count, u->rows); r++) {
                see(u, r, is_text);
            }
        }
    }
}

// tell writes share and entropy of all rows.
static void tell(const tallying *u) {
    const taca_attention_stats *a = u->of;
    float *share = (float *)row_of(&a->stats, u->head) + u->first, *entropy = (float *)row_of(&a->stats, a->heads + u->head) + u->first;
    for (int64_t r = 0; r < u->rows; r++) {
        float sum = v_sum(v_load(u->sum + r * LANES));
        share[r] = v_sum(v_load(u->text + r * LANES)) / sum;
        entropy[r] = logf(sum) - 0x1.62e43p-1f * v_sum(v_load(u->bits + r * LANES)) / sum;
    }
}

static void tally_head(tallying *u) {
    const taca_attention_stats *a = u->of;
    head_rows queries = {&a->q, a->visual_lo + u->first, u->rows, u->head * u->size, u->size, u->paired};
    pack_rows(u->q, &queries, 0, u->padded, u->depth);
    size_t bytes = (size_t)(u->padded * LANES) * sizeof(float);
    memset(u->sum, 0, bytes);
    memset(u->text, 0, bytes);
    memset(u->bits, 0, bytes);
    for (int64_t r = 0; r < u->padded; r++) {
        u->peak[r] = -1e30f; // finite, for 0 times how far it rises is to be 0
    }
    pass(u, 0, a->text_lo, 0, tally);
    pass(u, a->text_lo, a->text_hi, 1, tally);
    pass(u, a->text_hi, a->k.rows, 0, tally);
    tell(u);
    if (a->maps.at) {
        pass(u, a->text_lo, a->text_hi, 1, chart);
    }
}

void TACA_STATS_UNITS(const void *args, int64_t lo, int64_t hi, void *work);

void TACA_STATS_UNITS(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_attention_stats *a = args;
    tallying u = {.of = a, .size = a->q.cols / a->heads};
    u.paired = HAVE_PAIRS && a->q.type == TACA_BF16 && a->k.type == TACA_BF16;
    u.depth = fill(u.paired ? (u.size + 1) / 2 : u.size, LANES);
    u.step = block_keys(u.depth);
    int64_t rows = fill(a->unit_rows, row_step(u.paired));
    float *left = work;
    u.q = take(&left, rows * u.depth);
    u.k = take(&left, u.step * u.depth);
    u.stage = take(&left, LANES * u.depth);
    u.logits = take(&left, STRIP * LOGITS_STRIDE);
    u.peak = take(&left, rows);
    u.sum = take(&left, rows * LANES);
    u.text = take(&left, rows * LANES);
    u.bits = take(&left, rows * LANES);
    matrix_begin();
    for (int64_t unit = lo; unit < hi; unit++) {
        u.first = unit * a->unit_rows;
        u.rows = least(a->unit_rows, a->stats.cols - u.first);
        u.padded = fill(u.rows, row_step(u.paired));
        for (u.head = 0; u.head < a->heads; u.head++) {
            tally_head(&u);
        }
    }
    matrix_end();
}

#endif
