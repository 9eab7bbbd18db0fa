// Exponentials and the activations, over the vocabulary of vec.h. The
// polynomials are minimax fits of relative error; NaN goes through all of them.
#ifndef TACA_VECMATH_H
#define TACA_VECMATH_H

#include "vec.h"

// A float plus this (1.5 · 2²³) has no fraction bits left: adding it rounds to
// the nearest integer n, which then stands in the low bits. With 127 more,
// these are the exponent of 2ⁿ, or of 0 for n = -127 and infinity for 128.
#define ROUNDER 12582912.0f

// v_exp is e^x to 1 ulp for x of -87.6 to 88.3; below it is 0, above infinity.
INLINE vec v_exp(vec x) {
    x = v_max(v_set(-88), v_min(v_set(88.9f), x));
    vec t = v_fma(x, v_set(0x1.715476p+0f), v_set(ROUNDER + 127));
    vec n = v_sub(t, v_set(ROUNDER + 127));
    vec r = v_fma(n, v_set(-0x1.63p-1f), x); // ln 2 in two parts; n times the first is exact
    r = v_fma(n, v_set(0x1.bd0106p-13f), r);
    vec p = v_set(0x1.6ab94ep-10f);
    p = v_fma(p, r, v_set(0x1.126d0ap-7f));
    p = v_fma(p, r, v_set(0x1.55589ap-5f));
    p = v_fma(p, r, v_set(0x1.55540ap-3f));
    p = v_fma(p, r, v_set(0x1.fffffap-2f));
    p = v_fma(p, r, v_set(1));
    p = v_fma(p, r, v_set(1));
    return v_mul(p, v_exponent(t));
}

// v_exp2 is 2^x to 1 ulp for x ≤ 0, where results below 2^-126.5 are 0.
INLINE vec v_exp2(vec x) {
    x = v_max(v_set(-127), x);
    vec t = v_add(x, v_set(ROUNDER + 127));
    vec r = v_sub(x, v_sub(t, v_set(ROUNDER + 127)));
    vec p = v_set(0x1.41d308p-13f);
    p = v_fma(p, r, v_set(0x1.5f4568p-10f));
    p = v_fma(p, r, v_set(0x1.3b2dbcp-7f));
    p = v_fma(p, r, v_set(0x1.c6aed4p-5f));
    p = v_fma(p, r, v_set(0x1.ebfbdap-3f));
    p = v_fma(p, r, v_set(0x1.62e43p-1f));
    p = v_fma(p, r, v_set(1));
    return v_mul(p, v_exponent(t));
}

#if defined(TACA_ISA_BF16)
// v_exp2_rough is 2^x to 2^-13, for what is rounded to BF16 next. Results below
// 2^-126 are 2^-126: subnormal numbers are slow on some processors.
INLINE vec v_exp2_rough(vec x) {
    x = v_max(v_set(-126), x);
    vec r = v_fraction(x);
    vec p = v_set(0x1.3f96a4p-4f);
    p = v_fma(p, r, v_set(0x1.cefc4cp-3f));
    p = v_fma(p, r, v_set(0x1.64444cp-1f));
    p = v_fma(p, r, v_set(0x1.fff632p-1f));
    return v_times_exp2(p, x);
}

// v_logistic_rough is v_logistic to 2^-12 of y = -bits·ln 2.
INLINE vec v_logistic_rough(vec x, vec bits) { return v_mul(x, v_reciprocal(v_add(v_set(1), v_exp2_rough(bits)))); }
#endif

// v_logistic is x / (1 + e^-y): x·sigmoid(y).
INLINE vec v_logistic(vec x, vec y) { return v_div(x, v_add(v_set(1), v_exp(v_sub(v_zero(), y)))); }

// normal_tail is Φ(-a) for a ≥ 0, Φ the normal distribution: e^(-a²/2) times a
// polynomial of 1/(1 + 0.3·a), so that no digits cancel.
INLINE vec normal_tail(vec a) {
    a = v_min(v_set(15), a);
    vec square = v_mul(a, a);
    vec high = v_sub(v_add(a, v_set(ROUNDER / 256)), v_set(ROUNDER / 256)), low = v_sub(a, high);
    vec rest = v_sub(v_mul(high, high), square); // a² - square, exactly, with or without a fused v_fma
    rest = v_fma(low, v_add(a, high), rest);
    vec t = v_div(v_set(1), v_fma(a, v_set(0.3f), v_set(1)));
    vec p = v_set(-0x1.4a8194p-6f);
    p = v_fma(p, t, v_set(0x1.c1b5e2p-4f));
    p = v_fma(p, t, v_set(-0x1.c57af8p-3f));
    p = v_fma(p, t, v_set(0x1.743772p-3f));
    p = v_fma(p, t, v_set(-0x1.1ea00ap-4f));
    p = v_fma(p, t, v_set(0x1.71b348p-4f));
    p = v_fma(p, t, v_set(0x1.4b3224p-4f));
    p = v_fma(p, t, v_set(0x1.c0ba6cp-4f));
    p = v_fma(p, t, v_set(0x1.ea410cp-4f));
    p = v_fma(p, t, v_set(0x1.ea303p-4f));
    p = v_fma(p, t, v_set(0x1.11p-21f));
    p = v_mul(p, v_exp(v_mul(square, v_set(-0.5f))));
    return v_fma(p, v_mul(rest, v_set(-0.5f)), p); // what the square's rounding left out
}

// v_gelu is x·Φ(x).
INLINE vec v_gelu(vec x) {
    vec tail = normal_tail(v_abs(x)), square = v_mul(x, x);
    vec p = v_set(-0x1.00d52p-17f); // Φ(x) - 1/2 is odd, and smooth near 0
    p = v_fma(p, square, v_set(0x1.dbff0ep-14f));
    p = v_fma(p, square, v_set(-0x1.36fd42p-10f));
    p = v_fma(p, square, v_set(0x1.46ce4cp-7f));
    p = v_fma(p, square, v_set(-0x1.105832p-4f));
    p = v_fma(p, square, v_set(0x1.988454p-2f));
    vec far = v_pick_negative(x, tail, v_sub(v_set(1), tail));
    return v_mul(x, v_pick_negative(v_sub(square, v_set(1)), v_fma(p, x, v_set(0.5f)), far));
}

// v_activate is act(x).
INLINE vec v_activate(vec x, int64_t act) {
    switch (act) {
    case TACA_SILU: return v_logistic(x, x);
    case TACA_GELU_TANH: { // (1 + tanh y) / 2 = sigmoid(2y)
        vec cube = v_mul(v_mul(x, x), x);
        return v_logistic(x, v_mul(v_set(0x1.988454p+0f), v_fma(cube, v_set(0.044715f), x)));
    }
    case TACA_GELU: return v_gelu(x);
    case TACA_QUICK_GELU: return v_logistic(x, v_mul(x, v_set(1.702f)));
    default: return x;
    }
}

// v_activate_for is v_activate for a result of some type: where that is rounded
// to BF16, a logistic function need not be exact.
INLINE vec v_activate_for(vec x, int64_t act, int64_t type) {
#if defined(TACA_ISA_BF16)
    if (type == TACA_BF16) {
        const float bits = -0x1.715476p+0f; // of 1: -log2(e)
        switch (act) {
        case TACA_SILU: return v_logistic_rough(x, v_mul(x, v_set(bits)));
        case TACA_GELU_TANH: return v_logistic_rough(x, v_mul(x, v_fma(v_mul(x, x), v_set(bits * 0x1.988454p+0f * 0.044715f), v_set(bits * 0x1.988454p+0f))));
        case TACA_QUICK_GELU: return v_logistic_rough(x, v_mul(x, v_set(bits * 1.702f)));
        }
    }
#endif
    (void)type;
    return v_activate(x, act);
}

#endif
