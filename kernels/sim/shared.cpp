#include "shared.hpp"

namespace sim {

void Shared::reset(uint32_t bytes, uint32_t granule, bool check) {
    check_ = check;
    size_ = bytes;
    shift_ = uint32_t(__builtin_ctz(granule));
    epoch_ = 1;
    // A not-a-number that is easy to recognise, as float and as bfloat16.
    bytes_.resize(bytes + 16);
    for (uint32_t i = 0; i < bytes + 16; i++) bytes_[i] = i & 1 ? 0x7f : 0xc1;
    if (!check) return;
    const size_t granules = (bytes >> shift_) + 16;
    written_.assign(granules, never);
    writers_.assign(granules, 0);
    reads_.assign(granules, 0);
}

const char* Shared::judgeRead(uint32_t g, Who who) const {
    if (written_[g] == pending) return "shared read of bytes with a cp.async in flight";
    if (written_[g] == never) return "shared read of uninitialised bytes";
    const uint32_t by = writers_[g];
    if ((by >> 8 & 0xff) != who.warp) return "race: shared read of what another warp wrote, without a barrier";
    if ((by & 0xff) == who.lane || by >> 16 != (who.sync & 0xffff)) return nullptr;
    return "race: shared read of what another lane wrote, without bar.warp.sync";
}

const char* Shared::judgeWrite(uint32_t g, Who who) const {
    if (written_[g] == pending) return "race: shared write over bytes with a cp.async in flight";
    const uint64_t read = reads_[g];
    if (read >> 32 == epoch_) {
        const uint32_t lane = read & 0xff;
        if ((read >> 8 & 0xff) != who.warp) return "race: shared write of what another warp reads, without a barrier";
        if (lane != collective && lane != who.lane && (read >> 16 & 0xffff) == (who.sync & 0xffff))
            return "race: shared write of what another lane reads, without bar.warp.sync";
    }
    if (written_[g] != epoch_) return nullptr;
    const uint32_t by = writers_[g];
    if ((by >> 8 & 0xff) != who.warp) return "race: two warps write the same shared bytes, without a barrier";
    if ((by & 0xff) == who.lane || by >> 16 != (who.sync & 0xffff)) return nullptr;
    return "race: two lanes write the same shared bytes, without bar.warp.sync";
}

const char* Shared::readLanes(const uint32_t at[32], uint32_t active, uint32_t bytes, Who& who) {
    if (!check_) return nullptr;
    const uint32_t shift = shift_, epoch = epoch_, granules = bytes >> shift;
    const uint32_t* written = written_.data();
    uint64_t* reads = reads_.data();
    who.lane = 0;
    const uint64_t first = stamp(who);
    uint32_t last = ~0u;  // the granule that stamped is of: lanes often share one
    uint64_t stamped = 0;
    for (uint32_t m = active; m; m &= m - 1) {
        const uint32_t lane = uint32_t(__builtin_ctz(m)), begin = at[lane] >> shift;
        for (uint32_t g = begin; g < begin + granules; g++) {
            if (__builtin_expect(written[g] >= epoch, false)) {
                who.lane = lane;
                if (const char* wrong = judgeRead(g, who)) return wrong;
            }
            if (g != last) stamped = reads[g];
            last = g;
            reads[g] = stamped = after(stamped, first | lane, epoch);
        }
    }
    return nullptr;
}

const char* Shared::change(uint32_t at, uint32_t bytes, Who who, uint32_t state) {
    if (!check_) return nullptr;
    const uint32_t by = (who.sync & 0xffff) << 16 | who.warp << 8 | who.lane;
    for (uint32_t g = at >> shift_, end = (at + bytes) >> shift_; g < end; g++) {
        if (written_[g] == epoch_ || written_[g] == pending || reads_[g] >> 32 == epoch_)
            if (const char* wrong = judgeWrite(g, who)) return wrong;
        written_[g] = state;
        writers_[g] = by;
    }
    return nullptr;
}

void Shared::copyEnd(uint32_t at, uint32_t bytes, Who who) {
    if (!check_) return;
    const uint32_t by = (who.sync & 0xffff) << 16 | who.warp << 8 | who.lane;
    for (uint32_t g = at >> shift_, end = (at + bytes) >> shift_; g < end; g++) {
        written_[g] = epoch_;
        writers_[g] = by;
    }
}

}  // namespace sim
