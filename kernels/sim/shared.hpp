// The shared memory of a block and what is known about every granule of it:
// whether it was written, by whom, who read it since, and when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim {

// Who is a lane of a warp between two of the warp's bar.warp.sync.
struct Who {
    uint32_t warp, sync, lane;
};

class Shared {
public:
    // lane of an access by all lanes together (ldmatrix), which needs no
    // ordering against later accesses of its own warp.
    static constexpr uint32_t collective = 0xff;

    // reset makes all bytes uninitialised. granule is the smallest access of
    // the kernel, at most 4 bytes.
    void reset(uint32_t bytes, uint32_t granule, bool check);
    uint32_t bytes() const { return size_; }
    uint8_t* data() { return bytes_.data(); }

    // release begins a new epoch: all warps met at a barrier.
    void release() { epoch_++; }

    // read, write and copyBegin note an access of bytes at at, which lie in
    // bounds. The result is null, or what is wrong with it.
    const char* read(uint32_t at, uint32_t bytes, Who who) {
        if (!check_) return nullptr;
        const uint64_t now = stamp(who);
        for (uint32_t g = at >> shift_, end = (at + bytes) >> shift_; g < end; g++) {
            if (written_[g] >= epoch_)
                if (const char* wrong = judgeRead(g, who)) return wrong;
            reads_[g] = after(reads_[g], now, epoch_);
        }
        return nullptr;
    }

    // readLanes is read of the active lanes of a warp; who tells which of them
    // went wrong.
    const char* readLanes(const uint32_t at[32], uint32_t active, uint32_t bytes, Who& who);
    const char* write(uint32_t at, uint32_t bytes, Who who) { return change(at, bytes, who, epoch_); }
    const char* copyBegin(uint32_t at, uint32_t bytes, Who who) { return change(at, bytes, who, pending); }

    // copyEnd: the bytes of a copy have arrived, as if who had written them now.
    void copyEnd(uint32_t at, uint32_t bytes, Who who);

private:
    // States of written_ beyond every epoch.
    static constexpr uint32_t never = 0xffffffffu, pending = 0xfffffffeu;
    static constexpr uint32_t several = 0xfe;  // lanes, or warps

    uint64_t stamp(Who w) const {
        return uint64_t(epoch_) << 32 | (w.sync & 0xffff) << 16 | w.warp << 8 | w.lane;
    }
    // after is the stamp of two reads: enough of them is kept to say whether a
    // later write in the same epoch is ordered after both.
    static uint64_t after(uint64_t old, uint64_t now, uint32_t epoch) {
        const uint64_t warpMask = 0xff00, laneMask = 0xff;
        if (old >> 32 != epoch || old == now) return now;
        if ((old ^ now) & warpMask) return (now & ~warpMask) | several << 8;
        if ((old ^ now) >> 16) return now;  // the older read lies before a bar.warp.sync
        if ((old & laneMask) == collective) return now;
        if ((now & laneMask) == collective) return old;
        return (now & ~laneMask) | several;
    }
    const char* judgeRead(uint32_t g, Who who) const;
    const char* judgeWrite(uint32_t g, Who who) const;
    const char* change(uint32_t at, uint32_t bytes, Who who, uint32_t state);

    bool check_ = false;
    uint32_t size_ = 0, shift_ = 2, epoch_ = 1;
    std::vector<uint8_t> bytes_;
    std::vector<uint32_t> written_;  // epoch of the last write, or a state
    std::vector<uint32_t> writers_;  // sync, warp, lane of it
    std::vector<uint64_t> reads_;    // stamp of the reads since
};

}  // namespace sim
