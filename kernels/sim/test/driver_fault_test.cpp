// Wrong use, failures that are asked for, limits, reports.
#include "driver_process.hpp"

namespace {

constexpr size_t bytes = 32 * 4;

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

CUresult launchAs(CUfunction f, unsigned grid, unsigned block, unsigned shared, CUstream stream, CUdeviceptr at) {
    uint64_t n = 1;
    void* parameters[] = {&at, &n};
    return CU(cuLaunchKernel)(f, grid, 1, 1, block, 1, 1, shared, stream, parameters, nullptr);
}

}  // namespace

TEST(devices_as_asked_for) {
    inProcess({{"TACASIM_DEVICES", "0"}}, [] { gives(CU(cuInit)(0), CUDA_ERROR_NO_DEVICE, "no device"); });
    inProcess({{"TACASIM_INIT", "803"}}, [] { gives(CU(cuInit)(0), CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "init"); });
    inProcess({{"TACASIM_DEVICES", "2"}, {"TACASIM_CAPABILITY", "86"}, {"TACASIM_DRIVER", "11040"}}, [] {
        int n = 0, version = 0;
        gives(CU(cuDeviceGetCount)(&n), CUDA_ERROR_NOT_INITIALIZED, "before cuInit");
        ok(CU(cuInit)(0));
        ok(CU(cuDeviceGetCount)(&n));
        ok(CU(cuDriverGetVersion)(&version));
        expect(n == 2 && version == 11040, "count and version");
        CUdevice device = 0;
        gives(CU(cuDeviceGet)(&device, 2), CUDA_ERROR_INVALID_DEVICE, "third device");
        ok(CU(cuDeviceGetAttribute)(&n, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 1));
        expect(n == 99 << 10, "shared memory of sm_86");
        CUuuid a, b;
        ok(CU(cuDeviceGetUuid_v2)(&a, 0));
        ok(CU(cuDeviceGetUuid_v2)(&b, 1));
        expect(memcmp(&a, &b, sizeof a) != 0, "two cards have two names");
        CUdeviceptr at = 0;
        gives(CU(cuMemAlloc)(&at, 4), CUDA_ERROR_INVALID_CONTEXT, "no context");
    });
}

TEST(modules_that_do_not_fit) {
    const auto module = [](const char* version, const char* target) {
        return std::string(".version ") + version + "\n.target " + target + "\n.address_size 64\n.visible .entry k()\n{ ret; }\n";
    };
    inProcess({{"TACASIM_DRIVER", "11040"}, {"TACASIM_CAPABILITY", "80"}}, [&] {
        const Session s;
        CUmodule m = nullptr;
        ok(CU(cuModuleLoadData)(&m, module("7.4", "sm_80").c_str()), "7.4");
        gives(CU(cuModuleLoadData)(&m, module("7.5", "sm_80").c_str()), CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "7.5");
        gives(CU(cuModuleLoadData)(&m, module("7.4", "sm_86").c_str()), CUDA_ERROR_INVALID_PTX, "sm_86");
        gives(CU(cuModuleLoadData)(&m, "nonsense"), CUDA_ERROR_INVALID_PTX, "nonsense");
        gives(CU(cuModuleLoadData)(&m, "\x7f" "ELF...."), CUDA_ERROR_NO_BINARY_FOR_GPU, "machine code");
        gives(CU(cuModuleLoadData)(&m, "\x50\xed\x55\xba...."), CUDA_ERROR_NO_BINARY_FOR_GPU, "fatbin");
        CUfunction f = nullptr;
        gives(CU(cuModuleGetFunction)(&f, s.module, "missing"), CUDA_ERROR_NOT_FOUND, "function");
        ok(CU(cuModuleUnload)(s.module));
        gives(CU(cuModuleGetFunction)(&f, s.module, "add"), CUDA_ERROR_INVALID_HANDLE, "unloaded module");
    });
}

TEST(launches_that_do_not_fit) {
    inProcess({}, [] {
        const Session s;
        const CUstream stream = s.stream();
        const CUdeviceptr at = s.memory(bytes);
        const CUfunction add = s.function("add"), copy = s.function("copy");
        gives(launchAs(add, 0, 32, 0, stream, at), CUDA_ERROR_INVALID_VALUE, "empty grid");
        gives(launchAs(copy, 1, 2048, 0, stream, at), CUDA_ERROR_INVALID_VALUE, "2048 threads");
        gives(launchAs(add, 1, 96, 0, stream, at), CUDA_ERROR_INVALID_VALUE, "more than .maxntid");
        gives(launchAs(add, 1, 32, 49 << 10, stream, at), CUDA_ERROR_INVALID_VALUE, "49 KiB without the attribute");
        ok(CU(cuFuncSetAttribute)(add, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 49 << 10));
        gives(CU(cuFuncSetAttribute)(add, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 164 << 10), CUDA_ERROR_INVALID_VALUE, "164 KiB");
        ok(CU(cuMemsetD32)(at, 1, 32));
        ok(CU(cuCtxSynchronize)());
        ok(launchAs(add, 1, 32, 49 << 10, stream, at), "49 KiB with it");
        expect(word(at) == 2, "the result");
        ok(CU(cuStreamDestroy)(stream));
        gives(launchAs(add, 1, 32, 0, stream, at), CUDA_ERROR_INVALID_HANDLE, "destroyed stream");
    });
}

TEST(memory_has_a_limit) {
    inProcess({{"TACASIM_MEMORY", "64M"}}, [] {
        const Session s;
        size_t free = 0, total = 0;
        CUdeviceptr a = 0, b = 0;
        gives(CU(cuMemAlloc)(&a, 0), CUDA_ERROR_INVALID_VALUE, "nothing");
        ok(CU(cuMemAlloc)(&a, 48 << 20));
        expect(a % 256 == 0, "alignment");
        ok(CU(cuMemAlloc)(&b, 1));
        ok(CU(cuMemGetInfo)(&free, &total));
        expect(total == 64 << 20 && free == (16 << 20) - 512, "what is left");
        CUdeviceptr more = 0, base = 0;
        gives(CU(cuMemAlloc)(&more, 16 << 20), CUDA_ERROR_OUT_OF_MEMORY, "too much");
        size_t size = 0;
        ok(CU(cuMemGetAddressRange)(&base, &size, a + 12345));
        expect(base == a && size == 48 << 20, "range");
        unsigned w = 0;
        ok(CU(cuMemcpyDtoH)(&w, a + (40 << 20), 4));
        expect(w == 0xffffffff, "fresh memory is NaN");
        gives(CU(cuMemcpyDtoH)(&w, b, 4), CUDA_ERROR_INVALID_VALUE, "copy beyond the end");
        ok(CU(cuMemFree)(a));
        gives(CU(cuMemFree)(a), CUDA_ERROR_INVALID_VALUE, "free twice");
        ok(CU(cuMemAlloc)(&more, 16 << 20), "room again");
    });
}

TEST(a_kernel_that_fails_breaks_the_context) {
    inProcess({}, [] {
        const Session s;
        const CUstream stream = s.stream();
        const CUdeviceptr at = s.memory(bytes);
        launchAdd(s, stream, at, 1);  // reads what nobody wrote
        gives(CU(cuStreamSynchronize)(stream), CUDA_ERROR_ILLEGAL_ADDRESS, "sync");
        CUdeviceptr more = 0;
        gives(CU(cuMemAlloc)(&more, 4), CUDA_ERROR_ILLEGAL_ADDRESS, "later calls");
        gives(CU(cuMemFree)(at), CUDA_ERROR_ILLEGAL_ADDRESS, "even free");
        ok(CU(cuCtxDestroy)(s.context));
        const Session again;
        ok(CU(cuMemAlloc)(&more, 4), "a new context works");
    });
    inProcess({{"TACASIM_CHECK", "0"}}, [] {
        const Session s;
        launchAdd(s, nullptr, s.memory(bytes), 1);
        ok(CU(cuCtxSynchronize)(), "without checks nobody sees it");
    });
}

TEST(failures_on_demand) {
    inProcess({{"TACASIM_FAIL", "alloc:2,pinned:1,event:1,module:2"}}, [] {
        const Session s;
        CUdeviceptr at = 0;
        void* pinned = nullptr;
        CUevent event = nullptr;
        CUmodule module = nullptr;
        ok(CU(cuMemAlloc)(&at, 4));
        gives(CU(cuMemAlloc)(&at, 4), CUDA_ERROR_OUT_OF_MEMORY, "second alloc");
        ok(CU(cuMemAlloc)(&at, 4));
        gives(CU(cuMemAllocHost)(&pinned, 4), CUDA_ERROR_OUT_OF_MEMORY, "pinned");
        gives(CU(cuEventCreate)(&event, 0), CUDA_ERROR_OUT_OF_MEMORY, "event");
        gives(CU(cuModuleLoadData)(&module, ""), CUDA_ERROR_OUT_OF_MEMORY, "module");
    });
    inProcess({{"TACASIM_FAIL", "launch:2"}}, [] {
        const Session s;
        const CUdeviceptr at = s.memory(bytes);
        ok(CU(cuMemsetD32)(at, 0, 32));
        launchAdd(s, nullptr, at, 1);
        gives(launchAs(s.function("add"), 1, 32, 0, nullptr, at), CUDA_ERROR_LAUNCH_FAILED, "second launch");
        gives(CU(cuCtxSynchronize)(), CUDA_ERROR_LAUNCH_FAILED, "later calls");
    });
    inProcess({{"TACASIM_FAIL", "launch-async:2"}}, [] {
        const Session s;
        const CUdeviceptr at = s.memory(bytes);
        ok(CU(cuMemsetD32)(at, 0, 32));
        launchAdd(s, nullptr, at, 1);
        launchAdd(s, nullptr, at, 1);
        gives(CU(cuCtxSynchronize)(), CUDA_ERROR_LAUNCH_FAILED, "the wait");
    });
    inProcess({{"TACASIM_FAIL", "copy:1"}}, [] {
        const Session s;
        unsigned w = 0;
        gives(CU(cuMemcpyHtoDAsync)(s.memory(4), &w, 4, nullptr), CUDA_ERROR_ILLEGAL_ADDRESS, "copy");
    });
}

TEST(reports) {
    const std::string leaks = temporary("leaks"), stats = temporary("stats");
    inProcess({{"TACASIM_LEAKS", leaks}, {"TACASIM_STATS", stats}}, [&] {
        const Session s;
        const CUdeviceptr at = s.memory(bytes);
        s.stream();
        CUevent event = nullptr;
        ok(CU(cuEventCreate)(&event, 0));
        ok(CU(cuMemsetD32)(at, 0, 32));
        launchAdd(s, nullptr, at, 1);
        expect(word(at) == 1, "the result");
    });
    const std::string alive = contents(leaks), counted = contents(stats);
    expect(says(alive, "{\"bytes\":512,\"streams\":1,\"events\":1,\"graphs\":0,\"modules\":1,\"pinned\":0,\"contexts\":1}"), "what is alive: " + alive);
    expect(says(counted, "{\"kernel\":\"add\",\"launches\":1,"), "kernels: " + counted);
    expect(says(counted, "\"globalLoad\":4,\"globalLoad_ideal\":4"), "sectors: " + counted);
    expect(says(counted, "\"kernelLaunches\":1,"), "totals: " + counted);
    expect(says(counted, "\"fromDevice\":{\"copies\":1,\"bytes\":4}"), "copies: " + counted);
    expect(says(counted, "\"peakBytes\":512"), "peak: " + counted);
    inProcess({{"TACASIM_LEAKS", leaks}}, [] {
        const Session s;
        s.memory(bytes);
        ok(CU(cuCtxDestroy)(s.context));
    });
    const std::string gone = contents(leaks);
    expect(says(gone, "{\"bytes\":0,"), "nothing is alive: " + gone);
    expect(says(gone, "\"memory\":128"), "the context took it: " + gone);
}
