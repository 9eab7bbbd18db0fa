// Streams, events and graphs.
#include "driver.hpp"

using sim::driver;

SIM_CALL cuStreamCreate(CUstream* stream, unsigned flags) {
    SIM_READY;
    *stream = d.handle<CUstream>();
    d.streams[*stream] = std::make_unique<Stream>();
    d.streams[*stream]->blocking = !(flags & CU_STREAM_NON_BLOCKING);
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamDestroy_v2(CUstream stream) {
    SIM_READY;
    if (!stream || !d.stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult r = d.drain(d.stream(stream))) return r;
    d.streams.erase(stream);
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamSynchronize(CUstream stream) {
    SIM_READY;
    Stream* s = d.stream(stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capturing) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    d.totals.hostWaits++;
    return d.drain(s);
}

SIM_CALL cuStreamQuery(CUstream stream) {
    SIM_READY;
    Stream* s = d.stream(stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    return s->entries.empty() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

// A host function may not call the driver; that of the simulated cuBLASLt only
// asks where memory is.
SIM_CALL cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
    SIM_READY;
    return d.put(stream, {[=] {
                     function(data);
                     return driver().broken;
                 }, nullptr, nullptr, 0});
}

SIM_CALL cuEventCreate(CUevent* event, unsigned flags) {
    SIM_READY;
    if (d.fails("event")) return CUDA_ERROR_OUT_OF_MEMORY;
    *event = d.handle<CUevent>();
    d.events[*event] = std::make_shared<Event>();
    d.events[*event]->timing = !(flags & CU_EVENT_DISABLE_TIMING);
    return CUDA_SUCCESS;
}

SIM_CALL cuEventDestroy_v2(CUevent event) {
    SIM_READY;
    return d.events.erase(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

SIM_CALL cuEventRecord(CUevent event, CUstream stream) {
    SIM_READY;
    const auto found = d.events.find(event);
    if (found == d.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    return d.put(stream, {nullptr, nullptr, found->second, ++found->second->recorded});
}

// An event that was never recorded holds nobody up.
SIM_CALL cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    SIM_READY;
    const auto found = d.events.find(event);
    if (found == d.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    if (found->second->recorded == found->second->come) return CUDA_SUCCESS;
    return d.put(stream, {nullptr, found->second, nullptr, found->second->recorded});
}

SIM_CALL cuEventQuery(CUevent event) {
    SIM_READY;
    const auto found = d.events.find(event);
    if (found == d.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    return found->second->come == found->second->recorded ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

SIM_CALL cuEventSynchronize(CUevent event) {
    SIM_READY;
    const auto found = d.events.find(event);
    if (found == d.events.end()) return CUDA_ERROR_INVALID_HANDLE;
    d.totals.hostWaits++;
    const std::shared_ptr<Event> e = found->second;
    return d.arrive(*e, e->recorded);
}

// No time passes here.
SIM_CALL cuEventElapsedTime(float* milliseconds, CUevent, CUevent) {
    *milliseconds = 0;
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
    SIM_READY;
    Stream* s = d.stream(stream);
    if (!s || !stream) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (s->capturing) return CUDA_ERROR_ILLEGAL_STATE;
    s->capturing = std::make_shared<Graph>();
    s->captureFailed = false;
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamEndCapture(CUstream stream, CUgraph* graph) {
    SIM_READY;
    Stream* s = d.stream(stream);
    if (!s || !s->capturing) return CUDA_ERROR_ILLEGAL_STATE;
    const std::shared_ptr<Graph> captured = std::move(s->capturing);
    s->capturing = nullptr;
    if (s->captureFailed) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    *graph = d.handle<CUgraph>();
    d.graphs[*graph] = captured;
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphGetNodes(CUgraph graph, CUgraphNode*, size_t* count) {
    SIM_READY;
    if (!d.graphs.count(graph)) return CUDA_ERROR_INVALID_HANDLE;
    *count = d.graphs[graph]->nodes.size();
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long) {
    SIM_READY;
    if (!d.graphs.count(graph)) return CUDA_ERROR_INVALID_HANDLE;
    *exec = d.handle<CUgraphExec>();
    d.executables[*exec] = std::make_shared<Graph>(*d.graphs[graph]);
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    SIM_READY;
    const auto found = d.executables.find(exec);
    if (found == d.executables.end()) return CUDA_ERROR_INVALID_HANDLE;
    d.totals.graphLaunches++;
    d.totals.nodes += found->second->nodes.size();
    for (const Work& node : found->second->nodes)
        if (CUresult r = d.put(stream, {node, nullptr, nullptr, 0})) return r;
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphDestroy(CUgraph graph) {
    SIM_READY;
    return d.graphs.erase(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

SIM_CALL cuGraphExecDestroy(CUgraphExec exec) {
    SIM_READY;
    return d.executables.erase(exec) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

// What the simulated cuBLASLt asks while a host function runs: may n bytes at
// an address be read, or written; and that a product was made.
extern "C" __attribute__((visibility("default"))) int tacasim_readable(uint64_t at, uint64_t bytes) {
    return driver().memory.holds(at, bytes) && driver().memory.initialised(at, bytes);
}
extern "C" __attribute__((visibility("default"))) int tacasim_writable(uint64_t at, uint64_t bytes) {
    if (!driver().memory.holds(at, bytes)) return 0;
    driver().memory.wrote(at, bytes);
    return 1;
}
extern "C" __attribute__((visibility("default"))) void tacasim_product(double flops) {
    driver().totals.products++;
    driver().totals.productFlops += flops;
}
extern "C" __attribute__((visibility("default"))) void tacasim_break(int result) { driver().breakWith(CUresult(result)); }
