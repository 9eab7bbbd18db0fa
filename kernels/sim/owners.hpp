// Which block touched which bytes of global memory during one launch. Blocks
// run in any order, so none may read or write what another writes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "memory.hpp"

namespace sim {

// Range is an allocation with a word for every granule: 0, a writer or readers.
struct Range {
    std::shared_ptr<Allocation> allocation;
    uint32_t* words;
};

class Owners {
public:
    // granule is the kernel's smallest access, a power of two.
    Owners(const Memory& memory, uint32_t granule, bool check);

    // find returns the number of the range that holds the bytes, or ~0u.
    uint32_t find(uint64_t at, uint64_t bytes) const;
    const Range& range(uint32_t number) const { return ranges_[number]; }

    // read and write say whether block may do so after what others have done.
    bool read(const Range& range, uint64_t at, uint32_t bytes, uint32_t block) const;
    bool write(const Range& range, uint64_t at, uint32_t bytes, uint32_t block) const;

private:
    uint32_t shift_ = 0;
    std::unique_ptr<Shadow> words_;  // of all ranges: to map one is quicker than many
    std::vector<Range> ranges_;
};

}  // namespace sim
