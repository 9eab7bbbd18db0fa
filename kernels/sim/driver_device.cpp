// Starting the driver, and what devices say of themselves.
#include <cstdio>
#include <cstring>

#include "driver.hpp"

using sim::driver;

namespace {

// device answers for a device that is there, and a driver that was started.
CUresult known(CUdevice device) {
    if (!driver().started) return CUDA_ERROR_NOT_INITIALIZED;
    return device < 0 || device >= CUdevice(driver().devices.size()) ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

int attribute(CUdevice_attribute which, CUdevice device) {
    const sim::Settings& s = driver().settings;
    const sim::Card& card = sim::card(s.capability);
    switch (which) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return s.capability / 10;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return s.capability % 10;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return card.processors;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return card.sharedOptIn;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return card.sharedPerProcessor;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return card.threadsPerProcessor;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: return card.blocksPerProcessor;
    case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: return device + 1;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK: return s.capability >= 80 ? 1024 : 0;
    case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 64 << 10;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
    case CU_DEVICE_ATTRIBUTE_MAX_PITCH: return 0x7fffffff;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return 1410000;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return 1215000;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return 5120;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return 40 << 20;
    case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT: return 512;
    case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 2;
    case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP:
    case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
    case CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED:
    case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM: return 1;
    case CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH: return s.capability >= 90;
    default: return 0;  // not offered: mapped and managed memory, peers, pools
    }
}

}  // namespace

SIM_CALL cuInit(unsigned flags) {
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    SIM_NEED(!flags);
    if (d.settings.init) return CUresult(d.settings.init);
    if (d.devices.empty()) return CUDA_ERROR_NO_DEVICE;
    d.started = true;
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuDriverGetVersion(int* version) {
    SIM_NEED(version);
    *version = driver().settings.version;
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetCount(int* count) {
    SIM_NEED(count);
    if (!driver().started) return CUDA_ERROR_NOT_INITIALIZED;
    *count = int(driver().devices.size());
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGet(CUdevice* device, int ordinal) {
    SIM_NEED(device);
    if (CUresult r = known(ordinal)) return r;
    *device = ordinal;
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetName(char* name, int size, CUdevice device) {
    SIM_NEED(name && size > 0);
    if (CUresult r = known(device)) return r;
    snprintf(name, size_t(size), "Simulated sm_%d", driver().settings.capability);
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) {
    SIM_NEED(uuid);
    if (CUresult r = known(device)) return r;
    memset(uuid->bytes, 0, sizeof uuid->bytes);
    memcpy(uuid->bytes, "taca", 4);
    uuid->bytes[15] = char(device);
    return CUDA_SUCCESS;
}

#undef cuDeviceGetUuid
SIM_CALL cuDeviceGetUuid(CUuuid* uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

SIM_CALL cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    SIM_NEED(bytes);
    if (CUresult r = known(device)) return r;
    *bytes = driver().settings.memory;
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetAttribute(int* value, CUdevice_attribute which, CUdevice device) {
    SIM_NEED(value && which > 0 && which < CU_DEVICE_ATTRIBUTE_MAX);
    if (CUresult r = known(device)) return r;
    *value = attribute(which, device);
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceGetPCIBusId(char* id, int size, CUdevice device) {
    SIM_NEED(id && size > 12);
    if (CUresult r = known(device)) return r;
    snprintf(id, size_t(size), "0000:%02x:00.0", unsigned(device + 1) & 0xff);
    return CUDA_SUCCESS;
}

SIM_CALL cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
    SIM_NEED(can);
    if (CUresult r = known(device)) return r;
    if (CUresult r = known(peer)) return r;
    *can = 0;
    return CUDA_SUCCESS;
}
