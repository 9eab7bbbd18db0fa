// The state of the simulated driver: devices that are all alike, contexts, and
// work that is done only when somebody waits for it. One lock guards it all.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "driver_settings.hpp"
#include "interpreter.hpp"

namespace sim {

struct Context;

// Failure ends the execution of work with a result of the driver's.
struct Failure {
    CUresult result;
};

// Does tells the scheduler what to put off.
enum class Does : uint8_t { kernel, copy, host, mark };

// Work is what a stream or the node of a graph does; a graph does it many
// times. It throws a Fault or a Failure.
struct Work {
    Does does = Does::mark;
    std::function<void()> run;
    uint64_t held = 0;  // bytes of host memory it keeps
};

// Task is work in its place among other work.
struct Task {
    Work work;
    Context* context = nullptr;
    bool blocking = false;  // ordered with the default stream
    bool done = false;
    double time = 0;  // when it was done, in milliseconds
    std::vector<std::shared_ptr<Task>> after;
};
using TaskRef = std::shared_ptr<Task>;

struct Node {
    Work work;
    std::vector<size_t> after;
};

struct Graph {
    std::vector<Node> nodes;
};

struct GraphExec {
    std::shared_ptr<const Graph> graph;
    TaskRef last;  // launches of one graph do not overlap
};

struct Stream;

// Capture is a graph in the making, by one stream and those that joined it.
struct Capture {
    Graph graph;
    Stream* origin = nullptr;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    std::thread::id thread;
    uint64_t id = 0;
    bool invalid = false, ended = false;
    std::vector<Stream*> members;
};

struct Stream {
    Context* context = nullptr;
    bool blocking = true, isDefault = false;
    int priority = 0;
    TaskRef last;
    std::shared_ptr<Capture> capture;
    std::vector<size_t> frontier;  // nodes that the next one comes after
};

struct Event {
    Context* context = nullptr;
    bool timing = true;
    TaskRef task;
    std::shared_ptr<Capture> capture;
    std::vector<size_t> nodes;
};

struct LoadedModule;

struct Function {
    const Kernel* kernel = nullptr;
    LoadedModule* module = nullptr;
    int dynamicShared = 0;  // bytes that a launch may ask for
};

struct LoadedModule {
    Context* context = nullptr;
    std::shared_ptr<const Module> module;
    std::map<std::string, CUfunction> functions;
};

// Pinned is page-locked memory of the host. Copies under way keep it.
struct Pinned {
    uint64_t at = 0, bytes = 0;
    Context* context = nullptr;
    bool ours = false;  // allocated here; else the program's own
    bool alive = true;
};

struct Allocated {
    uint64_t bytes = 0;
    Context* context = nullptr;
};

struct Device {
    int ordinal = 0;
    Memory memory;
    std::map<uint64_t, Allocated> allocations;
    uint64_t used = 0, peak = 0;
};

struct Context {
    CUcontext handle = nullptr;
    Device* device = nullptr;
    unsigned flags = 0;
    bool primary = false;
    CUresult broken = CUDA_SUCCESS;  // a failure that all later calls repeat
    Stream defaultStream;
    std::vector<TaskRef> pending;  // in the order they were asked for
    uint64_t held = 0;             // bytes that pending work keeps
};

// Totals is what the report says beside the kernels' counters.
struct Totals {
    uint64_t kernelLaunches = 0, graphLaunches = 0, nodes = 0, hostWaits = 0, hostFunctions = 0, products = 0;
    double productFlops = 0;
    uint64_t copies[4] = {}, copied[4] = {};  // to the device, from it, on it, memset
};

// Handles are numbers that are used once, so that what was destroyed is known
// to be gone.
template <class H, class T>
using Table = std::map<H, std::shared_ptr<T>>;

class Driver {
public:
    std::recursive_mutex mutex;
    Settings settings;
    bool started = false;
    std::vector<std::unique_ptr<Device>> devices;
    Table<CUcontext, Context> contexts;
    Table<CUstream, Stream> streams;
    Table<CUevent, Event> events;
    Table<CUgraph, Graph> graphs;
    Table<CUgraphExec, GraphExec> executables;
    Table<CUmodule, LoadedModule> modules;
    Table<CUfunction, Function> functions;
    std::map<uint64_t, std::shared_ptr<Pinned>> pinned;
    std::vector<std::shared_ptr<Capture>> captures;
    std::map<std::string, Counters> counters;
    Totals totals;
    std::map<std::string, uint64_t> reclaimed;  // what a context took with it

    Driver();

    // enter is what most calls begin with: started, a context, not broken, not
    // called by work of the driver's own.
    CUresult enter(Context*& context);
    // refuse answers calls that may not be made while a stream captures.
    CUresult refuse();
    // fails counts calls of a kind, and reports whether TACASIM_FAIL names this one.
    bool fails(const char* kind);

    // Work.
    CUresult put(Stream& stream, Work work, TaskRef* task = nullptr);
    CUresult putGraph(Stream& stream, GraphExec& exec);
    CUresult waitFor(Context& context, std::vector<TaskRef> wanted);
    CUresult waitForAll(Context& context);
    // nudge does one piece of work that a poll is waiting for.
    CUresult nudge(Context& context, const TaskRef& wanted);
    Stream* stream(Context& context, CUstream handle);

    std::shared_ptr<Pinned> pinnedAt(const void* at, uint64_t bytes);
    CUresult allocate(Context& context, CUdeviceptr* at, uint64_t bytes);
    CUresult release(Context& context, CUdeviceptr at);
    CUresult createContext(CUcontext* context, unsigned flags, int device, bool primary);
    void destroyContext(Context& context);
    void endCapture(Capture& capture);

    void changed();     // an object came or went: rewrites TACASIM_LEAKS
    void writeStats();  // appends to TACASIM_STATS what was counted since the last time

    // handle makes a number that no other object has.
    template <class H>
    H handle() { return reinterpret_cast<H>(next_ += 64); }

private:
    friend class Run;
    void perform(Task& task);
    void breakAll(Context& context, CUresult result);
    std::mt19937_64 random_;
    std::map<std::string, uint64_t> calls_;
    uint64_t next_ = 1ull << 32;
};

// driver is the process's; it is never destroyed, since threads may still call.
Driver& driver();

// current is this thread's stack of contexts; executing is the context whose
// work this thread does just now.
extern thread_local std::vector<CUcontext> current;
extern thread_local Context* executing;

// say prints why work failed.
void say(const std::string& what);

using Lock = std::lock_guard<std::recursive_mutex>;

template <class H, class T>
T* look(Table<H, T>& table, H handle) {
    auto found = table.find(handle);
    return found == table.end() ? nullptr : found->second.get();
}

}  // namespace sim

#define SIM_CALL extern "C" __attribute__((visibility("default"))) CUresult

// What calls begin with that need a context; d and c are the driver and it.
#define SIM_ENTER                              \
    using namespace sim;                       \
    Driver& d = driver();                      \
    Lock lock(d.mutex);                        \
    Context* c = nullptr;                      \
    if (CUresult r = d.enter(c)) return r;     \
    (void)c

#define SIM_NEED(condition) \
    if (!(condition)) return CUDA_ERROR_INVALID_VALUE
