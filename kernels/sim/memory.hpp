// Device memory as the interpreter sees it: which addresses may be used, which
// bytes of them were ever written. Device addresses are host addresses.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace sim {

// Shadow is host memory that begins as zeros and costs nothing until touched.
class Shadow {
public:
    explicit Shadow(uint64_t bytes);
    ~Shadow();
    Shadow(const Shadow&) = delete;
    Shadow& operator=(const Shadow&) = delete;
    uint8_t* data() const { return data_; }

private:
    uint8_t* data_;
    uint64_t bytes_;
};

// Allocation is one range of device memory with a bit for every byte that was
// written. Threads may mark and read bits at once.
class Allocation {
public:
    Allocation(uint64_t base, uint64_t bytes);
    bool holds(uint64_t at, uint64_t bytes) const { return at - base < size && bytes <= size - (at - base); }
    void wrote(uint64_t at, uint64_t bytes);
    bool initialised(uint64_t at, uint64_t bytes) const;

    // The same for an access of 1, 2, 4, 8 or 16 bytes, aligned to its size;
    // the interpreter's hot path.
    void wroteAligned(uint64_t at, uint32_t bytes) {
        const uint64_t bit = at - origin_;
        if (bytes == 16) return orBits(reinterpret_cast<uint16_t*>(bits_.data()) + bit / 16, uint16_t(0xffff));
        orBits(bits_.data() + bit / 8, uint8_t(((1u << bytes) - 1) << (bit & 7)));
    }
    bool initialisedAligned(uint64_t at, uint32_t bytes) const {
        const uint64_t bit = at - origin_;
        if (bytes == 16) return reinterpret_cast<const uint16_t*>(bits_.data())[bit / 16] == 0xffff;
        const uint32_t want = (1u << bytes) - 1;
        return (uint32_t(bits_.data()[bit / 8]) >> (bit & 7) & want) == want;
    }

    const uint64_t base, size;

private:
    // Neighbouring bits may belong to another block's bytes, hence atomically;
    // most stores are to bytes long written, hence the look first.
    template <class Word>
    static void orBits(Word* at, Word bits) {
        if ((__atomic_load_n(at, __ATOMIC_RELAXED) & bits) != bits) __atomic_fetch_or(at, bits, __ATOMIC_RELAXED);
    }
    uint64_t origin_;  // base rounded down, so that aligned accesses do not cross words of bits
    Shadow bits_;
};

// Memory is all allocations of a device.
class Memory {
public:
    void add(uint64_t base, uint64_t bytes);
    bool remove(uint64_t base);  // false: nothing was allocated there
    bool holds(uint64_t at, uint64_t bytes) const;
    void wrote(uint64_t at, uint64_t bytes);
    bool initialised(uint64_t at, uint64_t bytes) const;

    // all returns the allocations in ascending order, for a launch to look
    // addresses up in without a lock.
    std::vector<std::shared_ptr<Allocation>> all() const;

private:
    std::shared_ptr<Allocation> at(uint64_t address, uint64_t bytes) const;
    mutable std::mutex mutex_;
    std::map<uint64_t, std::shared_ptr<Allocation>> allocations_;
};

}  // namespace sim
