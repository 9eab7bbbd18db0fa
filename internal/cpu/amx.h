// AMX tile registers: eight, of 16 rows of 64 bytes. A row holds 16 floats or
// int32, 16 pairs of bfloat16, or 64 int8.
#ifndef TACA_AMX_H
#define TACA_AMX_H

// written makes what was written at p, and all that was written before, be in
// memory: gcc 12 takes a load of a tile for an instruction that reads none, and
// one of the configuration for one that reads 8 bytes.
INLINE void written(const void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }

// tiles_begin gives all tiles their full size. They belong to the thread, and a
// goroutine may wake on another one: every verb sets them up for itself.
INLINE void tiles_begin(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = 64, shape.rows[i] = 16;
    }
    written(&shape);
    _tile_loadconfig(&shape);
}

// TILE_DOT adds the product of tiles x and w, of what kind says, to sums. Tiles'
// numbers must be constants.
#define TILE_DOT(kind, sums, x, w)       \
    do {                                 \
        if ((kind) == TACA_INTEGERS) {   \
            _tile_dpbssd(sums, x, w);    \
        } else {                         \
            _tile_dpbf16ps(sums, x, w);  \
        }                                \
    } while (0)

INLINE void tiles_end(void) { _tile_release(); }

#endif
