#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace sim {

Shadow::Shadow(uint64_t bytes) : bytes_(std::max<uint64_t>(bytes, 1)) {
    void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<uint8_t*>(at);
}

Shadow::~Shadow() { munmap(data_, bytes_); }

Allocation::Allocation(uint64_t base, uint64_t bytes) : base(base), size(bytes), origin_(base & ~15ull), bits_((bytes + 15) / 8 + 2) {}

void Allocation::wrote(uint64_t at, uint64_t bytes) {
    uint64_t bit = at - origin_;
    const uint64_t end = bit + bytes;
    for (; bit < end && bit % 8; bit++) orBits(bits_.data() + bit / 8, uint8_t(1u << (bit & 7)));
    if (end > bit) std::fill(bits_.data() + bit / 8, bits_.data() + end / 8, uint8_t(0xff));
    for (bit = std::max(bit, end / 8 * 8); bit < end; bit++) orBits(bits_.data() + bit / 8, uint8_t(1u << (bit & 7)));
}

bool Allocation::initialised(uint64_t at, uint64_t bytes) const {
    for (uint64_t bit = at - origin_, end = bit + bytes; bit < end;) {
        const uint8_t byte = bits_.data()[bit / 8];
        if (bit % 8 == 0 && end - bit >= 8) {
            if (byte != 0xff) return false;
            bit += 8;
            continue;
        }
        if (!(byte >> (bit & 7) & 1)) return false;
        bit++;
    }
    return true;
}

void Memory::add(uint64_t base, uint64_t bytes) {
    auto allocation = std::make_shared<Allocation>(base, bytes);
    std::lock_guard<std::mutex> lock(mutex_);
    allocations_[base] = std::move(allocation);
}

bool Memory::remove(uint64_t base) {
    std::lock_guard<std::mutex> lock(mutex_);
    return allocations_.erase(base) > 0;
}

std::shared_ptr<Allocation> Memory::at(uint64_t address, uint64_t bytes) const {
    std::lock_guard<std::mutex> lock(mutex_);
    auto next = allocations_.upper_bound(address);
    if (next == allocations_.begin()) return nullptr;
    auto found = std::prev(next)->second;
    return found->holds(address, bytes) ? found : nullptr;
}

bool Memory::holds(uint64_t address, uint64_t bytes) const { return at(address, bytes) != nullptr; }

void Memory::wrote(uint64_t address, uint64_t bytes) {
    if (auto found = at(address, bytes)) found->wrote(address, bytes);
}

bool Memory::initialised(uint64_t address, uint64_t bytes) const {
    auto found = at(address, bytes);
    return found && found->initialised(address, bytes);
}

std::vector<std::shared_ptr<Allocation>> Memory::all() const {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::shared_ptr<Allocation>> list;
    for (auto& each : allocations_) list.push_back(each.second);
    return list;
}

}  // namespace sim
