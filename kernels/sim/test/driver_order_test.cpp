// The order of work: what is missing shows, what is there holds.
#include "driver_process.hpp"

namespace {

constexpr size_t bytes = 32 * 4;

// Two streams, a copy and a kernel that reads what it brings.
unsigned copyThenUse(bool waits) {
    const Session s;
    const CUstream copier = s.stream(), computer = s.stream();
    const CUdeviceptr weights = s.memory(bytes), result = s.memory(bytes);
    unsigned* staging = s.pinned(32);
    ok(CU(cuMemsetD32)(weights, 7, 32));
    ok(CU(cuCtxSynchronize)());
    for (int i = 0; i < 32; i++) staging[i] = 42;
    CUevent ready = nullptr;
    ok(CU(cuEventCreate)(&ready, CU_EVENT_DISABLE_TIMING));
    ok(CU(cuMemcpyHtoDAsync)(weights, staging, bytes, copier));
    ok(CU(cuEventRecord)(ready, copier));
    if (waits) ok(CU(cuStreamWaitEvent)(computer, ready, 0));
    launchCopy(s, computer, result, weights);
    ok(CU(cuStreamSynchronize)(computer));
    return word(result);
}

// A kernel that reads memory, and a copy from another stream over it.
unsigned useThenOverwrite(bool waits) {
    const Session s;
    const CUstream copier = s.stream(), computer = s.stream();
    const CUdeviceptr weights = s.memory(bytes), result = s.memory(bytes);
    unsigned* staging = s.pinned(32);
    ok(CU(cuMemsetD32)(weights, 7, 32));
    ok(CU(cuCtxSynchronize)());
    for (int i = 0; i < 32; i++) staging[i] = 42;
    CUevent left = nullptr;
    ok(CU(cuEventCreate)(&left, CU_EVENT_DISABLE_TIMING));
    launchCopy(s, computer, result, weights);
    ok(CU(cuEventRecord)(left, computer));
    if (waits) ok(CU(cuStreamWaitEvent)(copier, left, 0));
    ok(CU(cuMemcpyHtoDAsync)(weights, staging, bytes, copier));
    ok(CU(cuStreamSynchronize)(computer));
    return word(result);
}

}  // namespace

TEST(a_missing_wait_for_a_copy_shows) {
    inProcess({}, [] { expect(copyThenUse(false) == 7, "stale data"); });
}

TEST(a_wait_for_a_copy_holds) {
    for (const char* seed : {"0", "1", "2", "3", "4"})
        inProcess({{"TACASIM_SEED", seed}}, [] { expect(copyThenUse(true) == 42, "the copy's data"); });
}

TEST(a_missing_wait_before_overwriting_shows) {
    inProcess({{"TACASIM_SEED", "1"}}, [] { expect(useThenOverwrite(false) == 42, "overwritten data"); });
}

TEST(a_wait_before_overwriting_holds) {
    for (const char* seed : {"0", "1", "2", "3", "4"})
        inProcess({{"TACASIM_SEED", seed}}, [] { expect(useThenOverwrite(true) == 7, "the data of before"); });
}

TEST(pinned_memory_is_read_when_the_copy_runs) {
    inProcess({}, [] {
        const Session s;
        const CUstream stream = s.stream();
        const CUdeviceptr at = s.memory(bytes);
        unsigned* staging = s.pinned(32);
        staging[0] = 1;
        ok(CU(cuMemcpyHtoDAsync)(at, staging, 4, stream));
        staging[0] = 2;  // too early
        expect(word(at) == 2, "the early overwrite shows");
        unsigned pageable = 3;
        ok(CU(cuMemcpyHtoDAsync)(at, &pageable, 4, stream));
        pageable = 4;
        expect(word(at) == 3, "pageable memory is staged");
        staging[1] = 5;
        ok(CU(cuMemcpyDtoHAsync)(staging + 1, at, 4, stream));
        expect(staging[1] == 5, "nothing arrives before it is waited for");
        ok(CU(cuStreamSynchronize)(stream));
        expect(staging[1] == 3, "it arrives");
    });
}

TEST(registered_memory_is_pinned) {
    inProcess({}, [] {
        const Session s;
        const CUdeviceptr at = s.memory(bytes);
        static unsigned mine[32] = {1};
        ok(CU(cuMemHostRegister)(mine, sizeof mine, 0));
        gives(CU(cuMemHostRegister)(mine, 4, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "twice");
        ok(CU(cuMemcpyHtoDAsync)(at, mine, 4, s.stream()));
        mine[0] = 2;
        expect(word(at) == 2, "read when the copy runs");
        ok(CU(cuMemHostUnregister)(mine));
        gives(CU(cuMemHostUnregister)(mine), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "twice");
    });
}

TEST(pinned_memory_freed_too_early_is_found) {
    inProcess({}, [] {
        const Session s;
        unsigned* staging = s.pinned(32);
        ok(CU(cuMemcpyHtoDAsync)(s.memory(bytes), staging, 4, s.stream()));
        ok(CU(cuMemFreeHost)(staging));
        gives(CU(cuCtxSynchronize)(), CUDA_ERROR_ILLEGAL_ADDRESS, "the copy");
    });
}

TEST(the_default_stream_waits_for_blocking_streams_only) {
    inProcess({}, [] {
        const Session s;
        const CUdeviceptr a = s.memory(bytes), b = s.memory(bytes);
        unsigned* out = s.pinned(2);
        ok(CU(cuMemsetD32)(a, 1, 32));
        ok(CU(cuMemsetD32)(b, 1, 32));
        ok(CU(cuCtxSynchronize)());
        launchAdd(s, s.stream(CU_STREAM_DEFAULT), a, 1);
        launchAdd(s, s.stream(CU_STREAM_NON_BLOCKING), b, 1);
        ok(CU(cuMemcpyDtoH)(out, a, 4));
        ok(CU(cuMemcpyDtoH)(out + 1, b, 4));
        expect(out[0] == 2, "the blocking stream came first");
        expect(out[1] == 1, "the other one did not");
        const CUstream blocking = s.stream(CU_STREAM_DEFAULT);
        launchAdd(s, nullptr, a, 1);
        ok(CU(cuMemcpyDtoHAsync)(out, a, 4, blocking));
        ok(CU(cuStreamSynchronize)(blocking));
        expect(out[0] == 3, "a blocking stream waits for the default one");
    });
}

TEST(polling_comes_to_an_end) {
    inProcess({}, [] {
        const Session s;
        const CUstream stream = s.stream();
        const CUdeviceptr at = s.memory(bytes);
        CUevent event = nullptr;
        ok(CU(cuEventCreate)(&event, 0));
        ok(CU(cuEventQuery)(event), "never recorded");
        ok(CU(cuMemsetD32Async)(at, 0, 32, stream));
        for (int i = 0; i < 3; i++) launchAdd(s, stream, at, 1);
        ok(CU(cuEventRecord)(event, stream));
        int polls = 0;
        for (CUresult r; (r = CU(cuEventQuery)(event)) != CUDA_SUCCESS; polls++) gives(r, CUDA_ERROR_NOT_READY, "poll");
        expect(polls >= 3 && polls < 10, "polls");
        ok(CU(cuStreamQuery)(stream));
        expect(word(at) == 3, "the result");
    });
}

TEST(events_measure_and_refuse) {
    inProcess({}, [] {
        const Session s;
        const CUstream stream = s.stream();
        CUevent a = nullptr, b = nullptr, plain = nullptr;
        float ms = -1;
        ok(CU(cuEventCreate)(&a, 0));
        ok(CU(cuEventCreate)(&b, 0));
        ok(CU(cuEventCreate)(&plain, CU_EVENT_DISABLE_TIMING));
        gives(CU(cuEventElapsedTime)(&ms, a, b), CUDA_ERROR_INVALID_HANDLE, "not recorded");
        ok(CU(cuEventRecord)(a, stream));
        ok(CU(cuEventRecord)(b, stream));
        gives(CU(cuEventElapsedTime)(&ms, a, b), CUDA_ERROR_NOT_READY, "not come");
        ok(CU(cuEventSynchronize)(b));
        ok(CU(cuEventElapsedTime)(&ms, a, b));
        expect(ms >= 0, "time goes forward");
        gives(CU(cuEventElapsedTime)(&ms, a, plain), CUDA_ERROR_INVALID_HANDLE, "without timing");
        ok(CU(cuEventDestroy)(a));
        gives(CU(cuEventRecord)(a, stream), CUDA_ERROR_INVALID_HANDLE, "destroyed event");
        ok(CU(cuStreamDestroy)(stream));
        gives(CU(cuStreamSynchronize)(stream), CUDA_ERROR_INVALID_HANDLE, "destroyed stream");
        gives(CU(cuEventRecord)(b, stream), CUDA_ERROR_INVALID_HANDLE, "record on a destroyed stream");
    });
}
