// Counters of one or several launches: what was executed and how well memory
// was used, against the least that the same bytes would have needed.
#pragma once

#include <cstdint>
#include <string>

namespace sim {

// Traffic compares what was needed with the ideal for the same bytes.
struct Traffic {
    uint64_t actual = 0, ideal = 0;
};

struct Counters {
    uint64_t launches = 0, blocks = 0;
    uint64_t instructions = 0;  // issued by warps
    uint64_t divergent = 0;     // of these, issued while lanes of the warp were elsewhere
    uint64_t mma = 0, barriers = 0, copyGroups = 0;
    // Wavefronts of shared memory: passes over its 32 banks.
    Traffic sharedMatrix, sharedLoad, sharedStore, sharedCopy;
    // Sectors of 32 bytes of global memory. Copy is cp.async.
    Traffic globalLoad, globalStore, globalCopy;

    void add(const Counters& other);
    std::string json() const;
};

// wavefronts returns the passes that shared memory needs for the active lanes
// of a warp to reach bytes at offsets at: up to 128 bytes a pass, one word a
// bank; lanes with the same word share it.
uint32_t wavefronts(const uint32_t at[32], uint32_t active, uint32_t bytes);

// sectors returns the number of different 32-byte sectors of global memory
// that the active lanes touch; an aligned access of at most 16 bytes lies in one.
uint32_t sectors(const uint64_t at[32], uint32_t active);

}  // namespace sim
