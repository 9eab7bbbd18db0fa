// The interpreter runs PTX kernels on the host, one warp of 32 lanes at a
// time, and stops with a Fault where a kernel does what a GPU leaves undefined:
// reads outside its memory, races, misaligned or uninitialised reads, warp
// collectives with lanes missing. It also counts what a GPU's time goes into.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "counters.hpp"
#include "fault.hpp"
#include "memory.hpp"
#include "ptx.hpp"

namespace sim {

// Launch is the geometry of one launch. seed orders blocks and warps, so that
// several seeds try several schedules; check turns races, uninitialised reads
// and conflicts between blocks into Faults (bounds are always checked).
struct Launch {
    uint32_t grid[3] = {1, 1, 1};
    uint32_t block[3] = {1, 1, 1};
    uint32_t dynamicShared = 0;
    uint64_t seed = 1;
    bool check = true;
};

// parse reads the text of a PTX module; whatever the interpreter cannot run is
// a Fault that names the line.
std::shared_ptr<const Module> parse(const std::string& ptx);

// find returns the kernel of that name, or null. It lives as long as the module.
const Kernel* find(const Module& module, const std::string& name);

// run executes every block of the grid and adds to counters what was done.
// params holds kernel.parameterBytes bytes. Blocks are spread over as many
// host threads as TACASIM_THREADS says, else as the host has cores.
void run(const Kernel& kernel, Memory& memory, const uint8_t* params, const Launch& launch, Counters& counters);

}  // namespace sim
