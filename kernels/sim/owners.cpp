#include "owners.hpp"

#include <algorithm>

namespace sim {
namespace {

constexpr uint32_t reader = 0x80000000u, readers = ~0u;

uint32_t* wordOf(const Range& range, uint64_t at, uint32_t shift) {
    return range.words + ((at >> shift) - (range.allocation->base >> shift));
}

}  // namespace

Owners::Owners(const Memory& memory, uint32_t granule, bool check) : shift_(uint32_t(__builtin_ctz(granule))) {
    uint64_t words = 0;
    auto wordsOf = [this](const Allocation& a) { return (a.size >> shift_) + 2; };
    for (auto& allocation : memory.all()) {
        words += wordsOf(*allocation);
        ranges_.push_back({allocation, nullptr});
    }
    if (!check) return;
    words_ = std::make_unique<Shadow>(words * 4);
    auto* next = reinterpret_cast<uint32_t*>(words_->data());
    for (Range& range : ranges_) {
        range.words = next;
        next += wordsOf(*range.allocation);
    }
}

uint32_t Owners::find(uint64_t at, uint64_t bytes) const {
    auto next = std::upper_bound(ranges_.begin(), ranges_.end(), at,
                                 [](uint64_t a, const Range& r) { return a < r.allocation->base; });
    if (next == ranges_.begin() || !std::prev(next)->allocation->holds(at, bytes)) return ~0u;
    return uint32_t(next - ranges_.begin()) - 1;
}

// Words change only by comparing first: two blocks that run at once may come to
// the same word, and neither's mark is to be lost.
bool Owners::read(const Range& range, uint64_t at, uint32_t bytes, uint32_t block) const {
    uint32_t* word = wordOf(range, at, shift_);
    for (uint32_t* end = word + (bytes >> shift_); word < end; word++) {
        uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED), now;
        do {
            if (old == block + 1 || old == (reader | (block + 1)) || old == readers) break;
            if (old && !(old & reader)) return false;
            now = old ? readers : reader | (block + 1);
        } while (!__atomic_compare_exchange_n(word, &old, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    }
    return true;
}

bool Owners::write(const Range& range, uint64_t at, uint32_t bytes, uint32_t block) const {
    uint32_t* word = wordOf(range, at, shift_);
    for (uint32_t* end = word + (bytes >> shift_); word < end; word++) {
        uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
        do {
            if (old == block + 1) break;
            if (old && old != (reader | (block + 1))) return false;
        } while (!__atomic_compare_exchange_n(word, &old, block + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    }
    return true;
}

}  // namespace sim
