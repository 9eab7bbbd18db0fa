// Launches of kernels, and of functions of the host.
#include <cstring>

#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

// Kept is a launch with all it needs when its turn comes; the module may have
// been unloaded by then.
struct Kept {
    std::shared_ptr<const Module> module;
    const Kernel* kernel;
    std::vector<uint8_t> parameters;
    Launch launch;

    void operator()() const {
        Driver& d = driver();
        if (d.fails("launch-async")) throw Failure{CUDA_ERROR_LAUNCH_FAILED};
        run(*kernel, executing->device->memory, parameters.data(), launch, d.counters[kernel->name]);
    }
};

// passed copies the parameters, from one pointer each or from one buffer; false
// if the buffer does not hold them.
bool passed(const Kernel& kernel, void** each, void** extra, std::vector<uint8_t>& to) {
    to.assign(kernel.parameterBytes, 0);
    if (each) {
        for (size_t i = 0; i < kernel.parameters.size(); i++)
            memcpy(&to[kernel.parameters[i].offset], each[i], kernel.parameters[i].bytes);
        return true;
    }
    const void* buffer = nullptr;
    size_t bytes = 0;
    for (void** e = extra; e && *e != CU_LAUNCH_PARAM_END; e += 2) {
        if (*e == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = e[1];
        else if (*e == CU_LAUNCH_PARAM_BUFFER_SIZE) bytes = *static_cast<size_t*>(e[1]);
        else return false;
    }
    if (bytes < to.size() || (!buffer && !to.empty())) return false;
    if (!to.empty()) memcpy(to.data(), buffer, to.size());
    return true;
}

CUresult checked(const Function& f, const Launch& l) {
    const uint64_t threads = uint64_t(l.block[0]) * l.block[1] * l.block[2];
    for (int i = 0; i < 3; i++) SIM_NEED(l.grid[i] && l.block[i]);
    SIM_NEED(l.grid[0] <= 0x7fffffff && l.grid[1] <= 65535 && l.grid[2] <= 65535);
    SIM_NEED(l.block[0] <= 1024 && l.block[1] <= 1024 && l.block[2] <= 64 && threads <= 1024);
    SIM_NEED(!f.kernel->maxThreads || threads <= f.kernel->maxThreads);
    SIM_NEED(l.dynamicShared <= uint32_t(f.dynamicShared));
    return CUDA_SUCCESS;
}

}  // namespace
}  // namespace sim

SIM_CALL cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, CUstream stream, void** parameters, void** extra) {
    SIM_ENTER;
    const Function* f = look(d.functions, function);
    Stream* s = d.stream(*c, stream);
    if (!f || !s) return CUDA_ERROR_INVALID_HANDLE;
    Kept kept{f->module->module, f->kernel, {}, {}};
    kept.launch = {{gx, gy, gz}, {bx, by, bz}, shared, d.settings.seed ? d.settings.seed : 1, d.settings.check};
    if (CUresult r = checked(*f, kept.launch)) return r;
    SIM_NEED(passed(*f->kernel, parameters, extra, kept.parameters));
    if (d.fails("launch")) return c->broken = CUDA_ERROR_LAUNCH_FAILED;
    if (!s->capture) d.totals.kernelLaunches++;
    return d.put(*s, {Does::kernel, std::move(kept)});
}

SIM_CALL cuLaunchKernelEx(const CUlaunchConfig* l, CUfunction f, void** parameters, void** extra) {
    SIM_NEED(l);
    return cuLaunchKernel(f, l->gridDimX, l->gridDimY, l->gridDimZ, l->blockDimX, l->blockDimY, l->blockDimZ, l->sharedMemBytes, l->hStream,
                          parameters, extra);
}

SIM_CALL cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    SIM_NEED(function);
    return d.put(*s, {Does::host, [=] {
                          driver().totals.hostFunctions++;
                          function(data);
                      }});
}
