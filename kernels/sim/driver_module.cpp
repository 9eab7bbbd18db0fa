// Modules, functions and launches.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "driver.hpp"

using sim::driver;

namespace sim {

// text is the PTX to run: what was given, or the file that TACASIM_PTX names,
// with which tests try kernels that are slightly wrong.
static std::string text(const char* given) {
    const char* other = getenv("TACASIM_PTX");
    if (!other || !*other) return given;
    std::ostringstream all;
    all << std::ifstream(other).rdbuf();
    return all.str();
}

// newer reports whether a driver is too old for a version of PTX: CUDA 11.x
// reads PTX up to 7.x, 12.x up to 8.x less one from 12.0 on.
static bool newer(const std::string& ptx, int driverVersion) {
    int major = 0, minor = 0;
    sscanf(ptx.c_str(), "%d.%d", &major, &minor);
    const int cuda = driverVersion / 10;  // 1204 is 12.4
    return major * 100 + minor > cuda - 400;
}

}  // namespace sim

SIM_CALL cuModuleLoadData(CUmodule* module, const void* image) {
    SIM_READY;
    if (d.fails("module")) return CUDA_ERROR_OUT_OF_MEMORY;
    unsigned magic;
    memcpy(&magic, image, sizeof magic);
    if (magic == 0x464c457f || magic == 0xba55ed50) return CUDA_ERROR_NO_BINARY_FOR_GPU;  // an ELF file or a fatbin
    try {
        auto loaded = std::make_unique<LoadedModule>();
        loaded->module = parse(text(static_cast<const char*>(image)));
        if (loaded->module->target > d.capability()) return CUDA_ERROR_NO_BINARY_FOR_GPU;
        if (newer(loaded->module->version, d.version())) return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
        *module = d.handle<CUmodule>();
        d.modules[*module] = std::move(loaded);
        return CUDA_SUCCESS;
    } catch (const Fault& fault) {
        fprintf(stderr, "tacasim: %s\n", fault.what());
        return CUDA_ERROR_INVALID_PTX;
    }
}

SIM_CALL cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, CUjit_option*, void**) { return cuModuleLoadData(module, image); }

SIM_CALL cuModuleUnload(CUmodule module) {
    SIM_READY;
    if (CUresult r = d.drain(nullptr)) return r;
    return d.modules.erase(module) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

SIM_CALL cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    SIM_READY;
    const auto found = d.modules.find(module);
    if (found == d.modules.end()) return CUDA_ERROR_INVALID_HANDLE;
    const Kernel* kernel = find(*found->second->module, name);
    if (!kernel) return CUDA_ERROR_NOT_FOUND;
    auto& f = found->second->functions[name];
    if (!f) f.reset(new Function{kernel});
    *function = reinterpret_cast<CUfunction>(f.get());
    return CUDA_SUCCESS;
}

SIM_CALL cuFuncSetAttribute(CUfunction function, CUfunction_attribute which, int value) {
    SIM_READY;
    Function* f = reinterpret_cast<Function*>(function);
    if (which != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
    if (value < 0 || value + int(f->kernel->staticShared) > d.sharedOptIn()) return CUDA_ERROR_INVALID_VALUE;
    f->dynamicShared = value;
    return CUDA_SUCCESS;
}

SIM_CALL cuFuncGetAttribute(int* value, CUfunction_attribute which, CUfunction function) {
    SIM_READY;
    const Function* f = reinterpret_cast<Function*>(function);
    switch (which) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = f->dynamicShared; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = int(f->kernel->staticShared); break;
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = f->kernel->maxThreads ? int(f->kernel->maxThreads) : 1024; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

// Only shared memory is counted: registers are the assembler's.
SIM_CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, size_t dynamicShared) {
    SIM_READY;
    const Function* f = reinterpret_cast<Function*>(function);
    const size_t each = f->kernel->staticShared + dynamicShared + 1024;
    *blocks = int(std::min(size_t(d.sharedOptIn() + 1024) / each, size_t(1536 / threads)));
    return CUDA_SUCCESS;
}

namespace sim {

static CUresult interpret(const Kernel* kernel, const std::vector<uint8_t>& parameters, const Launch& launch) {
    Driver& d = driver();
    if (d.fails("launch-async")) return CUDA_ERROR_LAUNCH_FAILED;
    try {
        Counters counters;
        run(*kernel, d.memory, parameters.data(), launch, counters);
        d.count(kernel->name, counters);
        return CUDA_SUCCESS;
    } catch (const Fault& fault) {
        fprintf(stderr, "tacasim: %s\n", fault.what());
        return CUDA_ERROR_ILLEGAL_ADDRESS;
    }
}

}  // namespace sim

SIM_CALL cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, CUstream stream, void** parameters, void**) {
    SIM_READY;
    const Function* f = reinterpret_cast<Function*>(function);
    const Kernel* k = f->kernel;
    if (!gx || !gy || !gz || gx > 0x7fffffff || gy > 65535 || gz > 65535 || !bx || !by || !bz || bx * by * bz > 1024) return CUDA_ERROR_INVALID_VALUE;
    if (int(shared) > f->dynamicShared) return CUDA_ERROR_INVALID_VALUE;
    if (k->maxThreads && bx * by * bz > k->maxThreads) return CUDA_ERROR_INVALID_VALUE;
    if (d.fails("launch")) return d.breakWith(CUDA_ERROR_LAUNCH_FAILED);
    std::vector<uint8_t> values(k->parameterBytes);
    for (size_t i = 0; i < k->parameters.size(); i++) memcpy(&values[k->parameters[i].offset], parameters[i], k->parameters[i].bytes);
    const char* check = getenv("TACASIM_CHECK");
    const char* seed = getenv("TACASIM_SEED");
    Launch launch;
    const unsigned grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
    for (int i = 0; i < 3; i++) launch.grid[i] = grid[i], launch.block[i] = block[i];
    launch.dynamicShared = shared;
    launch.seed = seed ? strtoull(seed, nullptr, 10) : 1;
    launch.check = !check || *check != '0';
    d.totals.kernelLaunches++;
    return d.put(stream, {[=] { return interpret(k, values, launch); }, nullptr, nullptr, 0});
}
