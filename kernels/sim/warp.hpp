// The state of a running kernel: the grid that all blocks share, a block with
// its shared memory, its warps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interpreter.hpp"
#include "owners.hpp"
#include "shared.hpp"

namespace sim {

// Generic addresses of shared memory and of parameters begin here, far from
// any address of the host.
constexpr uint64_t sharedWindow = 1ull << 56, parameterWindow = 1ull << 57;

struct Grid {
    const Kernel& kernel;
    const Launch& launch;
    const uint8_t* params;
    Owners owners;
    uint32_t threads, sharedBytes;
};

struct Block;

// Copy is one lane's cp.async on its way.
struct Copy {
    uint64_t from;
    uint32_t to, bytes, sourceBytes, lane, group;
};

struct Warp {
    uint8_t* file = nullptr;  // registers
    Block* block = nullptr;
    uint32_t id = 0;
    uint32_t present = 0;  // lanes that exist
    uint32_t alive = 0;    // and have not ended
    uint32_t blocked = 0;  // wait at a collective instruction for others
    uint32_t at[32] = {};  // next instruction of each lane
    bool atBarrier = false;
    uint32_t sync = 0;   // counts bar.warp.sync
    uint32_t group = 0;  // of cp.async, the one that is open
    uint64_t jumps = 0;  // taken branches, to notice what never ends
    std::vector<Copy> copies;

    uint32_t* words(const Operand& o) const { return reinterpret_cast<uint32_t*>(file + o.at); }
    uint64_t* longs(const Operand& o) const { return reinterpret_cast<uint64_t*>(file + o.at); }
    uint32_t& mask(const Operand& o) const { return *words(o); }
    uint64_t value(const Operand& o, int lane) const {
        return o.cell == 8 ? longs(o)[lane] : o.cell == 4 ? words(o)[lane] : mask(o) >> lane & 1;
    }
    void set(const Operand& o, int lane, uint64_t v) const {
        if (o.cell == 8) longs(o)[lane] = v;
        else words(o)[lane] = uint32_t(v);
    }
};

struct Block {
    explicit Block(Grid& grid);
    void run(uint64_t number);  // one block of the grid after the other

    Grid& grid;
    uint64_t number = 0;
    uint32_t index[3] = {};
    Shared shared;
    Counters counters;
    std::vector<Warp> warps;
    std::vector<uint32_t> hints;  // per instruction: the allocation it last touched

private:
    void fill(Warp& w);
    void begin();
    void release();
    std::vector<uint8_t> files_;
};

// runWarp goes on until the warp ends or waits at a barrier.
void runWarp(Warp& w);

// complete carries out the copies of all but the newest open groups.
void complete(Warp& w, uint32_t open);

[[noreturn]] void fail(const Warp& w, const Instruction& i, int lane, const std::string& what);

// each calls f for the active lanes. A register is either the same as or apart
// from every other, so whole warps may be taken several lanes at a time.
template <class F>
inline void each(uint32_t active, F f) {
    if (active == ~0u) {
#pragma GCC ivdep
        for (int lane = 0; lane < 32; lane++) f(lane);
        return;
    }
    for (; active; active &= active - 1) f(__builtin_ctz(active));
}

}  // namespace sim
