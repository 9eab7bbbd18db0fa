// Fault is what a kernel that breaks the rules of PTX ends with.
#pragma once

#include <stdexcept>

namespace sim {

// Fault says what was done wrongly and where: kernel, PTX line, instruction,
// block, warp and lane.
struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace sim
