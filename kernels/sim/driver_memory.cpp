// Memory of the device and of the host, and the copies between them. Device
// addresses are host addresses.
#include <cstdlib>
#include <cstring>

#include "driver.hpp"

using sim::driver;

SIM_CALL cuMemAlloc_v2(CUdeviceptr* at, size_t bytes) {
    SIM_READY;
    return d.allocate(at, bytes);
}

// Freeing waits for everything, as the real driver does.
SIM_CALL cuMemFree_v2(CUdeviceptr at) {
    SIM_READY;
    if (CUresult r = d.drain(nullptr)) return r;
    return d.release(at);
}

SIM_CALL cuMemGetInfo_v2(size_t* free, size_t* total) {
    SIM_READY;
    *total = d.limit();
    *free = d.limit() - d.used();
    return CUDA_SUCCESS;
}

SIM_CALL cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr at) {
    SIM_READY;
    auto next = d.sizes.upper_bound(at);
    if (next == d.sizes.begin() || (--next, at >= next->first + next->second)) return CUDA_ERROR_INVALID_VALUE;
    if (base) *base = next->first;
    if (bytes) *bytes = next->second;
    return CUDA_SUCCESS;
}

SIM_CALL cuMemAllocHost_v2(void** at, size_t bytes) {
    SIM_READY;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (d.fails("pinned")) return CUDA_ERROR_OUT_OF_MEMORY;
    *at = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    memset(*at, 0xff, bytes);
    d.pinned[uint64_t(*at)] = bytes;
    return CUDA_SUCCESS;
}

SIM_CALL cuMemHostAlloc(void** at, size_t bytes, unsigned) { return cuMemAllocHost_v2(at, bytes); }

SIM_CALL cuMemFreeHost(void* at) {
    SIM_READY;
    if (!d.pinned.erase(uint64_t(at))) return CUDA_ERROR_INVALID_VALUE;
    if (CUresult r = d.drain(nullptr)) return r;
    free(at);
    return CUDA_SUCCESS;
}

namespace sim {

enum Way { toDevice, fromDevice, onDevice };

static CUresult move(Way way, uint64_t to, uint64_t from, size_t bytes) {
    Driver& d = driver();
    d.totals.copies[way]++;
    d.totals.copied[way] += bytes;
    if (way != toDevice && !d.memory.holds(from, bytes)) return CUDA_ERROR_ILLEGAL_ADDRESS;
    if (way != fromDevice && !d.memory.holds(to, bytes)) return CUDA_ERROR_ILLEGAL_ADDRESS;
    memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
    if (way != fromDevice) d.memory.wrote(to, bytes);
    return CUDA_SUCCESS;
}

// later puts a copy on a stream. Page-locked memory is read when the copy runs,
// other host memory when it is asked for, as the real driver stages it.
static CUresult later(Way way, uint64_t to, uint64_t from, size_t bytes, CUstream stream) {
    SIM_READY;
    if (d.fails("copy")) return d.breakWith(CUDA_ERROR_ILLEGAL_ADDRESS);
    if (way == toDevice && !d.isPinned(reinterpret_cast<void*>(from), bytes)) {
        auto staged = std::make_shared<std::vector<char>>(reinterpret_cast<char*>(from), reinterpret_cast<char*>(from) + bytes);
        return d.put(stream, {[=] { return move(way, to, uint64_t(staged->data()), bytes); }, nullptr, nullptr, 0});
    }
    return d.put(stream, {[=] { return move(way, to, from, bytes); }, nullptr, nullptr, 0});
}

// now is a copy that the host waits for.
static CUresult now(Way way, uint64_t to, uint64_t from, size_t bytes) {
    if (CUresult r = later(way, to, from, bytes, nullptr)) return r;
    Lock lock(driver().mutex);
    driver().totals.hostWaits++;
    return driver().drain(driver().stream(nullptr));
}

}  // namespace sim

SIM_CALL cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t n) { return sim::now(sim::toDevice, to, uint64_t(from), n); }
SIM_CALL cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t n) { return sim::now(sim::fromDevice, uint64_t(to), from, n); }
SIM_CALL cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) { return sim::now(sim::onDevice, to, from, n); }
SIM_CALL cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t n, CUstream s) { return sim::later(sim::toDevice, to, uint64_t(from), n, s); }
SIM_CALL cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t n, CUstream s) { return sim::later(sim::fromDevice, uint64_t(to), from, n, s); }
SIM_CALL cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) { return sim::later(sim::onDevice, to, from, n, s); }

SIM_CALL cuMemsetD8Async(CUdeviceptr at, unsigned char value, size_t bytes, CUstream stream) {
    SIM_READY;
    return d.put(stream, {[=] {
                     Driver& now = driver();
                     if (!now.memory.holds(at, bytes)) return CUDA_ERROR_ILLEGAL_ADDRESS;
                     memset(reinterpret_cast<void*>(at), value, bytes);
                     now.memory.wrote(at, bytes);
                     return CUDA_SUCCESS;
                 }, nullptr, nullptr, 0});
}

SIM_CALL cuMemsetD8_v2(CUdeviceptr at, unsigned char value, size_t bytes) {
    if (CUresult r = cuMemsetD8Async(at, value, bytes, nullptr)) return r;
    return cuCtxSynchronize();
}
