// Loads and stores of global memory, of parameters, and by generic address.
#include "value.hpp"

namespace sim {
namespace {

// Access is where each lane of one instruction goes, the inactive ones too.
struct Access {
    uint64_t at[32];
    uint32_t bytes;
};

void addresses(Warp& w, const Instruction& i, const Operand& base, Access& a) {
    a.bytes = uint32_t(i.bytes) * i.vector;
    const uint64_t offset = uint64_t(i.offset);
    if (base.cell == 8) each(~0u, [&, from = w.longs(base)](int l) { a.at[l] = from[l] + offset; });
    else each(~0u, [&, from = w.words(base)](int l) { a.at[l] = uint32_t(from[l] + offset); });
}

std::string hex(uint64_t v) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
    return text;
}

// rangeOf finds the allocation of an access; most instructions stay in one.
const Range& rangeOf(Warp& w, const Instruction& i, int lane, uint64_t at, uint32_t bytes) {
    Block& b = *w.block;
    if (at % bytes) fail(w, i, lane, "misaligned global access at " + hex(at));
    uint32_t& hint = b.hints[size_t(&i - b.grid.kernel.code.data())];
    if (hint == ~0u || !b.grid.owners.range(hint).allocation->holds(at, bytes)) {
        hint = b.grid.owners.find(at, bytes);
        if (hint == ~0u) fail(w, i, lane, "global access out of bounds at " + hex(at));
    }
    return b.grid.owners.range(hint);
}

void checkRead(Warp& w, const Instruction& i, int lane, uint64_t at, uint32_t bytes) {
    const Range& range = rangeOf(w, i, lane, at, bytes);
    if (!w.block->grid.launch.check) return;
    if (!range.allocation->initialisedAligned(at, bytes)) fail(w, i, lane, "global read of uninitialised bytes at " + hex(at));
    if (!w.block->grid.owners.read(range, at, bytes, uint32_t(w.block->number)))
        fail(w, i, lane, "global read of what another block of the launch writes, at " + hex(at));
}

void checkWrite(Warp& w, const Instruction& i, int lane, uint64_t at, uint32_t bytes) {
    const Range& range = rangeOf(w, i, lane, at, bytes);
    range.allocation->wroteAligned(at, bytes);
    if (w.block->grid.launch.check && !w.block->grid.owners.write(range, at, bytes, uint32_t(w.block->number)))
        fail(w, i, lane, "global write of what another block of the launch reads or writes, at " + hex(at));
}

void count(Traffic& t, const Access& a, uint32_t active) {
    t.actual += sectors(a.at, active);
    t.ideal += (uint32_t(__builtin_popcount(active)) * a.bytes + 31) / 32;
}

// Elements are of type T in memory.
template <class T>
void loadAs(Warp& w, const Instruction& i, uint32_t active, const uint8_t* const from[32]) {
    for (size_t n = 0; n < i.vector; n++) {
        auto element = [=](int l) {
            T v;
            std::memcpy(&v, from[l] + n * sizeof v, sizeof v);
            return uint64_t(int64_t(v));
        };
        if (i.d[n].cell == 8) each(active, [=, to = w.longs(i.d[n])](int l) { to[l] = element(l); });
        else each(active, [=, to = w.words(i.d[n])](int l) { to[l] = uint32_t(element(l)); });
    }
}

template <class T>
void storeAs(Warp& w, const Instruction& i, uint32_t active, uint8_t* const to[32]) {
    for (size_t n = 0; n < i.vector; n++)
        for (uint32_t m = active; m; m &= m - 1) {
            const int l = __builtin_ctz(m);
            const T v = T(i.s[n].cell == 8 ? w.longs(i.s[n])[l] : w.words(i.s[n])[l]);
            std::memcpy(to[l] + n * sizeof v, &v, sizeof v);
        }
}

void globalLoad(Warp& w, const Instruction& i, uint32_t active, const Access& a) {
    for (uint32_t m = active; m; m &= m - 1) checkRead(w, i, __builtin_ctz(m), a.at[__builtin_ctz(m)], a.bytes);
    loadElements(w, i, active, reinterpret_cast<const uint8_t* const*>(a.at));
    count(w.block->counters.globalLoad, a, active);
}

void globalStore(Warp& w, const Instruction& i, uint32_t active, const Access& a) {
    for (uint32_t m = active; m; m &= m - 1) checkWrite(w, i, __builtin_ctz(m), a.at[__builtin_ctz(m)], a.bytes);
    storeElements(w, i, active, reinterpret_cast<uint8_t* const*>(a.at));
    count(w.block->counters.globalStore, a, active);
}

void parameterLoad(Warp& w, const Instruction& i, uint32_t active, const Access& a) {
    const uint32_t size = w.block->grid.kernel.parameterBytes;
    const uint8_t* from[32];
    for (int l = 0; l < 32; l++) from[l] = w.block->grid.params + a.at[l];
    uint64_t apart = active == ~0u ? 0 : ~0ull;
    for (int l = 0; l < 32; l++) apart |= a.at[l] ^ a.at[0];
    const uint32_t asked = apart ? active : 1;  // nearly always the first lane speaks for all
    for (uint32_t m = asked; m; m &= m - 1) {
        const int l = __builtin_ctz(m);
        if (a.at[l] > size || a.bytes > size - a.at[l]) fail(w, i, l, "parameter read out of bounds at offset " + hex(a.at[l]));
        if (a.at[l] % a.bytes) fail(w, i, l, "misaligned parameter read at offset " + hex(a.at[l]));
    }
    loadElements(w, i, asked, from);
    for (int n = 0; n < i.vector && !apart; n++) {
        if (i.d[n].cell == 8) each(~0u, [=, to = w.longs(i.d[n]), v = w.longs(i.d[n])[0]](int l) { to[l] = v; });
        else each(~0u, [=, to = w.words(i.d[n]), v = w.words(i.d[n])[0]](int l) { to[l] = v; });
    }
}

// windowOf says which space generic addresses lie in; all lanes in the same.
uint64_t windowOf(Warp& w, const Instruction& i, uint32_t active, Access& a) {
    uint64_t window = 0;
    each(active, [&](int l) { window |= a.at[l] & (sharedWindow | parameterWindow); });
    each(active, [&](int l) {
        if (window && !(a.at[l] & window)) fail(w, i, l, "generic access to several state spaces at once is not modelled");
        a.at[l] &= ~window;
    });
    return window;
}

}  // namespace

void loadElements(Warp& w, const Instruction& i, uint32_t active, const uint8_t* const from[32]) {
    switch (i.bytes) {
    case 1: return i.isSigned ? loadAs<int8_t>(w, i, active, from) : loadAs<uint8_t>(w, i, active, from);
    case 2: return i.isSigned ? loadAs<int16_t>(w, i, active, from) : loadAs<uint16_t>(w, i, active, from);
    case 4: return i.isSigned ? loadAs<int32_t>(w, i, active, from) : loadAs<uint32_t>(w, i, active, from);
    default: return loadAs<uint64_t>(w, i, active, from);
    }
}

void storeElements(Warp& w, const Instruction& i, uint32_t active, uint8_t* const to[32]) {
    switch (i.bytes) {
    case 1: return storeAs<uint8_t>(w, i, active, to);
    case 2: return storeAs<uint16_t>(w, i, active, to);
    case 4: return storeAs<uint32_t>(w, i, active, to);
    default: return storeAs<uint64_t>(w, i, active, to);
    }
}

void checkGlobalCopy(Warp& w, const Instruction& i, int lane, uint64_t at, uint32_t bytes) {
    checkRead(w, i, lane, at, bytes);
}

void loadParameter(Warp& w, const Instruction& i, uint32_t active) {
    Access a;
    addresses(w, i, i.s[0], a);
    each(active, [&](int l) { a.at[l] &= ~parameterWindow; });
    parameterLoad(w, i, active, a);
}

void loadGlobal(Warp& w, const Instruction& i, uint32_t active) {
    Access a;
    addresses(w, i, i.s[0], a);
    globalLoad(w, i, active, a);
}

// A store has its address after its values.
void storeGlobal(Warp& w, const Instruction& i, uint32_t active) {
    Access a;
    addresses(w, i, i.s[i.vector], a);
    globalStore(w, i, active, a);
}

void loadGeneric(Warp& w, const Instruction& i, uint32_t active) {
    Access a;
    addresses(w, i, i.s[0], a);
    const uint64_t window = windowOf(w, i, active, a);
    if (window == sharedWindow) sharedLoad(w, i, active, a.at);
    else if (window) parameterLoad(w, i, active, a);
    else globalLoad(w, i, active, a);
}

void storeGeneric(Warp& w, const Instruction& i, uint32_t active) {
    Access a;
    addresses(w, i, i.s[i.vector], a);
    const uint64_t window = windowOf(w, i, active, a);
    if (window == sharedWindow) sharedStore(w, i, active, a.at);
    else if (window) fail(w, i, __builtin_ctz(active), "store to a parameter");
    else globalStore(w, i, active, a);
}

// addressToWindow makes a generic address of one in a state space (mode 1
// shared, 2 parameters, 0 global); addressFromWindow goes back.
void addressToWindow(Warp& w, const Instruction& i, uint32_t active) {
    const uint64_t window = i.mode == 1 ? sharedWindow : i.mode == 2 ? parameterWindow : 0;
    each(active, [&](int l) { w.set(i.d[0], l, w.value(i.s[0], l) | window); });
}
void addressFromWindow(Warp& w, const Instruction& i, uint32_t active) {
    const uint64_t window = i.mode == 1 ? sharedWindow : i.mode == 2 ? parameterWindow : 0;
    each(active, [&](int l) { w.set(i.d[0], l, w.value(i.s[0], l) & ~window); });
}

}  // namespace sim
