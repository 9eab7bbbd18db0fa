#include "driver_private.hpp"

#include "driver.hpp"

#define SIM_PRIVATE extern "C" __attribute__((visibility("default")))

using namespace sim;

SIM_PRIVATE int tacasim_readable(uint64_t at, uint64_t bytes) {
    if (!executing) return 0;
    const Memory& memory = executing->device->memory;
    return driver().settings.check ? memory.initialised(at, bytes) : memory.holds(at, bytes);
}

SIM_PRIVATE int tacasim_writable(uint64_t at, uint64_t bytes) {
    if (!executing || !executing->device->memory.holds(at, bytes)) return 0;
    executing->device->memory.wrote(at, bytes);
    return 1;
}

SIM_PRIVATE void tacasim_product(double flops) {
    driver().totals.products++;
    driver().totals.productFlops += flops;
}

// It throws through the host function, which knows no other way to fail.
SIM_PRIVATE void tacasim_break(const char* why) { throw Fault(why); }

SIM_PRIVATE int tacasim_capability() { return driver().settings.capability; }
