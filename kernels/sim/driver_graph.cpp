// Graphs: captured from streams, readied, launched again and again.
#include <algorithm>

#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

// isJoined reports whether all that a capture's streams did comes before what
// its first stream did last.
bool isJoined(const Capture& capture) {
    std::vector<bool> before(capture.graph.nodes.size());
    std::vector<size_t> stack = capture.origin->frontier;
    while (!stack.empty()) {
        const size_t n = stack.back();
        stack.pop_back();
        if (before[n]) continue;
        before[n] = true;
        const auto& more = capture.graph.nodes[n].after;
        stack.insert(stack.end(), more.begin(), more.end());
    }
    return std::all_of(capture.members.begin(), capture.members.end(), [&](const Stream* s) {
        return std::all_of(s->frontier.begin(), s->frontier.end(), [&](size_t n) { return before[n]; });
    });
}

// A node's handle is its graph's, moved by its number.
CUgraphNode nodeOf(CUgraph graph, size_t n) { return reinterpret_cast<CUgraphNode>((uint64_t(graph) << 20) + n + 1); }

}  // namespace

void Driver::endCapture(Capture& capture) {
    capture.ended = true;
    for (Stream* s : capture.members) {
        s->frontier.clear();
        if (s->capture.get() == &capture && s != capture.origin) s->capture = nullptr;
    }
    const auto keep = capture.origin->capture;
    capture.origin->capture = nullptr;
    captures.erase(std::remove(captures.begin(), captures.end(), keep), captures.end());
}

}  // namespace sim

SIM_CALL cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    SIM_NEED(mode >= CU_STREAM_CAPTURE_MODE_GLOBAL && mode <= CU_STREAM_CAPTURE_MODE_RELAXED);
    if (s->isDefault) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (s->capture) return CUDA_ERROR_ILLEGAL_STATE;
    s->capture = std::make_shared<Capture>();
    s->capture->origin = s;
    s->capture->mode = mode;
    s->capture->thread = std::this_thread::get_id();
    s->capture->id = uint64_t(d.handle<CUgraph>());
    s->capture->members = {s};
    s->frontier.clear();
    d.captures.push_back(s->capture);
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamEndCapture(CUstream stream, CUgraph* graph) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    SIM_NEED(graph);
    *graph = nullptr;
    const std::shared_ptr<Capture> capture = s->capture;
    if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != s) {
        capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != std::this_thread::get_id())
        return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    const bool joined = isJoined(*capture);
    d.endCapture(*capture);
    if (capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!joined) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    *graph = d.handle<CUgraph>();
    d.graphs[*graph] = std::make_shared<Graph>(std::move(capture->graph));
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status) {
    SIM_ENTER;
    SIM_NEED(status);
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    *status = !s->capture           ? CU_STREAM_CAPTURE_STATUS_NONE
              : s->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                    : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
    SIM_ENTER;
    SIM_NEED(count);
    Graph* g = look(d.graphs, graph);
    if (!g) return CUDA_ERROR_INVALID_VALUE;
    const size_t all = g->nodes.size();
    if (nodes)
        for (size_t n = 0; n < *count; n++) nodes[n] = n < all ? nodeOf(graph, n) : nullptr;
    *count = nodes ? std::min(*count, all) : all;
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long flags) {
    SIM_ENTER;
    SIM_NEED(exec && flags <= 15);
    Graph* g = look(d.graphs, graph);
    if (!g) return CUDA_ERROR_INVALID_VALUE;
    auto made = std::make_shared<GraphExec>();
    made->graph = std::make_shared<const Graph>(*g);
    *exec = d.handle<CUgraphExec>();
    d.executables[*exec] = made;
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    GraphExec* e = look(d.executables, exec);
    if (!s || !e) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) {  // a graph in a graph: not modelled
        s->capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (d.fails("launch")) return c->broken = CUDA_ERROR_LAUNCH_FAILED;
    d.totals.graphLaunches++;
    d.totals.nodes += e->graph->nodes.size();
    return d.putGraph(*s, *e);
}

SIM_CALL cuGraphDestroy(CUgraph graph) {
    sim::Lock lock(driver().mutex);
    if (!driver().graphs.erase(graph)) return CUDA_ERROR_INVALID_VALUE;
    driver().changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuGraphExecDestroy(CUgraphExec exec) {
    sim::Lock lock(driver().mutex);
    if (!driver().executables.erase(exec)) return CUDA_ERROR_INVALID_VALUE;
    driver().changed();
    return CUDA_SUCCESS;
}
