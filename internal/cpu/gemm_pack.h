// Operands of matrix products as words: strips of x, panels of w.
#ifndef TACA_GEMM_PACK_H
#define TACA_GEMM_PACK_H

#include "blocks.h"

// transpose turns LANES vectors of words round their diagonal.
#if defined(TACA_ISA_AVX512)
INLINE void transpose(vec r[LANES]) {
    vec t[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        vec a = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        vec c = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88), d = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        t[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        r[i] = t[i];
    }
}
#elif defined(TACA_ISA_AVX2)
INLINE void transpose(vec r[LANES]) {
    vec t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        vec low = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
        r[i] = low;
    }
}
#elif defined(TACA_ISA_NEON)
INLINE void transpose(vec r[LANES]) {
    float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1])), b = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
    float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3])), d = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
    r[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    r[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    r[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    r[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
#else
INLINE void transpose(vec r[LANES]) {
    vec a = r[0], b = r[1], c = r[2], d = r[3];
    for (int i = 0; i < 4; i++) {
        r[i] = (vec){a[i], b[i], c[i], d[i]};
    }
}
#endif

// weight_words is LANES words of a row of weights from element k on, zero
// beyond the n that are left.
INLINE vec weight_words(const char *row, int64_t type, gemm_slice s, int64_t k, int64_t n) {
#if defined(TACA_ISA_BF16)
    if (s.kind == TACA_PAIRS && type == TACA_BF16) {
        __mmask32 there = n >= 32 ? 0xffffffffu : (1u << n) - 1;
        return _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(there, row + k * 2));
    }
    if (s.kind == TACA_PAIRS) {
        vec low = v_get_part(row, type, k, n < LANES ? n : LANES);
        vec high = n <= LANES ? v_zero() : v_get_part(row, type, k + LANES, n < 2 * LANES ? n - LANES : LANES);
        return (vec)_mm512_cvtne2ps_pbh(high, low);
    }
#endif
    (void)s;
    return type == TACA_Q8 ? v_integers(row + k, n) : v_get_part(row, type, k, n < LANES ? n : LANES);
}

// pack_typed is pack_panels for one type of weights.
INLINE void pack_typed(char *restrict panels, const taca_matrix *w, int64_t type, gemm_slice s, int64_t col, int64_t cols) {
    for (int64_t j = 0; j < cols; j += LANES, panels += s.words * (int64_t)sizeof(vec)) {
        int64_t wide = cols - j < LANES ? cols - j : LANES;
        for (int64_t k = 0; k < s.words; k += LANES) {
            vec r[LANES];
            int64_t left = s.depth - (k << s.shift);
            for (int64_t i = 0; i < wide; i++) { // so many rows at once are more than a processor calls for by itself
                __builtin_prefetch((const char *)row_of(w, col + j + i) + (s.at + (k << s.shift)) * (4 >> s.shift) + 256);
            }
            for (int64_t i = 0; i < LANES; i++) {
                r[i] = i < wide && left > 0 ? weight_words(row_of(w, col + j + i), type, s, s.at + (k << s.shift), left) : v_zero();
            }
            transpose(r);
            for (int64_t i = 0; i < LANES && k + i < s.words; i++) {
                v_store(panels + (k + i) * (int64_t)sizeof(vec), r[i]);
            }
        }
    }
}

// pack_nibbles is pack_panels of Q4, whose rows are widened to int8 first.
static void pack_nibbles(char *restrict panels, const taca_matrix *w, gemm_slice s, int64_t col, int64_t cols) {
    int8_t rows[LANES * QUANT_DEPTH];
    const gemm_slice whole = {.depth = s.depth, .words = s.words, .kind = s.kind, .shift = s.shift};
    for (int64_t j = 0; j < cols; j += LANES, panels += s.words * (int64_t)sizeof(vec)) {
        const int64_t wide = cols - j < LANES ? cols - j : LANES;
        for (int64_t i = 0; i < wide; i++) {
            weight_integers(rows + i * QUANT_DEPTH, row_of(w, col + j + i), TACA_Q4, w->cols, s.at, s.depth);
        }
        const taca_matrix widened = {.at = (uintptr_t)rows, .rows = wide, .cols = s.depth, .stride = QUANT_DEPTH, .type = TACA_Q8};
        pack_typed(panels, &widened, TACA_Q8, whole, 0, wide);
    }
}

// pack_blocks is pack_panels of ggml's blocks: a few columns of LANES rows at a
// time become floats, which stay in the first cache until they are packed.
static void pack_blocks(char *restrict panels, const taca_matrix *w, gemm_slice s, int64_t col, int64_t cols) {
    enum { DEPTH = 256 };
    float rows[LANES * DEPTH];
    for (int64_t j = 0; j < cols; j += LANES, panels += s.words * (int64_t)sizeof(vec)) {
        const int64_t wide = cols - j < LANES ? cols - j : LANES;
        for (int64_t k = 0; k < s.depth; k += DEPTH) {
            const int64_t depth = s.depth - k < DEPTH ? s.depth - k : DEPTH, at = k >> s.shift;
            const gemm_slice part = {.depth = depth, .words = k + depth < s.depth ? depth >> s.shift : s.words - at, .kind = s.kind, .shift = s.shift};
            const taca_matrix widened = {.at = (uintptr_t)rows, .rows = wide, .cols = depth, .stride = DEPTH, .type = TACA_F32};
            for (int64_t i = 0; i < wide; i++) {
                block_numbers(rows + i * DEPTH, row_of(w, col + j + i), w->type, s.at + k, depth);
            }
            pack_typed(panels + at * (int64_t)sizeof(vec), &widened, TACA_F32, part, 0, wide);
        }
    }
}

// pack_panels writes rows col .. col+cols-1 of w (columns of dst): for every
// LANES of them, for every word of the slice, LANES words.
static void pack_panels(char *restrict panels, const taca_matrix *w, gemm_slice s, int64_t col, int64_t cols) {
    switch (w->type) {
    case TACA_F32: pack_typed(panels, w, TACA_F32, s, col, cols); break;
    case TACA_BF16: pack_typed(panels, w, TACA_BF16, s, col, cols); break;
    case TACA_F16: pack_typed(panels, w, TACA_F16, s, col, cols); break;
    case TACA_Q8: pack_typed(panels, w, TACA_Q8, s, col, cols); break;
    case TACA_Q4: pack_nibbles(panels, w, s, col, cols); break;
    case TACA_F8E5M2: pack_typed(panels, w, TACA_F8E5M2, s, col, cols); break;
    case TACA_F8E4M3: pack_typed(panels, w, TACA_F8E4M3, s, col, cols); break;
    default: pack_blocks(panels, w, s, col, cols); break;
    }
}

// gemm_strip is rows of the left operand as words, stride bytes apart.
typedef struct {
    const char *at;
    int64_t stride;
} gemm_strip;

// packed_row is how many bytes a row of the packed left operand takes.
INLINE int64_t packed_row(int64_t in, int kind) {
    return kind == TACA_INTEGERS ? quantised_row_bytes(in) : taca_packed_row(in, (taca_tiling){.grain = PAIR_GRAIN, .bytes = 2, .tiles = IN_TILES});
}

// left_operand is the rows of x from row on where they lie as words; NULL where they do not.
INLINE gemm_strip left_operand(const taca_linear *a, gemm_slice s, int64_t row) {
    if (a->packed) {
        const int64_t stride = packed_row(a->x.cols, s.kind);
        return (gemm_strip){(const char *)a->packed + row * stride + s.at * (4 >> s.shift), stride};
    }
    if (a->width > 0 || (s.kind == TACA_FLOATS && a->x.type != TACA_F32)) {
        return (gemm_strip){0};
    }
    return (gemm_strip){(const char *)row_of(&a->x, row) + s.at * (4 >> s.shift), a->x.stride * (4 >> s.shift)};
}

// copy_bytes is memcpy for a kilobyte or two, which a string instruction is slow at.
INLINE void copy_bytes(char *restrict to, const char *restrict from, int64_t n) {
    for (; n >= (int64_t)sizeof(vec); n -= sizeof(vec), to += sizeof(vec), from += sizeof(vec)) {
        v_store(to, v_load(from));
    }
    memcpy(to, from, (size_t)n);
}

// to_words copies n elements from column k of a row of x, or zeros where row
// is NULL; 1 << shift of them make a word.
INLINE void to_words(char *restrict to, const char *restrict row, int64_t type, int shift, int64_t k, int64_t n) {
    if (!row) {
        memset(to, 0, (size_t)(n * (4 >> shift)));
    } else if (shift || type == TACA_F32) {
        copy_bytes(to, row + k * (4 >> shift), n * (4 >> shift));
    } else {
        for (int64_t i = 0; i < n; i += LANES) {
            int64_t few = n - i < LANES ? n - i : LANES;
            v_put_part(to, TACA_F32, i, few, v_get_part(row, type, k + i, few));
        }
    }
}

// image_words is to_words of the 3×3 neighbourhood of pixel p: K counts
// (ky, kx, channel), and pixels outside of the image are zero.
static void image_words(char *restrict to, const taca_linear *a, int shift, int64_t p, int64_t k, int64_t n) {
    int64_t channels = a->x.cols, y = p / a->width, x = p % a->width;
    while (n > 0) {
        int64_t tap = k / channels, from = k % channels;
        int64_t part = channels - from < n ? channels - from : n;
        int64_t ty = y + tap / 3 - 1, tx = x + tap % 3 - 1;
        int inside = 0 <= ty && ty < a->height && 0 <= tx && tx < a->width;
        to_words(to, inside ? row_of(&a->x, ty * a->width + tx) : NULL, a->x.type, shift, from, part);
        to += part * (4 >> shift), k += part, n -= part;
    }
}

// call_strip has a part of the next strip come nearer, while products of this
// one are formed.
static void call_strip(const taca_linear *a, gemm_slice s, int64_t lo, int64_t hi) {
    gemm_strip x = left_operand(a, s, lo);
    for (int64_t i = lo; x.at && i < hi; i++, x.at += x.stride) {
        for (int64_t b = 0; b < s.words * 4; b += 64) {
            __builtin_prefetch(x.at + b, 0, 2);
        }
    }
}

// load_strip writes rows row .. row+rows-1 of the left operand, stride bytes
// apart.
static void load_strip(char *restrict strip, int64_t stride, const taca_linear *a, gemm_slice s, int64_t row, int64_t rows) {
    int64_t bytes = s.depth * (4 >> s.shift);
    for (int64_t i = 0; i < rows; i++, strip += stride) {
        if (s.kind == TACA_INTEGERS) {
            to_words(strip, (const char *)a->packed + (row + i) * quantised_row_bytes(a->x.cols), 0, s.shift, s.at, s.depth);
        } else if (a->width > 0) {
            image_words(strip, a, s.shift, row + i, s.at, s.depth);
        } else {
            to_words(strip, row_of(&a->x, row + i), a->x.type, s.shift, s.at, s.depth);
        }
        memset(strip + bytes, 0, (size_t)(s.words * 4 - bytes));
    }
}

// next_strip is a strip where it lies, if it lies there as words, and otherwise
// in room.
static gemm_strip next_strip(const taca_linear *a, gemm_slice s, int64_t row, int64_t rows, char *restrict room) {
    const gemm_strip x = left_operand(a, s, row);
    if (x.at && rows == GEMM_STRIP && s.depth == s.words << s.shift && !taca_crowded(x.stride)) {
        return x;
    }
    load_strip(room, GEMM_ROW, a, s, row, rows);
    memset(room + rows * GEMM_ROW, 0, (size_t)((GEMM_STRIP - rows) * GEMM_ROW)); // multiplied, too, for nobody
    return (gemm_strip){room, GEMM_ROW};
}

#endif
