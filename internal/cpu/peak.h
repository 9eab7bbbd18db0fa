// PEAK: multiplications out of registers, and nothing else, to measure what a
// core can do at most.
#ifndef TACA_PEAK_H
#define TACA_PEAK_H

#include "gemm.h"

enum {
    PEAK_SUMS = 12, // chains that do not wait for each other
    PEAK_WORDS = PEAK_SUMS * LANES * 2,
#if defined(TACA_ISA_AMX)
    PEAK_PAIRS = 4 * 16 * 16 * 32 * 2,
    PEAK_QUADS = 2 * PEAK_PAIRS,
#elif defined(TACA_ISA_BF16)
    PEAK_PAIRS = PEAK_SUMS * LANES * 4,
    PEAK_QUADS = PEAK_WORDS << QUAD_SHIFT,
#else
    PEAK_PAIRS = PEAK_WORDS, // pairs are widened first
    PEAK_QUADS = PEAK_WORDS << QUAD_SHIFT,
#endif
};

// unknown hides from the compiler that v has the same value in every round.
INLINE void unknown(vec *v) {
#if defined(__x86_64__)
    __asm__ volatile("" : "+x"(*v));
#elif defined(__aarch64__)
    __asm__ volatile("" : "+w"(*v));
#else
    __asm__ volatile("" : "+m"(*v));
#endif
}

INLINE void peak_vectors(int64_t rounds, void *work, const int kind) {
    vec sum[PEAK_SUMS], x = v_load(work), y = v_load((char *)work + sizeof(vec));
#pragma GCC unroll 12
    for (int i = 0; i < PEAK_SUMS; i++) {
        sum[i] = v_zero();
        unknown(&sum[i]); // or all chains would be one
    }
    for (int64_t k = 0; k < rounds; k++) {
        unknown(&x);
#pragma GCC unroll 12
        for (int i = 0; i < PEAK_SUMS; i++) {
            sum[i] = gemm_step(x, y, sum[i], kind);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < PEAK_SUMS; i++) {
        v_store((char *)work + (size_t)i * sizeof(vec), sum[i]);
    }
}

// peak_rounds does units of rounds each, of PEAK_WORDS, PEAK_PAIRS or PEAK_QUADS
// operations.
static void peak_rounds(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_peak *a = args;
    memset(work, 0, 2 * sizeof(vec)); // zeros are as fast as any numbers here, and stay finite
    int64_t rounds = a->rounds * (hi - lo);
#if defined(TACA_ISA_AMX)
    if (a->kind != TACA_FLOATS) {
        tiles_begin();
        for (int64_t k = 0; k < rounds; k++) {
            TILE_DOT(a->kind, 0, 4, 6);
            TILE_DOT(a->kind, 1, 4, 7);
            TILE_DOT(a->kind, 2, 5, 6);
            TILE_DOT(a->kind, 3, 5, 7);
        }
        tiles_end();
        return;
    }
#endif
    switch (a->kind) {
    case TACA_INTEGERS: peak_vectors(rounds, work, TACA_INTEGERS); break;
    case TACA_PAIRS: peak_vectors(rounds, work, GEMM_PAIRS ? TACA_PAIRS : TACA_FLOATS); break;
    default: peak_vectors(rounds, work, TACA_FLOATS);
    }
}

#endif
