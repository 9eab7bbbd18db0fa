// The simulated driver's settings, its streams, and its report.
//
// Streams are lazy: nothing runs before somebody waits for it, and then only
// what that wait needs, so that a wait that is missing shows as stale data.
// With an odd TACASIM_SEED other streams also run ahead at random, which is as
// legal.
#include "driver.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace sim {

thread_local CUcontext current;

Driver& driver() {
    static Driver d;
    return d;
}

static const char* setting(const char* name) {
    const char* value = getenv(name);
    return value && *value ? value : nullptr;
}

static int number(const char* name, int otherwise) {
    const char* value = setting(name);
    return value ? atoi(value) : otherwise;
}

// bytes reads "600M", "8G" or a number.
static uint64_t bytes(const char* name, uint64_t otherwise) {
    const char* value = setting(name);
    if (!value) return otherwise;
    char* unit = nullptr;
    const double n = strtod(value, &unit);
    const char* units = "KMGT";
    const char* found = *unit ? strchr(units, *unit) : nullptr;
    return uint64_t(n * double(found ? 1ull << (10 * (found - units + 1)) : 1));
}

Driver::Driver()
    : capability_(number("TACASIM_CAPABILITY", 80)), version_(number("TACASIM_DRIVER", 12090)),
      devices_(number("TACASIM_DEVICES", 1)), limit_(bytes("TACASIM_MEMORY", 8ull << 30)),
      random_(uint64_t(number("TACASIM_SEED", 0))), eager_(number("TACASIM_SEED", 0) % 2 != 0) {
    std::istringstream fails(setting("TACASIM_FAIL") ? setting("TACASIM_FAIL") : "");
    for (std::string one; std::getline(fails, one, ',');) {
        const size_t colon = one.find(':');
        if (colon != std::string::npos) failAt_[one.substr(0, colon)] = strtoull(one.c_str() + colon + 1, nullptr, 10);
    }
    streams[nullptr] = std::make_unique<Stream>();
}

int Driver::sharedOptIn() const {
    switch (capability_) {
    case 80: return 163 << 10;
    case 86: case 89: case 120: return 99 << 10;
    case 90: case 100: return 227 << 10;
    default: return 64 << 10;
    }
}

int Driver::processors() const {
    switch (capability_) {
    case 80: return 108;
    case 86: return 82;
    case 89: return 128;
    case 90: return 132;
    case 100: return 148;
    case 120: return 170;
    default: return 68;
    }
}

CUresult Driver::ready() {
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (!current || !contexts.count(current)) return CUDA_ERROR_INVALID_CONTEXT;
    return broken;
}

bool Driver::fails(const char* kind) {
    const auto at = failAt_.find(kind);
    return ++calls_[kind] && at != failAt_.end() && calls_[kind] == at->second;
}

CUresult Driver::breakWith(CUresult result) { return broken = result; }

bool Driver::isPinned(const void* at, uint64_t bytes) const {
    auto next = pinned.upper_bound(uint64_t(at));
    if (next == pinned.begin()) return false;
    --next;
    return uint64_t(at) + bytes <= next->first + next->second;
}

Stream* Driver::stream(CUstream handle) {
    const auto found = streams.find(handle);
    return found == streams.end() ? nullptr : found->second.get();
}

CUresult Driver::put(CUstream handle, Entry entry) {
    Stream* s = stream(handle);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capturing) {
        if (!entry.work) { // events between streams are not captured here
            s->captureFailed = true;
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
        s->capturing->nodes.push_back(std::move(entry.work));
        return CUDA_SUCCESS;
    }
    if (s->blocking) // the default stream and those that wait for it take turns
        for (auto& [other, o] : streams)
            if (o.get() != s && o->blocking && (!handle || !other))
                if (CUresult r = drain(o.get())) return r;
    s->entries.push_back(std::move(entry));
    return CUDA_SUCCESS;
}

// step runs the head of s, unless it waits for an event that has not come.
CUresult Driver::step(Stream& s, bool& moved) {
    Entry& head = s.entries.front();
    if (head.wait && head.wait->come < head.count) return CUDA_SUCCESS;
    moved = true;
    Entry now = std::move(head);
    s.entries.pop_front();
    if (now.mark) now.mark->come = std::max(now.mark->come, now.count);
    if (!now.work) return CUDA_SUCCESS;
    if (CUresult r = now.work()) return breakWith(r);
    return CUDA_SUCCESS;
}

// advance runs one entry that brings wanted on: its head, or what the head
// waits for.
CUresult Driver::advance(Stream& wanted) {
    if (eager_) {
        std::vector<Stream*> others;
        for (auto& [handle, s] : streams)
            if (!s->entries.empty()) others.push_back(s.get());
        if (random_() % 2) {
            bool moved = false;
            return step(*others[random_() % others.size()], moved);
        }
    }
    bool moved = false;
    if (CUresult r = step(wanted, moved)) return r;
    if (moved) return CUDA_SUCCESS;
    const Entry& head = wanted.entries.front();
    for (auto& [handle, s] : streams)
        for (const Entry& e : s->entries)
            if (e.mark == head.wait && e.count >= head.count) return s.get() == &wanted ? CUDA_ERROR_UNKNOWN : advance(*s);
    return CUDA_ERROR_UNKNOWN;  // an event that nobody will record: put never lets this happen
}

CUresult Driver::drain(Stream* wanted) {
    for (auto& [handle, s] : streams)
        if (!wanted || s.get() == wanted)
            while (!s->entries.empty())
                if (CUresult r = advance(*s)) return r;
    return CUDA_SUCCESS;
}

CUresult Driver::arrive(const Event& event, uint64_t count) {
    while (event.come < count) {
        Stream* holder = nullptr;
        for (auto& [handle, s] : streams)
            for (const Entry& e : s->entries)
                if (e.mark.get() == &event) holder = s.get();
        if (!holder) return CUDA_ERROR_INVALID_HANDLE;
        if (CUresult r = advance(*holder)) return r;
    }
    return CUDA_SUCCESS;
}

static uint64_t rounded(uint64_t bytes) { return (bytes + 511) / 512 * 512; }

CUresult Driver::allocate(CUdeviceptr* at, uint64_t bytes) {
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (fails("alloc") || used_ + rounded(bytes) > limit_) return CUDA_ERROR_OUT_OF_MEMORY;
    void* memory_ = aligned_alloc(512, rounded(bytes));
    if (!memory_) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(memory_, 0xff, rounded(bytes));  // NaN in every format
    *at = CUdeviceptr(memory_);
    memory.add(*at, bytes);
    sizes[*at] = bytes;
    used_ += rounded(bytes);
    totals.peakBytes = std::max(totals.peakBytes, used_);
    return CUDA_SUCCESS;
}

CUresult Driver::release(CUdeviceptr at) {
    const auto found = sizes.find(at);
    if (found == sizes.end()) return CUDA_ERROR_INVALID_VALUE;
    memory.remove(at);
    used_ -= rounded(found->second);
    sizes.erase(found);
    free(reinterpret_cast<void*>(at));
    return CUDA_SUCCESS;
}

// leaveContext takes all that lives in a context with it. Contexts are not kept
// apart here: the last one takes everything.
void Driver::leaveContext(CUcontext context) {
    contexts.erase(context);
    if (current == context) current = nullptr;
    if (!contexts.empty()) return;
    report();
    while (!sizes.empty()) release(sizes.begin()->first);
    for (const auto& [at, size] : pinned) free(reinterpret_cast<void*>(at));
    pinned.clear();
    streams.clear();
    streams[nullptr] = std::make_unique<Stream>();
    events.clear();
    graphs.clear();
    executables.clear();
    modules.clear();
    broken = CUDA_SUCCESS;
}

void Driver::count(const std::string& kernel, const Counters& what) { counters[kernel].add(what); }

// report writes what the environment asks for when the last context is left: a
// Go program ends without the destructors of its libraries. What is alive then
// goes with the context, but a program that ended well has given it back itself.
void Driver::report() {
    if (const char* path = setting("TACASIM_LEAKS")) {
        std::ofstream(path) << "{\"bytes\":" << used_ << ",\"streams\":" << streams.size() - 1
                            << ",\"events\":" << events.size() << ",\"graphs\":" << graphs.size() + executables.size()
                            << ",\"modules\":" << modules.size() << ",\"pinned\":" << pinned.size() << "}\n";
    }
    const char* path = setting("TACASIM_STATS");
    if (!path || counters.empty()) return;
    std::ofstream out(path, std::ios::app);
    for (const auto& [name, c] : counters) out << "{\"kernel\":\"" << name << "\",\"counters\":" << c.json() << "}\n";
    out << "{\"totals\":{\"kernelLaunches\":" << totals.kernelLaunches << ",\"graphLaunches\":" << totals.graphLaunches
        << ",\"nodes\":" << totals.nodes << ",\"hostWaits\":" << totals.hostWaits << ",\"products\":" << totals.products
        << ",\"productFlops\":" << totals.productFlops << ",\"peakBytes\":" << totals.peakBytes;
    const char* ways[] = {"toDevice", "fromDevice", "onDevice"};
    for (int i = 0; i < 3; i++) out << ",\"" << ways[i] << "\":{\"copies\":" << totals.copies[i] << ",\"bytes\":" << totals.copied[i] << "}";
    out << "}}\n";
    counters.clear();
    totals = Totals();
}

}  // namespace sim
