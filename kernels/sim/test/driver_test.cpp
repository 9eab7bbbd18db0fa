// The simulated driver keeps to what the real one promises, and to no more.
#include <cuda.h>

#include "harness.hpp"

namespace {

void works(CUresult result, const char* what) { expect(result == CUDA_SUCCESS, std::string(what) + ": error " + std::to_string(result)); }
#define WORKS(call) works(call, #call)

// Session is a context with two streams and some memory of both kinds.
struct Session {
    CUcontext context = nullptr;
    CUstream one = nullptr, other = nullptr;
    CUdeviceptr there = 0;
    int *pinned = nullptr, *back = nullptr;

    Session() {
        WORKS(cuInit(0));
        WORKS(cuCtxCreate_v2(&context, 0, 0));
        WORKS(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
        WORKS(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
        WORKS(cuMemAlloc_v2(&there, 64));
        WORKS(cuMemAllocHost_v2(reinterpret_cast<void**>(&pinned), 64));
        WORKS(cuMemAllocHost_v2(reinterpret_cast<void**>(&back), 64));
        *pinned = 1;
        WORKS(cuMemcpyHtoD_v2(there, pinned, 4));
    }
    ~Session() { cuCtxDestroy_v2(context); }
    void fetch(CUstream s) { WORKS(cuMemcpyDtoHAsync_v2(back, there, 4, s)); }
};

const char* const adds =  // adds p1 to the number at p0
    ".version 7.0\n.target sm_80\n.address_size 64\n"
    ".visible .entry add(.param .u64 p0, .param .u64 p1)\n.maxntid 32, 1, 1\n{\n"
    ".reg .b64 %rd<4>; .reg .b32 %r<4>;\nld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; cvt.u32.u64 %r1, %rd1;\n"
    "ld.global.u32 %r0, [%rd0]; add.s32 %r0, %r0, %r1; st.global.u32 [%rd0], %r0; ret;\n}\n";

CUfunction adder(CUmodule* module) {
    CUfunction f = nullptr;
    WORKS(cuModuleLoadData(module, adds));
    WORKS(cuModuleGetFunction(&f, *module, "add"));
    return f;
}

}  // namespace

TEST(a_copy_that_is_not_waited_for_is_seen_late) {
    Session s;
    *s.pinned = 2;
    WORKS(cuMemcpyHtoDAsync_v2(s.there, s.pinned, 4, s.other));
    s.fetch(s.one);
    WORKS(cuStreamSynchronize(s.one));
    expect(*s.back == 1, "without a wait the other stream's copy was seen");

    CUevent done;
    WORKS(cuEventCreate(&done, CU_EVENT_DISABLE_TIMING));
    *s.pinned = 3;
    WORKS(cuMemcpyHtoDAsync_v2(s.there, s.pinned, 4, s.other));
    WORKS(cuEventRecord(done, s.other));
    WORKS(cuStreamWaitEvent(s.one, done, 0));
    s.fetch(s.one);
    WORKS(cuStreamSynchronize(s.one));
    expect(*s.back == 3, "with a wait the other stream's copy was not seen");
}

TEST(page_locked_memory_is_read_when_the_copy_runs) {
    Session s;
    *s.pinned = 2;
    WORKS(cuMemcpyHtoDAsync_v2(s.there, s.pinned, 4, s.one));
    *s.pinned = 99;  // too early: the copy has not run
    s.fetch(s.one);
    WORKS(cuStreamSynchronize(s.one));
    expect(*s.back == 99, "overwriting staging memory too early went unnoticed");

    int pageable = 5;
    WORKS(cuMemcpyHtoDAsync_v2(s.there, &pageable, 4, s.one));
    pageable = 6;
    s.fetch(s.one);
    WORKS(cuStreamSynchronize(s.one));
    expect(*s.back == 5, "other host memory is staged at the call");
}

TEST(a_graph_runs_its_nodes_again_and_reads_memory_anew) {
    Session s;
    CUmodule module;
    CUfunction f = adder(&module);
    CUdeviceptr at = s.there;
    uint64_t by = 10;
    void* params[] = {&at, &by};
    WORKS(cuStreamBeginCapture_v2(s.one, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    WORKS(cuMemcpyHtoDAsync_v2(s.there, s.pinned, 4, s.one));
    WORKS(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s.one, params, nullptr));
    expect(cuStreamSynchronize(s.one) == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a capturing stream was waited for");
    CUgraph graph;
    CUgraphExec exec;
    size_t nodes = 0;
    WORKS(cuStreamEndCapture(s.one, &graph));
    WORKS(cuGraphGetNodes(graph, nullptr, &nodes));
    WORKS(cuGraphInstantiateWithFlags(&exec, graph, 0));
    WORKS(cuGraphDestroy(graph));
    expect(nodes == 2, "the graph has another number of nodes");
    by = 1000;  // parameters were copied at the launch
    for (int i = 1; i <= 3; i++) {
        *s.pinned = i;
        WORKS(cuGraphLaunch(exec, s.one));
        s.fetch(s.one);
        WORKS(cuStreamSynchronize(s.one));
        expect(*s.back == i + 10, "a replay gave " + std::to_string(*s.back));
    }
}

TEST(wrong_launches_are_refused) {
    Session s;
    CUmodule module;
    CUfunction f = adder(&module), none;
    CUdeviceptr at = s.there;
    uint64_t by = 1;
    void* params[] = {&at, &by};
    expect(cuModuleGetFunction(&none, module, "missing") == CUDA_ERROR_NOT_FOUND, "a missing kernel was found");
    expect(cuLaunchKernel(f, 0, 1, 1, 1, 1, 1, 0, s.one, params, nullptr) == CUDA_ERROR_INVALID_VALUE, "an empty grid");
    expect(cuLaunchKernel(f, 1, 70000, 1, 1, 1, 1, 0, s.one, params, nullptr) == CUDA_ERROR_INVALID_VALUE, "a grid too high");
    expect(cuLaunchKernel(f, 1, 1, 1, 64, 1, 1, 0, s.one, params, nullptr) == CUDA_ERROR_INVALID_VALUE, "more threads than the kernel allows");
    expect(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 50 << 10, s.one, params, nullptr) == CUDA_ERROR_INVALID_VALUE, "shared memory that was not allowed");
    WORKS(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 50 << 10));
    WORKS(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 50 << 10, s.one, params, nullptr));
    expect(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 200 << 10) == CUDA_ERROR_INVALID_VALUE, "more than the device has");
    at = 16;  // no memory there: the failure comes late, and stays
    WORKS(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s.one, params, nullptr));
    expect(cuStreamSynchronize(s.one) == CUDA_ERROR_ILLEGAL_ADDRESS, "a kernel outside its memory");
    expect(cuMemcpyHtoD_v2(s.there, s.pinned, 4) == CUDA_ERROR_ILLEGAL_ADDRESS, "a broken context worked on");
}

TEST(memory_is_counted_and_limited) {
    Session s;
    size_t before, total, after;
    WORKS(cuMemGetInfo_v2(&before, &total));
    CUdeviceptr more, most;
    WORKS(cuMemAlloc_v2(&more, 1000));
    WORKS(cuMemGetInfo_v2(&after, &total));
    expect(before - after == 1024, "1000 bytes take " + std::to_string(before - after));
    expect(cuMemAlloc_v2(&most, total) == CUDA_ERROR_OUT_OF_MEMORY, "more memory than there is was given");
    WORKS(cuMemFree_v2(more));
    expect(cuMemFree_v2(more) == CUDA_ERROR_INVALID_VALUE, "memory was freed twice");
    const char* elf = "\x7f" "ELF and more";
    CUmodule module;
    expect(cuModuleLoadData(&module, elf) == CUDA_ERROR_NO_BINARY_FOR_GPU, "machine code was loaded");
}

TEST(without_a_context_nothing_works) {
    CUdeviceptr at;
    WORKS(cuInit(0));
    WORKS(cuCtxSetCurrent(nullptr));
    expect(cuMemAlloc_v2(&at, 4) == CUDA_ERROR_INVALID_CONTEXT, "memory without a context");
}
