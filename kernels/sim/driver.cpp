// What all calls of the simulated driver share: who may call, and the failures
// that the environment asks for.
#include "driver.hpp"

#include <cstdio>

namespace sim {

thread_local std::vector<CUcontext> current;
thread_local Context* executing;

Driver& driver() {
    static Driver* d = new Driver;
    return *d;
}

Driver::Driver() : random_(settings.seed) {
    for (int i = 0; i < settings.devices; i++) {
        devices.push_back(std::make_unique<Device>());
        devices.back()->ordinal = i;
    }
}

void say(const std::string& what) { fprintf(stderr, "tacasim: %s\n", what.c_str()); }

CUresult Driver::enter(Context*& context) {
    if (executing) return CUDA_ERROR_NOT_PERMITTED;  // a host function may not call the driver
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (current.empty() || !current.back()) return CUDA_ERROR_INVALID_CONTEXT;
    context = look(contexts, current.back());
    if (!context) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return context->broken;
}

CUresult Driver::refuse() {
    CUresult result = CUDA_SUCCESS;
    for (auto& capture : captures) {
        const bool mine = capture->thread == std::this_thread::get_id();
        if (capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL || (capture->mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && mine)) {
            capture->invalid = true;
            result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
    }
    return result;
}

bool Driver::fails(const char* kind) {
    const auto at = settings.failures.find(kind);
    return at != settings.failures.end() && ++calls_[kind] == at->second;
}

Stream* Driver::stream(Context& context, CUstream handle) {
    if (!handle || handle == CU_STREAM_LEGACY) return &context.defaultStream;
    return look(streams, handle);
}

}  // namespace sim
