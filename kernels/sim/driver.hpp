// The state of the simulated driver: one process, some devices that are all
// alike, one lock.
#pragma once

#include <cuda.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "interpreter.hpp"

namespace sim {

// Work is one entry of a stream or a node of a graph; a graph runs it many times.
using Work = std::function<CUresult()>;

// Event counts how often it was recorded, and how many of these have come.
struct Event {
    uint64_t recorded = 0, come = 0;
    bool timing = true;
};

// Entry is work on a stream, or the wait for an event, or its coming.
struct Entry {
    Work work;
    std::shared_ptr<Event> wait, mark;
    uint64_t count = 0;  // of the event
};

struct Graph {
    std::vector<Work> nodes;
};

// Stream is a queue that nobody works on until somebody waits.
struct Stream {
    std::deque<Entry> entries;
    bool blocking = true;                // with the default stream
    std::shared_ptr<Graph> capturing;    // or null
    bool captureFailed = false;
};

struct Function {
    const Kernel* kernel;
    int dynamicShared = 48 << 10;  // what it has been allowed
};

struct LoadedModule {
    std::shared_ptr<const Module> module;
    std::map<std::string, std::unique_ptr<Function>> functions;
};

// Totals is what the report at the end says beside the kernels' counters.
struct Totals {
    uint64_t kernelLaunches = 0, graphLaunches = 0, nodes = 0, hostWaits = 0, products = 0, peakBytes = 0;
    double productFlops = 0;
    uint64_t copies[3] = {}, copied[3] = {};  // to the device, from it, on it
};

class Driver {
public:
    std::recursive_mutex mutex;
    bool started = false;
    CUresult broken = CUDA_SUCCESS;  // a failure that all later calls repeat
    Memory memory;
    std::map<uint64_t, uint64_t> sizes;      // of device allocations
    std::map<uint64_t, uint64_t> pinned;     // page-locked host memory
    std::set<CUcontext> contexts;
    std::map<CUstream, std::unique_ptr<Stream>> streams;
    std::map<CUevent, std::shared_ptr<Event>> events;
    std::map<CUgraph, std::shared_ptr<Graph>> graphs;
    std::map<CUgraphExec, std::shared_ptr<Graph>> executables;
    std::map<CUmodule, std::unique_ptr<LoadedModule>> modules;
    std::map<std::string, Counters> counters;
    Totals totals;

    Driver();

    int capability() const { return capability_; }
    int version() const { return version_; }
    int devices() const { return devices_; }
    uint64_t limit() const { return limit_; }
    uint64_t used() const { return used_; }
    int sharedOptIn() const;
    int processors() const;

    // ready is what every call begins with: started, a context, not broken.
    CUresult ready();
    // fails counts calls of a kind, and reports whether TACASIM_FAIL names this one.
    bool fails(const char* kind);
    CUresult breakWith(CUresult result);
    bool isPinned(const void* at, uint64_t bytes) const;

    // put adds to a stream, or to the graph it captures; null is the default stream.
    CUresult put(CUstream stream, Entry entry);
    Stream* stream(CUstream handle);
    // drain runs streams until this one is empty, or all are where it is null.
    CUresult drain(Stream* wanted);
    // arrive runs streams until an event has come.
    CUresult arrive(const Event& event, uint64_t count);

    CUresult allocate(CUdeviceptr* at, uint64_t bytes);
    CUresult release(CUdeviceptr at);
    void leaveContext(CUcontext context);
    void count(const std::string& kernel, const Counters& what);

    // handle makes a number that no other object has.
    template <class H> H handle() { return reinterpret_cast<H>(next_ += 16); }

private:
    CUresult step(Stream& s, bool& moved);
    CUresult advance(Stream& wanted);
    void report();

    int capability_, version_, devices_;
    uint64_t limit_, used_ = 0, next_ = 0x10000;
    std::map<std::string, uint64_t> failAt_, calls_;
    std::mt19937_64 random_;
    bool eager_;  // other streams may run ahead
};

// driver is the process's.
Driver& driver();

// current is this thread's context.
extern thread_local CUcontext current;

using Lock = std::lock_guard<std::recursive_mutex>;

}  // namespace sim

#define SIM_CALL extern "C" __attribute__((visibility("default"))) CUresult
// What most calls begin with.
#define SIM_READY                      \
    using namespace sim;               \
    Driver& d = driver();              \
    Lock lock(d.mutex);                \
    if (CUresult r = d.ready()) return r
