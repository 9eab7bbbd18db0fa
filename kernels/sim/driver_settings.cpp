#include "driver_settings.hpp"

#include <cstdlib>
#include <cstring>
#include <sstream>

namespace sim {
namespace {

// An empty variable is as good as none.
const char* setting(const char* name) {
    const char* value = getenv(name);
    return value && *value ? value : nullptr;
}

void read(int& to, const char* name) {
    if (const char* value = setting(name)) to = atoi(value);
}

void read(std::string& to, const char* name) {
    if (const char* value = setting(name)) to = value;
}

// readBytes reads "600M", "8G" or a number.
void readBytes(uint64_t& to, const char* name) {
    const char* value = setting(name);
    if (!value) return;
    char* unit = nullptr;
    const double n = strtod(value, &unit);
    const char* units = "KMGT";
    const char* found = *unit ? strchr(units, *unit) : nullptr;
    to = uint64_t(n * double(found ? 1ull << (10 * (found - units + 1)) : 1));
}

// Figures of the cards by NVIDIA's tables of compute capabilities.
const Card cards[] = {
    {75, 40, 64 << 10, 64 << 10, 1024, 16},
    {80, 108, 163 << 10, 164 << 10, 2048, 32},
    {86, 82, 99 << 10, 100 << 10, 1536, 16},
    {89, 128, 99 << 10, 100 << 10, 1536, 24},
    {90, 132, 227 << 10, 228 << 10, 2048, 32},
    {100, 148, 227 << 10, 228 << 10, 2048, 32},
    {120, 170, 99 << 10, 100 << 10, 1536, 24},
};

}  // namespace

Settings::Settings() {
    read(capability, "TACASIM_CAPABILITY");
    read(version, "TACASIM_DRIVER");
    read(devices, "TACASIM_DEVICES");
    read(init, "TACASIM_INIT");
    readBytes(memory, "TACASIM_MEMORY");
    read(leaks, "TACASIM_LEAKS");
    read(stats, "TACASIM_STATS");
    read(ptx, "TACASIM_PTX");
    if (const char* value = setting("TACASIM_SEED")) seed = strtoull(value, nullptr, 10);
    if (const char* value = setting("TACASIM_CHECK")) check = strcmp(value, "0") != 0;
    std::string all;
    read(all, "TACASIM_FAIL");
    std::istringstream list(all);
    for (std::string one; std::getline(list, one, ',');) {
        const size_t colon = one.find(':');
        if (colon != std::string::npos) failures[one.substr(0, colon)] = strtoull(one.c_str() + colon + 1, nullptr, 10);
    }
}

const Card& card(int capability) {
    const Card* best = &cards[0];
    for (const Card& c : cards)
        if (c.capability <= capability) best = &c;
    return *best;
}

}  // namespace sim
