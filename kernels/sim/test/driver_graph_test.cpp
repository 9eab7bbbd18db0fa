// Capture and replay.
#include <thread>

#include "driver_process.hpp"

namespace {

constexpr size_t bytes = 32 * 4;

size_t nodes(CUgraph graph) {
    size_t n = 0;
    ok(CU(cuGraphGetNodes)(graph, nullptr, &n));
    return n;
}

CUgraphExec ready(CUgraph graph) {
    CUgraphExec exec = nullptr;
    ok(CU(cuGraphInstantiate)(&exec, graph, 0));
    return exec;
}

void begin(CUstream s, CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) { ok(CU(cuStreamBeginCapture)(s, mode), "begin"); }

}  // namespace

TEST(a_graph_reads_pinned_memory_at_each_launch) {
    inProcess({}, [] {
        const Session s;
        const CUstream stream = s.stream();
        const CUdeviceptr at = s.memory(bytes);
        unsigned* staging = s.pinned(64);
        CUgraph graph = nullptr;
        begin(stream);
        ok(CU(cuMemcpyHtoDAsync)(at, staging, bytes, stream));
        launchAdd(s, stream, at, 100);
        ok(CU(cuMemcpyDtoHAsync)(staging + 32, at, bytes, stream));
        ok(CU(cuStreamEndCapture)(stream, &graph));
        expect(nodes(graph) == 3, "three nodes");
        const CUgraphExec exec = ready(graph);
        ok(CU(cuGraphDestroy)(graph));
        for (unsigned round = 1; round < 4; round++) {
            for (int i = 0; i < 32; i++) staging[i] = round;
            ok(CU(cuGraphLaunch)(exec, stream));
            ok(CU(cuStreamSynchronize)(stream));
            expect(staging[32] == 100 + round && staging[63] == 100 + round, "round " + std::to_string(round));
        }
        ok(CU(cuGraphExecDestroy)(exec));
        gives(CU(cuGraphLaunch)(exec, stream), CUDA_ERROR_INVALID_HANDLE, "destroyed graph");
    });
}

TEST(a_capture_forks_and_joins) {
    for (const char* seed : {"0", "1", "2", "5", "8"})
        inProcess({{"TACASIM_SEED", seed}}, [] {
            const Session s;
            const CUstream a = s.stream(), b = s.stream();
            const CUdeviceptr x = s.memory(bytes), y = s.memory(bytes);
            CUevent fork = nullptr, joined = nullptr;
            ok(CU(cuEventCreate)(&fork, CU_EVENT_DISABLE_TIMING));
            ok(CU(cuEventCreate)(&joined, CU_EVENT_DISABLE_TIMING));
            CUgraph graph = nullptr;
            begin(a);
            ok(CU(cuMemsetD32Async)(x, 1, 32, a));
            ok(CU(cuEventRecord)(fork, a));
            ok(CU(cuStreamWaitEvent)(b, fork, 0));
            launchCopy(s, b, y, x);
            ok(CU(cuEventRecord)(joined, b));
            ok(CU(cuStreamWaitEvent)(a, joined, 0));
            launchAdd(s, a, x, 10);  // after y was read from it
            launchAdd(s, a, y, 5);
            ok(CU(cuStreamEndCapture)(a, &graph));
            expect(nodes(graph) == 4, "four nodes");
            CUstreamCaptureStatus status;
            ok(CU(cuStreamIsCapturing)(b, &status));
            expect(status == CU_STREAM_CAPTURE_STATUS_NONE, "the other stream is free again");
            const CUgraphExec exec = ready(graph);
            for (int i = 0; i < 3; i++) ok(CU(cuGraphLaunch)(exec, a));
            expect(word(x) == 11 && word(y) == 6, "the order of the graph");
        });
}

TEST(launches_of_one_graph_do_not_overlap) {
    inProcess({}, [] {
        const Session s;
        const CUstream a = s.stream(), b = s.stream();
        const CUdeviceptr x = s.memory(bytes);
        unsigned* seen = s.pinned(1);
        ok(CU(cuMemsetD32)(x, 0, 32));
        ok(CU(cuCtxSynchronize)());
        CUgraph graph = nullptr;
        begin(a);
        launchAdd(s, a, x, 1);
        ok(CU(cuMemcpyDtoHAsync)(seen, x, 4, a));
        ok(CU(cuStreamEndCapture)(a, &graph));
        const CUgraphExec exec = ready(graph);
        ok(CU(cuGraphLaunch)(exec, a));
        ok(CU(cuGraphLaunch)(exec, b));
        ok(CU(cuStreamSynchronize)(b));
        expect(*seen == 2, "the first launch came first");
    });
}

TEST(a_capture_that_does_not_join_is_refused) {
    inProcess({}, [] {
        const Session s;
        const CUstream a = s.stream(), b = s.stream();
        const CUdeviceptr x = s.memory(bytes);
        CUevent fork = nullptr;
        ok(CU(cuEventCreate)(&fork, 0));
        CUgraph graph = nullptr;
        begin(a);
        ok(CU(cuMemsetD32Async)(x, 1, 32, a));
        ok(CU(cuEventRecord)(fork, a));
        ok(CU(cuStreamWaitEvent)(b, fork, 0));
        launchAdd(s, b, x, 1);
        gives(CU(cuStreamEndCapture)(b, &graph), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "end on the other stream");
        gives(CU(cuStreamEndCapture)(a, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "after that");
        begin(a);
        ok(CU(cuMemsetD32Async)(x, 1, 32, a));
        ok(CU(cuEventRecord)(fork, a));
        ok(CU(cuStreamWaitEvent)(b, fork, 0));
        launchAdd(s, b, x, 1);
        gives(CU(cuStreamEndCapture)(a, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "without a join");
        gives(CU(cuEventQuery)(fork), CUDA_ERROR_CAPTURED_EVENT, "event of a capture");
    });
}

TEST(what_a_capture_forbids) {
    inProcess({}, [] {
        const Session s;
        const CUstream a = s.stream();
        CUgraph graph = nullptr;
        CUdeviceptr at = 0;
        const auto refused = [&](const char* what, const std::function<CUresult()>& call, CUresult wanted) {
            begin(a);
            gives(call(), wanted, what);
            gives(CU(cuStreamEndCapture)(a, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, what);
            expect(!graph, "no graph");
        };
        const CUresult unsupported = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        refused("sync", [&] { return CU(cuStreamSynchronize)(a); }, unsupported);
        refused("query", [&] { return CU(cuStreamQuery)(a); }, unsupported);
        refused("context", [&] { return CU(cuCtxSynchronize)(); }, unsupported);
        refused("alloc", [&] { return CU(cuMemAlloc)(&at, 4); }, unsupported);
        refused("pinned", [&] { void* p; return CU(cuMemAllocHost)(&p, 4); }, unsupported);
        unsigned w = 0;
        const CUdeviceptr memory = s.memory(4);
        refused("copy", [&] { return CU(cuMemcpyHtoD)(memory, &w, 4); }, unsupported);
        begin(a, CU_STREAM_CAPTURE_MODE_RELAXED);
        ok(CU(cuMemAlloc)(&at, 4), "alloc in a relaxed capture");
        ok(CU(cuStreamEndCapture)(a, &graph));
        begin(a);
        std::thread([&] {
            ok(CU(cuCtxSetCurrent)(s.context));
            ok(CU(cuMemAlloc)(&at, 4), "alloc by another thread");
            gives(CU(cuStreamEndCapture)(a, &graph), CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "end by another thread");
        }).join();
        ok(CU(cuStreamEndCapture)(a, &graph));
        gives(CU(cuStreamBeginCapture)(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED), unsupported, "default stream");
        const CUstream blocking = s.stream(CU_STREAM_DEFAULT);
        begin(blocking);
        gives(CU(cuMemsetD8)(memory, 0, 4), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "default stream beside a capture");
    });
}
