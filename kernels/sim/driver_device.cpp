// Devices and contexts.
#include <cstdio>
#include <cstring>

#include "driver.hpp"

using sim::driver;

SIM_CALL cuInit(unsigned flags) {
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (d.devices() == 0) return CUDA_ERROR_NO_DEVICE;
    d.started = true;
    return CUDA_SUCCESS;
}

SIM_CALL cuDriverGetVersion(int* version) {
    *version = driver().version();
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetCount(int* count) {
    if (!driver().started) return CUDA_ERROR_NOT_INITIALIZED;
    *count = driver().devices();
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGet(CUdevice* device, int ordinal) {
    if (!driver().started) return CUDA_ERROR_NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= driver().devices()) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetName(char* name, int size, CUdevice) {
    snprintf(name, size_t(size), "Simulated sm_%d", driver().capability());
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
    memset(uuid->bytes, 0, sizeof uuid->bytes);
    memcpy(uuid->bytes, "taca", 4);
    uuid->bytes[15] = char(device);
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceTotalMem_v2(size_t* bytes, CUdevice) {
    *bytes = driver().limit();
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetAttribute(int* value, CUdevice_attribute which, CUdevice) {
    const sim::Driver& d = driver();
    switch (int(which)) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = d.capability() / 10; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = d.capability() % 10; break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = d.processors(); break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 48 << 10; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = d.sharedOptIn(); break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: *value = d.sharedOptIn() + 1024; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceCanAccessPeer(int* can, CUdevice, CUdevice) {
    *can = 0;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxCreate_v2(CUcontext* context, unsigned, CUdevice device) {
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    if (!d.started) return CUDA_ERROR_NOT_INITIALIZED;
    if (device < 0 || device >= d.devices()) return CUDA_ERROR_INVALID_DEVICE;
    *context = sim::current = d.handle<CUcontext>();
    d.contexts.insert(*context);
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxDestroy_v2(CUcontext context) {
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    if (!d.contexts.count(context)) return CUDA_ERROR_INVALID_CONTEXT;
    d.leaveContext(context);
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxSetCurrent(CUcontext context) {
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    if (context && !d.contexts.count(context)) return CUDA_ERROR_INVALID_CONTEXT;
    sim::current = context;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetCurrent(CUcontext* context) {
    *context = sim::current;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetDevice(CUdevice* device) {
    *device = 0;
    return sim::current ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

SIM_CALL cuCtxSynchronize() {
    SIM_READY;
    d.totals.hostWaits++;
    return d.drain(nullptr);
}
