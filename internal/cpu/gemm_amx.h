// Matrix products on AMX tiles: 16 rows of 64 bytes; a word is a pair of
// bfloat16 and the sums are floats.
#ifndef TACA_GEMM_AMX_H
#define TACA_GEMM_AMX_H

enum { AMX_STRIP = 32 };

// tiles_begin makes all eight tiles 16 rows of 64 bytes.
INLINE void tiles_begin(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.bytes[i] = 64, shape.rows[i] = 16;
    }
    _tile_loadconfig(&shape);
}

INLINE void tiles_end(void) { _tile_release(); }

// tile_product adds one or two tiles of rows times one or two of columns.
INLINE void tile_product(float *restrict c, const char *restrict strip, const char *restrict panel, gemm_slice s, const int rows, const int cols) {
    enum { STRIDE = GEMM_PANEL * 4 };
    const char *second = panel + s.words * 64;
    if (s.at == 0) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, c, STRIDE);
        if (cols > 1) _tile_loadd(1, c + 16, STRIDE);
        if (rows > 1) _tile_loadd(2, c + 16 * GEMM_PANEL, STRIDE);
        if (rows > 1 && cols > 1) _tile_loadd(3, c + 16 * GEMM_PANEL + 16, STRIDE);
    }
    for (int64_t k = 0; k < s.words; k += 16) {
        _tile_loadd(4, strip + k * 4, GEMM_ROW);
        _tile_loadd(6, panel + k * 64, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (cols > 1) {
            _tile_loadd(7, second + k * 64, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (rows > 1) {
            _tile_loadd(5, strip + 16 * GEMM_ROW + k * 4, GEMM_ROW);
            _tile_dpbf16ps(2, 5, 6);
            if (cols > 1) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, STRIDE);
    if (cols > 1) _tile_stored(1, c + 16, STRIDE);
    if (rows > 1) _tile_stored(2, c + 16 * GEMM_PANEL, STRIDE);
    if (rows > 1 && cols > 1) _tile_stored(3, c + 16 * GEMM_PANEL + 16, STRIDE);
}

// multiply_tiles adds a strip of rows times a panel to c, 32 × GEMM_PANEL.
static void multiply_tiles(float *restrict c, const char *restrict strip, const char *restrict panel, gemm_slice s, int64_t rows, int64_t cols) {
    if (rows > 16) {
        cols > 16 ? tile_product(c, strip, panel, s, 2, 2) : tile_product(c, strip, panel, s, 2, 1);
    } else {
        cols > 16 ? tile_product(c, strip, panel, s, 1, 2) : tile_product(c, strip, panel, s, 1, 1);
    }
}

#endif
