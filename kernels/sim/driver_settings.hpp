// Settings are what the environment asks of the simulated driver.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace sim {

struct Settings {
    int capability = 80;         // TACASIM_CAPABILITY
    int version = 12090;         // TACASIM_DRIVER
    int devices = 1;             // TACASIM_DEVICES
    int init = 0;                // TACASIM_INIT: what cuInit answers
    uint64_t memory = 8ull << 30;  // TACASIM_MEMORY: of each device
    uint64_t seed = 0;           // TACASIM_SEED
    bool check = true;           // TACASIM_CHECK=0 is faster, and sees less
    std::string leaks, stats;    // TACASIM_LEAKS, TACASIM_STATS: files
    std::string ptx;             // TACASIM_PTX: a file to load instead of every module
    std::map<std::string, uint64_t> failures;  // TACASIM_FAIL: kind of call, and which

    Settings();
};

// Card is what differs between capabilities.
struct Card {
    int capability;
    int processors, sharedOptIn, sharedPerProcessor, threadsPerProcessor, blocksPerProcessor;
};

// card returns the one with the capability, or one that resembles it.
const Card& card(int capability);

}  // namespace sim
