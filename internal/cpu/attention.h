// Attention, one pass over the keys for a run of query rows of one head. Keys
// come in blocks; every row keeps the peak and the sum of what it has seen
// (online softmax, arXiv 2205.14135) and rescales when the peak moves.
//
// Peaks are kept in scaled units of log 2. TACA's gamma is then a factor of
// the scale, and a block whose keys are all text, or all not, costs nothing
// extra. The order of a row's arithmetic depends on neither the spans, nor
// gamma, nor the rows beside it.
#ifndef TACA_ATTENTION_H
#define TACA_ATTENTION_H

#include "attention_softmax.h"

// finish writes acc / sum to dst.
static void finish(const attending *u) {
    const taca_matrix *dst = &u->of->dst;
    for (int64_t r = 0; r < u->rows; r++) {
        char *to = (char *)row_of(dst, u->first + r) + u->head * u->size * element_size(dst->type);
        vec share = v_set(1 / v_sum(v_load(u->sum + r * LANES)));
        for (int64_t i = 0; i < u->size; i += LANES) {
            vec y = v_mul(v_load(u->acc + r * u->wide + i), share);
            v_put_part(to, dst->type, i, least(LANES, u->size - i), y);
        }
    }
}

// block passes over the present block of keys.
static void block(attending *u) {
    const taca_attention *a = u->of;
    const int paired = u->paired;
    int64_t cols = fill(u->keys, column_step(paired)), depth = paired ? fill(u->keys, 2 * LANES) / 2 : u->keys;
    head_rows keys = {&a->k, u->at, u->keys, u->column, u->size, paired};
    head_rows values = {&a->v, u->at, u->keys, u->column, u->size, paired};
    pack_keys(u->k, &keys, u->depth, cols, u->stage);
    pack_values(u->v, &values, depth, u->wide, u->stage);
    shade(u);
    for (int64_t from = 0; from < u->padded; from += STRIP) {
        int64_t count = least(STRIP, u->padded - from), to = least(from + count, u->rows);
        products(&(operands){u->logits, LOGITS_STRIDE, 0, u->q + from * u->depth, u->depth, u->k, count, u->depth, cols}, paired);
        soften(u, from, to, depth);
        products(&(operands){u->acc + from * u->wide, u->wide, u->factor + from, u->logits, LOGITS_STRIDE, u->v, count, depth, u->wide}, paired);
    }
}

// attend does one unit.
static void attend(attending *u) {
    const taca_attention *a = u->of;
    head_rows queries = {&a->q, u->first, u->rows, u->column, u->size, u->paired};
    pack_rows(u->q, &queries, 0, u->padded, u->depth);
    memset(u->acc, 0, (size_t)(u->padded * u->wide) * sizeof(float));
    memset(u->sum, 0, (size_t)(u->padded * LANES) * sizeof(float));
    for (int64_t r = 0; r < fill(u->padded, GROUP); r++) {
        u->peak[r] = r < u->rows ? -INFINITY : 0;
        u->factor[r] = 1;
    }
    int64_t end = a->causal ? u->first + u->rows : a->k.rows;
    for (u->at = 0; u->at < end; u->at += u->step) {
        u->keys = least(u->step, end - u->at);
        block(u);
    }
    finish(u);
}

// take is n floats of the workspace, aligned to a cache line.
static float *take(float **work, int64_t n) {
    float *p = *work;
    *work += (n + 15) / 16 * 16;
    return p;
}

// attention_units: units are runs of unit_rows query rows, head by head; those of
// a head that come together share a pass.
static void attention_units(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_attention *a = args;
    attending u = {.of = a, .size = a->q.cols / a->heads, .scale = a->scale * 0x1.715476p+0f};
    u.paired = HAVE_PAIRS && a->q.type == TACA_BF16 && a->k.type == TACA_BF16 && a->v.type == TACA_BF16 && a->dst.type == TACA_BF16;
    u.tempered = u.scale * a->gamma;
    u.depth = fill(u.paired ? (u.size + 1) / 2 : u.size, LANES);
    u.wide = fill(u.size, column_step(u.paired));
    u.step = block_keys(u.depth);
    int64_t rows = fill(a->unit_rows * a->pass_units, row_step(u.paired)), runs = (a->q.rows + a->unit_rows - 1) / a->unit_rows;
    float *left = work;
    u.q = take(&left, rows * u.depth);
    u.acc = take(&left, rows * u.wide);
    u.k = take(&left, u.step * u.depth);
    u.v = take(&left, u.step * fill(u.wide, PANEL));
    u.stage = take(&left, most(LANES * u.depth, 2 * u.wide));
    u.logits = take(&left, STRIP * LOGITS_STRIDE);
    u.peak = take(&left, fill(rows, GROUP));
    u.factor = take(&left, fill(rows, GROUP));
    u.sum = take(&left, rows * LANES);
    u.flat_by = take(&left, KEYS_MOST);
    u.tempered_by = take(&left, KEYS_MOST);
    u.bias = take(&left, KEYS_MOST + rows + 2 * LANES);
    matrix_begin();
    for (int64_t unit = lo; unit < hi;) {
        int64_t run = unit % runs, together = least(least(hi - unit, runs - run), a->pass_units);
        u.head = unit / runs;
        u.column = u.head * u.size;
        u.first = run * a->unit_rows;
        u.rows = least(together * a->unit_rows, a->q.rows - u.first);
        u.padded = fill(u.rows, row_step(u.paired));
        attend(&u);
        unit += together;
    }
    matrix_end();
}

#endif
