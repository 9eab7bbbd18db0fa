// AMX tile registers: eight, of 16 rows of 64 bytes. A row holds 16 floats, or
// 16 pairs of bfloat16.
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

INLINE void tiles_end(void) { _tile_release(); }

#endif
