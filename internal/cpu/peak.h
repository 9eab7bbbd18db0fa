// PEAK: multiplications out of registers, and nothing else, to measure what a
// core can do at most.
#ifndef TACA_PEAK_H
#define TACA_PEAK_H

#include "vec.h"

enum {
    PEAK_SUMS = 12, // chains that do not wait for each other
    PEAK_WORDS = PEAK_SUMS * LANES * 2,
#if defined(TACA_ISA_AMX)
    PEAK_PAIRS = 4 * 16 * 16 * 32 * 2,
#elif defined(TACA_ISA_BF16)
    PEAK_PAIRS = PEAK_SUMS * LANES * 4,
#else
    PEAK_PAIRS = PEAK_WORDS, // pairs are widened first
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

INLINE void peak_vectors(int64_t rounds, void *work, const int pairs) {
    vec sum[PEAK_SUMS], x = v_load(work), y = v_load((char *)work + sizeof(vec));
#pragma GCC unroll 12
    for (int i = 0; i < PEAK_SUMS; i++) {
        sum[i] = v_zero();
    }
    for (int64_t k = 0; k < rounds; k++) {
        unknown(&x);
#pragma GCC unroll 12
        for (int i = 0; i < PEAK_SUMS; i++) {
#if defined(TACA_ISA_BF16)
            sum[i] = pairs ? v_dot(x, y, sum[i]) : v_fma(x, y, sum[i]);
#else
            (void)pairs;
            sum[i] = v_fma(x, y, sum[i]);
#endif
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < PEAK_SUMS; i++) {
        v_store((char *)work + (size_t)i * sizeof(vec), sum[i]);
    }
}

// peak_rounds does units of rounds each, of PEAK_WORDS or PEAK_PAIRS operations.
static void peak_rounds(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_peak *a = args;
    memset(work, 0, 2 * sizeof(vec)); // zeros are as fast as any numbers here, and stay finite
    int64_t rounds = a->rounds * (hi - lo);
#if defined(TACA_ISA_AMX)
    if (a->pairs) {
        tiles_begin();
        for (int64_t k = 0; k < rounds; k++) {
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        tiles_end();
        return;
    }
#endif
    if (a->pairs) {
        peak_vectors(rounds, work, 1);
    } else {
        peak_vectors(rounds, work, 0);
    }
}

#endif
