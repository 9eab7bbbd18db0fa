// The softmax of attention: a block of logits becomes probabilities relative
// to the peak so far, and what came before is rescaled where the peak has moved.
#ifndef TACA_ATTENTION_SOFTMAX_H
#define TACA_ATTENTION_SOFTMAX_H

#include "vecmath.h"

#include "attention_pack.h"

#include <math.h>

// A block is at most KEYS_MOST keys, packed once for all rows of a pass, which
// meet it in strips of STRIP. The gap keeps rows of logits from sharing cache sets.
enum { KEYS_MOST = 512, LOGITS_STRIDE = KEYS_MOST + 16, STRIP = 96, GROUP = 16 };

// What a unit works with: the query rows it owns and its share of the workspace.
typedef struct {
    const taca_attention *of;
    int paired;                   // operands stay BF16, as do probabilities
    int64_t head, size, column;   // columns [column, column+size) are the head
    int64_t depth, wide;          // words of a query, columns of acc: size filled up
    int64_t first, rows, padded;  // query rows; padded: filled up
    int64_t at, keys, step;       // the present block of keys, and the greatest
    float scale, tempered;        // log2(e) times Scale, and that times Gamma
    float *q, *k, *v;             // packed operands
    float *stage;                 // of pack_keys and pack_values
    float *logits;                // STRIP × LOGITS_STRIDE
    float *acc;                   // padded × wide
    float *peak, *factor;         // padded, to whole groups
    float *sum;                   // padded × LANES
    float *flat_by, *tempered_by; // KEYS_MOST: the scale of each key, for rows outside and inside Visual
    float *bias;                  // of the diagonals that the block meets, times log2(e)
} attending;

// block_keys is how many keys of so many words a block has at most, in whole
// panels, so that keys and values leave room in the second-level cache.
static int64_t block_keys(int64_t depth) {
    return depth <= 64 ? KEYS_MOST : depth <= 256 ? KEYS_MOST / 2 : depth <= 512 ? KEYS_MOST / 4 : KEYS_MOST / 8;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// How a block's logits become exponents: by one factor; by a factor per key,
// where text begins or ends inside the block; or with a bias as well.
typedef enum { EVEN, MIXED, BIASED } shading;

// How one row sees the block: the first keys of it, shaded.
typedef struct {
    int64_t keys;
    float scale;     // EVEN
    const float *by; // MIXED and BIASED
    shading how;
} row_view;

static row_view view(const attending *u, int64_t r) {
    const taca_attention *a = u->of;
    int64_t row = u->first + r, keys = a->causal ? most(0, least(u->keys, row + 1 - u->at)) : u->keys;
    int64_t text = least(u->at + u->keys, a->text_hi) - most(u->at, a->text_lo); // keys of the block that are text
    int visual = a->visual_lo <= row && row < a->visual_hi;
    row_view v = {keys, visual && text > 0 ? u->tempered : u->scale, visual ? u->tempered_by : u->flat_by, EVEN};
    if (a->rel_bias.at) {
        v.how = BIASED;
    } else if (visual && 0 < text && text < u->keys) {
        v.how = MIXED;
    }
    return v;
}

// last_lanes is the first n lanes of a, none where n < 0, and other in the rest.
INLINE vec last_lanes(vec a, int64_t n, float other) {
    static const float signs[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                    1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1};
    return v_pick_negative(v_load(signs + 16 - most(0, least(n, 16))), a, v_set(other));
}

// exponent is the scaled logits i, i+1, ... less peak.
INLINE vec exponent(const float *logits, int64_t i, vec scale, const float *by, const float *bias, vec peak, const shading how) {
    vec s = v_load(logits + i);
    if (how == BIASED) {
        return v_sub(v_fma(s, v_load(by + i), v_load(bias + i)), peak);
    }
    return v_fma(s, how == MIXED ? v_load(by + i) : scale, v_sub(v_zero(), peak));
}

// put_chances writes probabilities i, i+1, ... and those LANES further over the
// logits they came from, and adds them to sum. As BF16 they are paired, taking the
// first half of the row; attention_pack.h pairs the values alike. What is summed
// is what values are multiplied by, so that weights add up to 1 however roughly
// they are rounded.
INLINE void put_chances(float *logits, int64_t i, vec p, vec q, vec sum[2], const int paired) {
#if defined(TACA_ISA_BF16)
    if (paired) {
        const vec pair = v_pair_near(p, q);
        v_store(logits + i / 2, pair);
        sum[0] = v_dot(pair, v_pair(v_set(1), v_set(1)), sum[0]);
        return;
    }
#endif
    (void)paired;
    v_store(logits + i, p);
    v_store(logits + i + LANES, q);
    sum[0] = v_add(sum[0], p);
    sum[1] = v_add(sum[1], q);
}

INLINE vec chance(vec x, const int paired) {
#if defined(TACA_ISA_BF16)
    if (paired) {
        return v_exp2_rough(x);
    }
#endif
    (void)paired;
    return v_exp2(x);
}

INLINE float *logits_of(const attending *u, int64_t r) { return u->logits + r % STRIP * LOGITS_STRIDE; }
INLINE const float *bias_of(const attending *u, int64_t r) { return u->bias + (u->rows - 1 - r); }

// rise lifts the peak of row r to the greatest of its logits.
INLINE void rise(attending *u, int64_t r, const row_view *v, const shading how) {
    const float *logits = logits_of(u, r), *bias = bias_of(u, r);
    vec scale = v_set(v->scale), was = v_set(u->peak[r]), peak[4] = {was, was, was, was};
    int64_t i = 0;
    for (; i + 4 * LANES <= v->keys; i += 4 * LANES) {
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            peak[c] = v_max(peak[c], exponent(logits, i + c * LANES, scale, v->by, bias, v_zero(), how));
        }
    }
    for (; i < v->keys; i += LANES) {
        vec x = exponent(logits, i, scale, v->by, bias, v_zero(), how);
        peak[0] = v_max(peak[0], last_lanes(x, v->keys - i, -INFINITY));
    }
    u->peak[r] = v_peak(v_max(v_max(peak[0], peak[1]), v_max(peak[2], peak[3])));
}

// spread turns row r's logits into probabilities relative to its peak.
INLINE void spread(attending *u, int64_t r, const row_view *v, const shading how, const int paired) {
    float *logits = logits_of(u, r);
    const float *bias = bias_of(u, r);
    vec scale = v_set(v->scale), peak = v_set(u->peak[r]);
    vec sum[4] = {v_mul(v_load(u->sum + r * LANES), v_set(u->factor[r])), v_zero(), v_zero(), v_zero()};
    int64_t i = 0;
    for (; i + 4 * LANES <= v->keys; i += 4 * LANES) {
#pragma GCC unroll 2
        for (int c = 0; c < 4; c += 2) {
            vec p = chance(exponent(logits, i + c * LANES, scale, v->by, bias, peak, how), paired);
            vec q = chance(exponent(logits, i + (c + 1) * LANES, scale, v->by, bias, peak, how), paired);
            put_chances(logits, i + c * LANES, p, q, sum + c, paired);
        }
    }
    for (; i < v->keys; i += 2 * LANES) {
        vec p = chance(exponent(logits, i, scale, v->by, bias, peak, how), paired);
        vec q = chance(exponent(logits, i + LANES, scale, v->by, bias, peak, how), paired);
        p = last_lanes(p, v->keys - i, 0);
        q = last_lanes(q, v->keys - i - LANES, 0);
        put_chances(logits, i, p, q, sum, paired);
    }
    v_store(u->sum + r * LANES, v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

// soften_group does rows [from, to), at most GROUP: first all peaks, then all
// probabilities, so that the latency of a row's peak is hidden by its fellows.
INLINE void soften_group(attending *u, int64_t from, int64_t to, int64_t depth, const int paired) {
    row_view views[GROUP];
    float was[GROUP];
    memcpy(was, u->peak + from, sizeof was);
    for (int64_t r = from; r < to; r++) {
        row_view *v = views + (r - from);
        *v = view(u, r);
        switch (v->how) {
        case EVEN: rise(u, r, v, EVEN); break;
        case MIXED: rise(u, r, v, MIXED); break;
        case BIASED: rise(u, r, v, BIASED); break;
        }
    }
    for (int64_t i = 0; i < GROUP; i += LANES) {
        v_store(u->factor + from + i, v_exp2(v_sub(v_load(was + i), v_load(u->peak + from + i))));
    }
    for (int64_t r = from; r < to; r++) {
        const row_view *v = views + (r - from);
        switch (v->how) {
        case EVEN: spread(u, r, v, EVEN, paired); break;
        case MIXED: spread(u, r, v, MIXED, paired); break;
        case BIASED: spread(u, r, v, BIASED, paired); break;
        }
        int64_t used = fill(v->keys, 2 * LANES) / (paired ? 2 : 1);
        if (used < depth) { // the products go through all of it
            memset(logits_of(u, r) + used, 0, (size_t)(depth - used) * sizeof(float));
        }
    }
}

// soften does rows [from, to), which lie in one strip.
static void soften(attending *u, int64_t from, int64_t to, int64_t depth) {
    for (; from < to; from += GROUP) {
        int64_t end = least(from + GROUP, to);
        if (HAVE_PAIRS && u->paired) {
            soften_group(u, from, end, depth, 1);
        } else {
            soften_group(u, from, end, depth, 0);
        }
    }
}

static float element(const void *row, int64_t type, int64_t i) {
    float few[LANES];
    if (type == TACA_F32) {
        memcpy(few, (const char *)row + i * 4, 4);
    } else {
        v_store(few, v_get_part(row, type, i, 1));
    }
    return few[0];
}

// shade prepares what blocks that are not even need: scales per key, and the
// bias of every diagonal.
static void shade(attending *u) {
    const taca_attention *a = u->of;
    for (int64_t j = 0; j < u->keys; j++) {
        u->flat_by[j] = u->scale;
        u->tempered_by[j] = a->text_lo <= u->at + j && u->at + j < a->text_hi ? u->tempered : u->scale;
    }
    if (!a->rel_bias.at) {
        return;
    }
    int64_t top = u->at - (u->first + u->rows - 1) + a->q.rows - 1; // of key 0 seen from the last row
    for (int64_t i = 0; i < u->keys + u->rows - 1; i++) {
        u->bias[i] = element(row_of(&a->rel_bias, top + i), a->rel_bias.type, u->head) * 0x1.715476p+0f;
    }
}

#endif
