// Matrix products of bfloat16, or of integers, on AMX tiles.
//
// A slice of K at a time, the weights of a block of columns are packed as tiles
// and stay in the second-level cache. Rows of x pass by in strips of three
// tiles; a strip times a panel of two tiles is summed in six registers over the
// whole slice. Three by two takes five tiles out of the cache for six products,
// two by two four for four. Strips are packed too, since a tile whose rows lie
// apart takes twice as long to load: all before the first block where many
// blocks share them, otherwise one when it is needed.
#ifndef TACA_GEMM_AMX_H
#define TACA_GEMM_AMX_H

#include "amx.h"

enum {
    AMX_STRIP = 48,
    AMX_PANEL = 32,
    AMX_WORDS = 768,  // of K in a slice
    AMX_ROWS = 2016,  // of a block
    AMX_COLS = 192,   // of a block
    AMX_SUMS = AMX_STRIP * AMX_PANEL,
    AMX_STEP = AMX_STRIP * 64, // bytes of a strip's tiles for one step along K
};

// EACH_SUM loads or stores the tiles of sums that down and across leave; a tile's
// number must be a constant.
#define EACH_SUM(move)                                     \
    do {                                                   \
        move(0, c, 64);                                    \
        if (down > 1) move(1, c + 256, 64);                \
        if (down > 2) move(2, c + 512, 64);                \
        if (across > 1) move(3, c + 768, 64);              \
        if (across > 1 && down > 1) move(4, c + 1024, 64); \
        if (across > 1 && down > 2) move(5, c + 1280, 64); \
    } while (0)

// tiles_product adds tiles of rows times tiles of columns to c, whose tiles lie
// column by column, three to each. Meanwhile lines from next on are called for,
// as many in a step as ahead says.
INLINE void tiles_product(float *restrict c, const char *restrict strip, const char *restrict panel, int64_t words, int first, const char *next, int64_t ahead, const int kind, const int down, const int across) {
    const char *second = panel + words * 64;
    written(strip);
    if (first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        _tile_zero(4);
        _tile_zero(5);
    } else {
        EACH_SUM(_tile_loadd);
    }
    for (int64_t k = 0; k < words; k += 16, strip += AMX_STEP) {
        _tile_loadd(7, panel + k * 64, 64);
        _tile_loadd(6, strip, 64);
        TILE_DOT(kind, 0, 6, 7);
        if (down > 1) {
            _tile_loadd(6, strip + 1024, 64);
            TILE_DOT(kind, 1, 6, 7);
        }
        if (down > 2) {
            _tile_loadd(6, strip + 2048, 64);
            TILE_DOT(kind, 2, 6, 7);
        }
        for (int64_t i = 0; i < ahead; i++, next += 64) {
            _mm_prefetch(next, _MM_HINT_T1);
        }
        if (across > 1) { // the other way round: the last rows are still there
            _tile_loadd(7, second + k * 64, 64);
            if (down > 2) {
                TILE_DOT(kind, 5, 6, 7);
                _tile_loadd(6, strip + 1024, 64);
            }
            if (down > 1) {
                TILE_DOT(kind, 4, 6, 7);
                _tile_loadd(6, strip, 64);
            }
            TILE_DOT(kind, 3, 6, 7);
        }
    }
    EACH_SUM(_tile_stored);
}

// multiply_strip is tiles_product of up to AMX_STRIP rows and AMX_PANEL columns.
INLINE void multiply_strip(float *restrict c, const char *restrict strip, const char *restrict panel, gemm_slice s, int64_t rows, int64_t cols, const char *next, int64_t ahead, const int kind) {
    int first = s.at == 0;
    switch ((rows + 15) / 16 * 2 + (cols > 16)) {
    case 2: tiles_product(c, strip, panel, s.words, first, next, ahead, kind, 1, 1); break;
    case 3: tiles_product(c, strip, panel, s.words, first, next, ahead, kind, 1, 2); break;
    case 4: tiles_product(c, strip, panel, s.words, first, next, ahead, kind, 2, 1); break;
    case 5: tiles_product(c, strip, panel, s.words, first, next, ahead, kind, 2, 2); break;
    case 6: tiles_product(c, strip, panel, s.words, first, next, ahead, kind, 3, 1); break;
    default: tiles_product(c, strip, panel, s.words, first, next, ahead, kind, 3, 2); break;
    }
}

// store_tiles writes sums to a panel of dst, with what LINEAR does to a finished
// sum.
INLINE void store_tiles(const taca_linear *a, float *restrict c, const finished *f, const int kind) {
    if (!a->adds && f->cols == AMX_PANEL) {
        put_panel(a, c, f, kind, AMX_STRIP, 1);
        return;
    }
    for (int64_t i = 0; i < f->rows; i++) {
        for (int64_t j = 0; j < f->cols; j += LANES) {
            float *sums = c + j / 16 * 768 + i / 16 * 256 + i % 16 * 16;
            if (kind == TACA_INTEGERS) {
                scale_sums(sums, f->scales + j, LANES, a, AMX_STRIP, f->row + i);
            }
            put_sum(a, row_of(&a->dst, f->row + i), f->col + j, f->cols - j < LANES ? f->cols - j : LANES, v_load(sums), v_load(f->bias + j));
        }
    }
}

// amx_slice is the part of K from column k on; slices are of much the same
// depth.
INLINE gemm_slice amx_slice(int64_t in, int64_t k, int kind) {
    const int shift = kind == TACA_INTEGERS ? QUAD_SHIFT : 1;
    const int64_t all = (in + (16 << shift) - 1) / (16 << shift), slices = (all + AMX_WORDS / 16 - 1) / (AMX_WORDS / 16);
    gemm_slice s = next_slice(in, k, slices > 1 ? (all + slices - 1) / slices * 16 : AMX_WORDS, kind);
    s.words = (s.words + 15) / 16 * 16;
    return s;
}

// put_tile_row writes words of row i of a strip to its tiles.
INLINE void put_tile_row(char *restrict to, const char *restrict from, int64_t i, int64_t words) {
    char *tile = to + i / 16 * 1024 + i % 16 * 64;
    for (int64_t k = 0; k < words; k += 16, tile += AMX_STEP) {
        v_store(tile, v_load(from + k * 4));
    }
}

// pack_tiles writes a slice of rows row .. row+rows-1 of the left operand, as
// tiles: three for every step along K, of which those without rows are skipped.
static void pack_tiles(char *restrict to, const taca_linear *a, gemm_slice s, int64_t row, int64_t rows) {
    char copy[AMX_WORDS * 4];
    for (int64_t i = 0; i < rows; i++) {
        const char *from = (const char *)row_of(&a->x, row + i) + s.at * 2;
        if (a->width > 0 || s.depth < 2 * s.words) {
            load_strip(copy, 0, a, s, row + i, 1);
            from = copy;
        }
        put_tile_row(to, from, i, s.words);
    }
}

// pack_integers is a strip of the left operand as integers.
static void pack_integers(char *restrict to, const taca_linear *a, int64_t row, int64_t rows, void *work) {
    float *sign = work, *room = sign + ROTATION;
    const int64_t in = a->x.cols;
    char *line = (char *)(room + in);
    signs(sign, ROTATION);
    memset(line + in, 0, 64);
    for (int64_t i = 0; i < rows; i++) {
        row_scales(a, AMX_STRIP)[row + i] = quantise_row(line, row_sums(a, AMX_STRIP) + row + i, row_of(&a->x, row + i), a->x.type, in, sign, room);
        put_tile_row(to, line, i, quantised_row_bytes(in) / 4);
    }
}

// pack_strips packs the whole left operand; a unit is a strip.
static void pack_strips(const void *args, int64_t lo, int64_t hi, void *work) {
    const taca_linear *a = args;
    const int kind = product_kind(a);
    for (int64_t u = lo; u < hi; u++) {
        int64_t row = u * AMX_STRIP, rows = a->x.rows - row < AMX_STRIP ? a->x.rows - row : AMX_STRIP;
        char *to = (char *)a->packed + row * packed_row(a->x.cols, kind);
        if (kind == TACA_INTEGERS) {
            pack_integers(to, a, row, rows, work);
            continue;
        }
        for (int64_t k = 0; k < a->x.cols;) {
            gemm_slice s = amx_slice(a->x.cols, k, kind);
            pack_tiles(to + k * 2 * AMX_STRIP, a, s, row, rows);
            k += s.depth;
        }
    }
}

// amx_block is rows × cols of dst at (row, col); row begins a strip.
INLINE void amx_block(const taca_linear *a, int64_t row, int64_t rows, int64_t col, int64_t cols, char *restrict work, const int kind) {
    enum { PANELS = AMX_COLS * AMX_WORDS * 4, SUMS = AMX_ROWS * AMX_COLS * 4, STRIP = AMX_STRIP * AMX_WORDS * 4 };
    _Static_assert(PANELS + SUMS + STRIP + AMX_COLS * 8 <= TACA_WORK_BYTES, "workspace");
    char *panels = work, *room = work + PANELS + SUMS;
    float *sums = (float *)(work + PANELS), *bias = (float *)(room + STRIP), *scales = bias + AMX_COLS;
    const int64_t in = a->w.cols, across = (cols + AMX_PANEL - 1) / AMX_PANEL;
    column_bias(bias, a, col, cols);
    if (kind == TACA_INTEGERS) {
        column_scales(scales, &a->w, col, cols);
    }
    for (int64_t k = 0; k == 0 || k < in;) {
        const gemm_slice s = amx_slice(in, k, kind);
        k += s.depth > 0 ? s.depth : 1;
        pack_panels(panels, &a->w, s, col, cols);
        for (int64_t i = 0; i < rows; i += AMX_STRIP) {
            int64_t high = rows - i < AMX_STRIP ? rows - i : AMX_STRIP;
            const char *strip = (const char *)a->packed + (row + i) * packed_row(in, kind) + (s.at << 2 >> s.shift) * AMX_STRIP;
            const char *next = strip + packed_row(in, kind) * AMX_STRIP;
            const int64_t ahead = a->packed && i + AMX_STRIP < rows ? AMX_STRIP / across : 0;
            if (!a->packed) {
                pack_tiles(room, a, s, row + i, high);
                strip = next = room;
            }
            for (int64_t j = 0; j < across; j++, next += ahead * s.words * 4) {
                int64_t wide = cols - j * AMX_PANEL < AMX_PANEL ? cols - j * AMX_PANEL : AMX_PANEL;
                float *c = sums + (s.depth < in ? (i / AMX_STRIP * across + j) * AMX_SUMS : 0);
                multiply_strip(c, strip, panels + j * AMX_PANEL * s.words * 4, s, high, wide, next, ahead, kind);
                if (k >= in) {
                    const finished f = {bias + j * AMX_PANEL, scales + j * AMX_PANEL, row + i, high, col + j * AMX_PANEL, wide};
                    store_tiles(a, c, &f, kind);
                }
            }
        }
    }
}

#endif
