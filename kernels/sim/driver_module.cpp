// Modules and functions: PTX only, parsed once a process.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

// Images that are machine code, and their wrappers.
constexpr uint32_t elf = 0x464c457f, fatbin = 0xba55ed50, fatbinWrapper = 0x466243b1;

// isaOf is the newest PTX that a driver's compiler reads; 804 is 8.4.
int isaOf(int driverVersion) {
    const int cuda = driverVersion / 10;  // 1204 is 12.4
    if (cuda < 1200) return cuda - 400;   // CUDA 11.x reads 7.x
    if (cuda <= 1205) return cuda - 400;  // CUDA 12.x reads 8.x
    if (cuda <= 1299) return cuda - 401;  // from 12.6 on, one less
    return cuda - 400;                    // CUDA 13.x reads 9.x
}

// textOf is the PTX to run: what was given, or the file that TACASIM_PTX names,
// with which tests try kernels that are slightly wrong.
std::string textOf(const char* given) {
    const std::string& other = driver().settings.ptx;
    if (other.empty()) return given;
    std::ostringstream all;
    all << std::ifstream(other).rdbuf();
    return all.str();
}

std::shared_ptr<const Module> parsed(const std::string& text) {
    static std::map<std::string, std::shared_ptr<const Module>> known;
    auto& module = known[text];
    if (!module) module = parse(text);
    return module;
}

CUresult load(CUmodule* handle, const char* image) {
    SIM_ENTER;
    SIM_NEED(handle && image);
    if (CUresult r = d.refuse()) return r;
    if (d.fails("module")) return CUDA_ERROR_OUT_OF_MEMORY;
    uint32_t magic = 0;
    memcpy(&magic, image, strnlen(image, sizeof magic));
    if (magic == elf || magic == fatbin || magic == fatbinWrapper) return CUDA_ERROR_NO_BINARY_FOR_GPU;
    try {
        auto module = parsed(textOf(image));
        int major = 0, minor = 0;
        sscanf(module->version.c_str(), "%d.%d", &major, &minor);
        if (major * 100 + minor > isaOf(d.settings.version)) return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
        if (module->target > d.settings.capability) return CUDA_ERROR_INVALID_PTX;
        auto made = std::make_shared<LoadedModule>();
        made->context = c;
        made->module = module;
        *handle = d.handle<CUmodule>();
        d.modules[*handle] = made;
    } catch (const Fault& fault) {
        say(fault.what());
        return CUDA_ERROR_INVALID_PTX;
    }
    d.changed();
    return CUDA_SUCCESS;
}

}  // namespace
}  // namespace sim

SIM_CALL cuModuleLoadData(CUmodule* module, const void* image) { return sim::load(module, static_cast<const char*>(image)); }

SIM_CALL cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, CUjit_option*, void**) { return cuModuleLoadData(module, image); }

SIM_CALL cuModuleLoad(CUmodule* module, const char* path) {
    SIM_NEED(path);
    std::ifstream in(path, std::ios::binary);
    if (!in) return CUDA_ERROR_FILE_NOT_FOUND;
    std::ostringstream all;
    all << in.rdbuf();
    return cuModuleLoadData(module, all.str().c_str());
}

SIM_CALL cuModuleUnload(CUmodule module) {
    SIM_ENTER;
    LoadedModule* m = look(d.modules, module);
    if (!m) return CUDA_ERROR_INVALID_HANDLE;
    for (auto& [name, function] : m->functions) d.functions.erase(function);
    d.modules.erase(module);
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    SIM_ENTER;
    SIM_NEED(function && name);
    LoadedModule* m = look(d.modules, module);
    if (!m) return CUDA_ERROR_INVALID_HANDLE;
    const Kernel* kernel = find(*m->module, name);
    if (!kernel) return CUDA_ERROR_NOT_FOUND;
    CUfunction& made = m->functions[name];
    if (!made) {
        made = d.handle<CUfunction>();
        d.functions[made] = std::make_shared<Function>(Function{kernel, m, (48 << 10) - int(kernel->staticShared)});
    }
    *function = made;
    return CUDA_SUCCESS;
}

SIM_CALL cuFuncSetAttribute(CUfunction function, CUfunction_attribute which, int value) {
    SIM_ENTER;
    Function* f = look(d.functions, function);
    if (!f) return CUDA_ERROR_INVALID_HANDLE;
    if (which == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) return value >= -1 && value <= 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    SIM_NEED(which == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    SIM_NEED(value >= 0 && value + int(f->kernel->staticShared) <= card(d.settings.capability).sharedOptIn);
    f->dynamicShared = value;
    return CUDA_SUCCESS;
}

SIM_CALL cuFuncGetAttribute(int* value, CUfunction_attribute which, CUfunction function) {
    SIM_ENTER;
    SIM_NEED(value);
    const Function* f = look(d.functions, function);
    if (!f) return CUDA_ERROR_INVALID_HANDLE;
    switch (which) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = f->dynamicShared; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = int(f->kernel->staticShared); break;
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = f->kernel->maxThreads ? int(f->kernel->maxThreads) : 1024; break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = f->module->module->target; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; break;  // the assembler's; unknown here
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

// Shared memory, threads and blocks are counted; registers are the assembler's.
SIM_CALL cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, size_t dynamicShared) {
    SIM_ENTER;
    SIM_NEED(blocks && threads > 0);
    const Function* f = look(d.functions, function);
    if (!f) return CUDA_ERROR_INVALID_HANDLE;
    const Card& on = card(d.settings.capability);
    const size_t each = f->kernel->staticShared + dynamicShared + 1024, whole = size_t(threads + 31) / 32 * 32;
    if (threads > 1024 || dynamicShared > size_t(f->dynamicShared)) {
        *blocks = 0;
        return CUDA_SUCCESS;
    }
    *blocks = int(std::min({size_t(on.sharedPerProcessor) / each, size_t(on.threadsPerProcessor) / whole, size_t(on.blocksPerProcessor)}));
    return CUDA_SUCCESS;
}
