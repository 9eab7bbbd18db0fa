// Launches: blocks over host threads, warps of a block in turns, lanes of a
// warp by the lowest instruction, so that those which parted meet again.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "warp.hpp"

namespace sim {
namespace {

// A warp that jumps more often than this is taken for endless.
constexpr uint64_t mostJumps = 1ull << 32;

uint64_t specialValue(const Block& b, const Warp& w, int lane, Special what) {
    const uint32_t *n = b.grid.launch.block, *g = b.grid.launch.grid;
    const uint32_t thread = w.id * 32 + uint32_t(lane);
    switch (what) {
    case Special::tidX: return thread % n[0];
    case Special::tidY: return thread / n[0] % n[1];
    case Special::tidZ: return thread / n[0] / n[1];
    case Special::ntidX: return n[0];
    case Special::ntidY: return n[1];
    case Special::ntidZ: return n[2];
    case Special::ctaidX: return b.index[0];
    case Special::ctaidY: return b.index[1];
    case Special::ctaidZ: return b.index[2];
    case Special::nctaidX: return g[0];
    case Special::nctaidY: return g[1];
    case Special::nctaidZ: return g[2];
    case Special::lane: return uint32_t(lane);
    case Special::warp: return w.id;
    case Special::warps: return b.warps.size();
    case Special::maskEq: return 1u << lane;
    case Special::maskLt: return (1u << lane) - 1;
    case Special::maskLe: return (2u << lane) - 1;
    case Special::maskGt: return ~((2u << lane) - 1);
    case Special::maskGe: return ~((1u << lane) - 1);
    case Special::dynamicShared: return b.grid.launch.dynamicShared;
    case Special::totalShared: return b.grid.sharedBytes;
    }
    return 0;
}

// ofBlock says whether a special register differs between blocks.
bool ofBlock(Special what) { return what == Special::ctaidX || what == Special::ctaidY || what == Special::ctaidZ; }

// lowest returns the lanes that go on next: those with the lowest instruction
// among the ones that do not wait, and whoever waits there.
uint32_t lowest(Warp& w) {
    const uint32_t ready = w.alive & ~w.blocked;
    uint32_t pc = ~0u, group = 0;
    for (uint32_t l = 0; l < 32; l++) pc = std::min(pc, ready >> l & 1 ? w.at[l] : ~0u);
    for (uint32_t l = 0; l < 32; l++) group |= uint32_t(w.at[l] == pc) << l;
    group &= w.alive;
    w.blocked &= ~group;
    return group;
}

// needed returns the lanes that must carry out instruction i together.
uint32_t needed(const Warp& w, const Instruction& i, uint32_t active) {
    if (i.kind == Kind::barrier) return w.present;
    if (i.kind == Kind::collective) return ~0u;
    const int lane = __builtin_ctz(active);
    const uint32_t members = uint32_t(w.value(i.s[i.inputs - 1], lane));
    if (active & ~members) fail(w, i, __builtin_ctz(active & ~members), "lane is not in its own member mask");
    return members & w.present;
}

void setAll(Warp& w, uint32_t lanes, uint32_t pc) {
    for (uint32_t l = 0; l < 32; l++) w.at[l] = lanes >> l & 1 ? pc : w.at[l];
}

// Step is what a group of lanes is to do after an instruction.
enum class Step { next, regroup, stop };

// together waits until all needed lanes are here. True: they are.
bool together(Warp& w, const Instruction& i, uint32_t lanes, uint32_t active, uint32_t pc) {
    const uint32_t need = needed(w, i, active);
    if ((active & need) == need) return true;
    setAll(w, lanes, pc);
    w.blocked |= lanes;
    if ((w.alive & ~w.blocked) == 0) {
        const bool barrier = i.kind == Kind::barrier;
        fail(w, i, __builtin_ctz(need & ~active),
             barrier ? "barrier not reached by all lanes of the warp" : "warp-collective instruction with inactive lanes");
    }
    return false;
}

Step control(Warp& w, const Instruction& i, uint32_t lanes, uint32_t active, uint32_t& pc) {
    const uint32_t rest = lanes & ~active;
    switch (i.kind) {
    case Kind::branch:
        if (active && ++w.jumps > mostJumps) fail(w, i, __builtin_ctz(active), "the warp does not end");
        if (active && rest) {
            setAll(w, active, i.target);
            setAll(w, rest, pc + 1);
            return Step::regroup;
        }
        pc = active ? i.target : pc + 1;
        return Step::next;
    case Kind::exit:
        w.alive &= ~active;
        setAll(w, rest, pc + 1);
        return w.alive ? Step::regroup : Step::stop;
    case Kind::barrier:
        if (active && !together(w, i, lanes, active, pc)) return Step::regroup;
        setAll(w, lanes, pc + 1);
        w.atBarrier = active != 0;
        return w.atBarrier ? Step::stop : Step::regroup;
    default:
        if (active && !together(w, i, lanes, active, pc)) return Step::regroup;
        if (active) i.execute(w, i, active);
        pc++;
        return Step::next;
    }
}

// runGroup runs lanes that are at the same instruction until the warp stops
// (true) or another group may be first.
bool runGroup(Warp& w, uint32_t lanes) {
    const auto& code = w.block->grid.kernel.code;
    Counters& counters = w.block->counters;
    const bool whole = lanes == w.alive;
    uint32_t pc = w.at[__builtin_ctz(lanes)], limit = ~0u;
    const uint32_t rest = w.alive & ~lanes;
    for (uint32_t l = 0; l < 32; l++) limit = std::min(limit, rest >> l & 1 && w.at[l] > pc ? w.at[l] : ~0u);
    for (;;) {
        const Instruction& i = code[pc];
        uint32_t active = lanes;
        if (i.predicated) active &= i.predicate.negated ? ~w.mask(i.predicate) : w.mask(i.predicate);
        counters.instructions++;
        counters.divergent += !whole;
        const uint32_t before = pc;
        if (i.kind == Kind::plain) {
            if (active) i.execute(w, i, active);
            pc++;
        } else {
            const Step step = control(w, i, lanes, active, pc);
            if (step != Step::next) return step == Step::stop;
        }
        if (!whole && (pc >= limit || pc != before + 1)) {
            setAll(w, lanes, pc);
            return false;
        }
    }
}

// Order is a small generator of permutations that differ by seed.
struct Order {
    uint64_t state;
    uint64_t next(uint64_t below) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return (state >> 33) % below;
    }
    template <class T>
    void shuffle(std::vector<T>& list) {
        for (size_t n = list.size(); n > 1; n--) std::swap(list[n - 1], list[next(n)]);
    }
};

}  // namespace

void fail(const Warp& w, const Instruction& i, int lane, const std::string& what) {
    const Block& b = *w.block;
    auto text = [](uint32_t n) { return std::to_string(n); };
    throw Fault(what + " [kernel " + b.grid.kernel.name + ", PTX line " + text(i.line) + ": " + i.text + ", block " +
                text(b.index[0]) + "," + text(b.index[1]) + "," + text(b.index[2]) + ", warp " + text(w.id) + ", lane " +
                text(uint32_t(lane)) + "]");
}

void runWarp(Warp& w) {
    while (w.alive)
        if (runGroup(w, lowest(w))) return;
}

void complete(Warp& w, uint32_t open) {
    const uint32_t limit = w.group > open ? w.group - open : 0;
    Shared& shared = w.block->shared;
    size_t kept = 0;
    for (const Copy& c : w.copies) {
        if (c.group >= limit) {
            w.copies[kept++] = c;
            continue;
        }
        std::memcpy(shared.data() + c.to, reinterpret_cast<const void*>(c.from), c.sourceBytes);
        std::memset(shared.data() + c.to + c.sourceBytes, 0, c.bytes - c.sourceBytes);
        shared.copyEnd(c.to, c.bytes, {w.id, w.sync, c.lane});
    }
    w.copies.resize(kept);
}

Block::Block(Grid& grid) : grid(grid) {
    const uint32_t count = (grid.threads + 31) / 32;
    warps.resize(count);
    hints.assign(grid.kernel.code.size(), ~0u);
    // Lines of 64 bytes, so that a register is a whole number of them.
    files_.resize(size_t(count) * grid.kernel.registerBytes + 64);
    uint8_t* first = files_.data() + (64 - reinterpret_cast<uintptr_t>(files_.data()) % 64) % 64;
    for (uint32_t n = 0; n < count; n++) {
        warps[n].file = first + size_t(n) * grid.kernel.registerBytes;
        warps[n].block = this;
        warps[n].id = n;
    }
    for (Warp& w : warps) fill(w);
}

// fill prepares registers for all blocks to come: those that no instruction
// writes stay as they are, and the others begin with what a block before left,
// as on the device. To fill large files anew would take longer than small
// blocks run.
void Block::fill(Warp& w) {
    std::memset(w.file, 0xdb, grid.kernel.registerBytes);
    for (const auto& c : grid.kernel.constants) {
        if (c.to.cell == 0) w.mask(c.to) = c.value & 1 ? ~0u : 0;
        else for (int lane = 0; lane < 32; lane++) w.set(c.to, lane, c.value);
    }
    for (const auto& s : grid.kernel.specials)
        for (int lane = 0; lane < 32; lane++) w.set(s.to, lane, specialValue(*this, w, lane, s.what));
}

void Block::begin() {
    shared.reset(grid.sharedBytes, grid.kernel.sharedGranule, grid.launch.check);
    for (Warp& w : warps) {
        const uint32_t threads = std::min(32u, grid.threads - w.id * 32);
        w.present = w.alive = threads == 32 ? ~0u : (1u << threads) - 1;
        w.blocked = w.sync = w.group = 0;
        w.jumps = 0;
        w.atBarrier = false;
        w.copies.clear();
        std::fill(w.at, w.at + 32, 0);
        for (const auto& filled : grid.kernel.specials)
            if (ofBlock(filled.what))
                for (int lane = 0; lane < 32; lane++) w.set(filled.to, lane, specialValue(*this, w, lane, filled.what));
    }
}

// release lets all warps pass the barrier that every one of them has reached.
void Block::release() {
    for (Warp& w : warps) {
        if (w.alive && w.atBarrier) continue;
        const auto waits = std::find_if(warps.begin(), warps.end(), [](const Warp& x) { return x.alive && x.atBarrier; });
        const uint32_t pc = waits->at[__builtin_ctz(waits->alive)] - 1;
        fail(*waits, grid.kernel.code[pc], 0, "barrier not reached by warp " + std::to_string(w.id) + ", which has ended");
    }
    counters.barriers++;
    shared.release();
    for (Warp& w : warps) {
        w.atBarrier = false;
        w.sync++;
    }
}

void Block::run(uint64_t which) {
    const uint32_t* g = grid.launch.grid;
    number = which;
    index[0] = uint32_t(which % g[0]);
    index[1] = uint32_t(which / g[0] % g[1]);
    index[2] = uint32_t(which / g[0] / g[1]);
    counters.blocks++;
    begin();
    Order order{grid.launch.seed * 0x9e3779b97f4a7c15ull + which};
    std::vector<Warp*> turn;
    for (Warp& w : warps) turn.push_back(&w);
    for (;;) {
        order.shuffle(turn);
        for (Warp* w : turn) runWarp(*w);
        bool waits = false;
        for (Warp& w : warps) waits |= w.alive != 0;
        if (!waits) return;
        release();
    }
}

namespace {

uint32_t hostThreads(uint64_t blocks) {
    const char* wanted = std::getenv("TACASIM_THREADS");
    const uint64_t threads = wanted ? std::strtoull(wanted, nullptr, 10) : std::thread::hardware_concurrency();
    return uint32_t(std::max<uint64_t>(1, std::min(threads, blocks)));
}

void checkGeometry(const Kernel& kernel, const Launch& launch) {
    const std::string where = " [kernel " + kernel.name + "]";
    uint64_t blocks = 1, threads = 1;
    for (int d = 0; d < 3; d++) {
        if (!launch.grid[d] || !launch.block[d]) throw Fault("launch with an empty dimension" + where);
        blocks *= launch.grid[d];
        threads *= launch.block[d];
    }
    if (launch.grid[1] > 65535 || launch.grid[2] > 65535 || launch.grid[0] > 0x7fffffff || blocks > 0x7ffffffd)
        throw Fault("launch with a grid too large" + where);
    if (threads > 1024 || launch.block[2] > 64) throw Fault("launch with more than 1024 threads a block" + where);
    if (kernel.maxThreads && threads > kernel.maxThreads) throw Fault("launch with more threads than .maxntid" + where);
    if (uint64_t(kernel.staticShared) + launch.dynamicShared > 227 * 1024)
        throw Fault("launch with more than 227 KiB of shared memory" + where);
}

}  // namespace

void run(const Kernel& kernel, Memory& memory, const uint8_t* params, const Launch& launch, Counters& counters) {
    checkGeometry(kernel, launch);
    Grid grid{kernel, launch, params, Owners(memory, kernel.globalGranule, launch.check),
              launch.block[0] * launch.block[1] * launch.block[2], kernel.staticShared + launch.dynamicShared};
    const uint64_t blocks = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
    // Blocks go backwards for odd seeds, and from anywhere: any order is legal.
    const uint64_t first = launch.seed * 0x9e3779b97f4a7c15ull % blocks;
    std::atomic<uint64_t> next{0};
    std::mutex mutex;
    std::exception_ptr fault;
    auto work = [&] {
        Counters mine;
        try {
            Block block(grid);
            for (uint64_t n; (n = next++) < blocks;)
                block.run((first + (launch.seed & 1 ? blocks - 1 - n : n)) % blocks);
            mine = block.counters;
        } catch (...) {
            next = blocks;
            std::lock_guard<std::mutex> lock(mutex);
            if (!fault) fault = std::current_exception();
        }
        std::lock_guard<std::mutex> lock(mutex);
        counters.add(mine);
    };
    std::vector<std::thread> helpers;
    for (uint32_t n = 1; n < hostThreads(blocks); n++) helpers.emplace_back(work);
    work();
    for (auto& helper : helpers) helper.join();
    if (fault) std::rethrow_exception(fault);
    counters.launches++;
}

}  // namespace sim
