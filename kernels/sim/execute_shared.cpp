// Shared memory: loads, stores, cp.async and ldmatrix.
#include "value.hpp"

namespace sim {
namespace {

[[noreturn]] void failBounds(Warp& w, const Instruction& i, uint32_t active, const uint64_t from[32], uint32_t bytes) {
    const uint32_t size = w.block->shared.bytes();
    for (uint32_t m = active;; m &= m - 1) {
        const int l = __builtin_ctz(m);
        if (from[l] & (bytes - 1)) fail(w, i, l, "misaligned shared access at offset " + std::to_string(from[l]));
        if (from[l] > size || bytes > size - from[l])
            fail(w, i, l, "shared access out of bounds at offset " + std::to_string(from[l]) + " of " + std::to_string(size));
    }
}

// checkBounds narrows addresses to offsets in the block's shared memory.
void checkBounds(Warp& w, const Instruction& i, uint32_t active, const uint64_t from[32], uint32_t bytes, uint32_t at[32]) {
    const uint32_t size = w.block->shared.bytes();
    const uint64_t beyond = size < bytes ? 0 : uint64_t(size) - bytes + 1, unaligned = bytes - 1;
    uint32_t wrong = 0;
    for (uint32_t l = 0; l < 32; l++) {
        at[l] = uint32_t(from[l]);
        wrong |= uint32_t((from[l] >= beyond) | ((from[l] & unaligned) != 0)) << l;
    }
    if (wrong & active) failBounds(w, i, wrong & active, from, bytes);
}

// offsets are of all lanes, the inactive ones too: no time is saved without them.
void offsets(Warp& w, const Operand& base, int64_t offset, uint64_t at[32]) {
    if (base.cell == 8) each(~0u, [=, from = w.longs(base)](int l) { at[l] = from[l] + uint64_t(offset); });
    else each(~0u, [=, from = w.words(base)](int l) { at[l] = uint32_t(from[l] + uint32_t(offset)); });
}

void count(Traffic& t, const uint32_t at[32], uint32_t active, uint32_t bytes) {
    t.actual += wavefronts(at, active, bytes);
    t.ideal += (uint32_t(__builtin_popcount(active)) * bytes + 127) / 128;
}

}  // namespace

void sharedLoad(Warp& w, const Instruction& i, uint32_t active, const uint64_t from[32]) {
    const uint32_t bytes = uint32_t(i.bytes) * i.vector;
    uint32_t at[32];
    checkBounds(w, i, active, from, bytes, at);
    Shared& shared = w.block->shared;
    Who who = {w.id, w.sync, 0};
    if (const char* wrong = shared.readLanes(at, active, bytes, who)) fail(w, i, int(who.lane), wrong);
    const uint8_t* bytesOf[32];
    for (int l = 0; l < 32; l++) bytesOf[l] = shared.data() + at[l];
    loadElements(w, i, active, bytesOf);
    count(w.block->counters.sharedLoad, at, active, bytes);
}

void sharedStore(Warp& w, const Instruction& i, uint32_t active, const uint64_t from[32]) {
    const uint32_t bytes = uint32_t(i.bytes) * i.vector;
    uint32_t at[32];
    checkBounds(w, i, active, from, bytes, at);
    Shared& shared = w.block->shared;
    for (uint32_t m = active; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        if (const char* wrong = shared.write(at[l], bytes, {w.id, w.sync, uint32_t(l)})) fail(w, i, l, wrong);
    }
    uint8_t* bytesOf[32];
    for (int l = 0; l < 32; l++) bytesOf[l] = shared.data() + at[l];
    storeElements(w, i, active, bytesOf);
    count(w.block->counters.sharedStore, at, active, bytes);
}

void loadShared(Warp& w, const Instruction& i, uint32_t active) {
    uint64_t at[32];
    offsets(w, i.s[0], i.offset, at);
    sharedLoad(w, i, active, at);
}

void storeShared(Warp& w, const Instruction& i, uint32_t active) {
    uint64_t at[32];
    offsets(w, i.s[i.vector], i.offset, at);
    sharedStore(w, i, active, at);
}

// copyAsync begins a copy that complete() carries out at the latest moment
// that cp.async.wait_group allows. Until then the bytes are not to be touched.
void copyAsync(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t bytes = i.bytes;
    uint64_t wide[32], from[32];
    uint32_t at[32], reads = 0;
    offsets(w, i.s[0], i.offset, wide);
    offsets(w, i.s[1], i.offset2, from);
    checkBounds(w, i, active, wide, bytes, at);
    Shared& shared = w.block->shared;
    for (uint32_t m = active; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        const uint32_t source = i.inputs > 2 ? uint32_t(w.value(i.s[2], l)) : bytes;
        if (source > bytes) fail(w, i, l, "cp.async with a source larger than its destination");
        if (from[l] % bytes) fail(w, i, l, "misaligned global address of cp.async");
        if (source) {
            // Part of a copy is read in pieces: the rest need not exist.
            const uint32_t piece = source == bytes ? bytes : source % 4 ? 1 : 4;
            for (uint32_t n = 0; n < source; n += piece) checkGlobalCopy(w, i, l, from[l] + n, piece);
            reads |= 1u << l;
        }
        if (const char* wrong = shared.copyBegin(at[l], bytes, {w.id, w.sync, uint32_t(l)})) fail(w, i, l, wrong);
        w.copies.push_back({from[l], at[l], bytes, source, uint32_t(l), w.group});
    }
    Counters& counters = w.block->counters;
    count(counters.sharedCopy, at, active, bytes);
    counters.globalCopy.actual += sectors(from, reads);
    counters.globalCopy.ideal += (uint32_t(__builtin_popcount(reads)) * bytes + 31) / 32;
}

void copyCommit(Warp& w, const Instruction&, uint32_t) {
    w.group++;
    w.block->counters.copyGroups++;
}

// copyWait leaves the newest offset groups open; mode 1 is wait_all, which
// also waits for what was never committed.
void copyWait(Warp& w, const Instruction& i, uint32_t) {
    if (i.mode) w.group++;
    complete(w, uint32_t(i.offset));
}

namespace {

using Shorts = uint16_t __attribute__((vector_size(64)));

// transposed8 turns an 8 × 8 matrix of 16-bit numbers around.
void transposed8(const uint8_t* from, uint32_t* to) {
    Shorts low, high;
    std::memcpy(&low, from, 64);
    std::memcpy(&high, from + 64, 64);
    // Place 8·c + r of the result is place 8·r + c of the source.
    const Shorts first = {0,  8,  16, 24, 32, 40, 48, 56, 1,  9,  17, 25, 33, 41, 49, 57,
                          2,  10, 18, 26, 34, 42, 50, 58, 3,  11, 19, 27, 35, 43, 51, 59};
    const Shorts second = first + 4;
    const Shorts top = __builtin_shuffle(low, high, first), bottom = __builtin_shuffle(low, high, second);
    std::memcpy(to, &top, 64);
    std::memcpy(to + 16, &bottom, 64);
}

}  // namespace

// loadMatrix fetches 8 × 8 matrices whose rows are 16 bytes; lane 8·n + r
// gives the address of row r of matrix n. Lane l receives the two elements at
// 2·l of the row-major matrix, or of its transpose.
void loadMatrix(Warp& w, const Instruction& i, uint32_t) {
    uint64_t wide[32];
    uint32_t at[32];
    const int rows = 8 * i.vector;
    const uint32_t lanes = rows == 32 ? ~0u : (1u << rows) - 1;
    offsets(w, i.s[0], i.offset, wide);
    checkBounds(w, i, lanes, wide, 16, at);
    Shared& shared = w.block->shared;
    for (int l = 0; l < rows; l++)
        if (const char* wrong = shared.read(at[l], 16, {w.id, w.sync, Shared::collective})) fail(w, i, l, wrong);
    Traffic& traffic = w.block->counters.sharedMatrix;
    for (int n = 0; n < i.vector; n++) {
        alignas(64) uint8_t matrix[128];
        uint32_t used = 0;
        for (int r = 0; r < 8; r++) {
            std::memcpy(matrix + 16 * r, shared.data() + at[8 * n + r], 16);
            used |= 1u << (at[8 * n + r] >> 4 & 7);
        }
        traffic.ideal++;
        traffic.actual += used == 0xff ? 1 : wavefronts(at, 0xffu << (8 * n), 16);
        if (i.transposed) transposed8(matrix, w.words(i.d[n]));
        else std::memcpy(w.words(i.d[n]), matrix, 128);
    }
}

}  // namespace sim
