// Memory of the device, and page-locked memory of the host. Device addresses
// are host addresses; kernels and copies may only use what is allocated.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

constexpr uint64_t patternBytes = 16 << 20;
// Addresses are multiples of 256, the least that is promised, and not of 512.
constexpr uint64_t alignment = 256;

uint64_t rounded(uint64_t bytes) { return (bytes + 511) / 512 * 512; }
uint64_t mapped(uint64_t bytes) { return (bytes + alignment + patternBytes - 1) / patternBytes * patternBytes; }
bool isLarge(uint64_t bytes) { return bytes >= 1 << 20; }

// pattern is a file of 0xff, NaN in every format. Large allocations are private
// mappings of it, so that gigabytes cost nothing until they are written.
int pattern() {
    static const int file = [] {
        const int fd = memfd_create("tacasim", MFD_CLOEXEC);
        const std::vector<uint8_t> block(patternBytes, 0xff);
        if (fd >= 0 && write(fd, block.data(), block.size()) != ssize_t(block.size())) return -1;
        return fd;
    }();
    return file;
}

uint8_t* map(uint64_t bytes) {
    const uint64_t size = mapped(bytes);
    void* at = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return nullptr;
    for (uint64_t lo = 0; lo < size; lo += patternBytes)
        if (mmap(static_cast<uint8_t*>(at) + lo, patternBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
                 pattern(), 0) == MAP_FAILED) {
            munmap(at, size);
            return nullptr;
        }
    return static_cast<uint8_t*>(at);
}

uint8_t* take(uint64_t bytes) {
    if (isLarge(bytes)) return map(bytes);
    uint8_t* at = static_cast<uint8_t*>(aligned_alloc(512, rounded(bytes + alignment)));
    if (at) memset(at, 0xff, rounded(bytes + alignment));
    return at;
}

void give(uint64_t at, uint64_t bytes) {
    void* base = reinterpret_cast<void*>(at - alignment);
    if (isLarge(bytes)) munmap(base, mapped(bytes));
    else free(base);
}

}  // namespace

CUresult Driver::allocate(Context& context, CUdeviceptr* at, uint64_t bytes) {
    Device& device = *context.device;
    if (fails("alloc") || bytes > settings.memory || device.used + rounded(bytes) > settings.memory) return CUDA_ERROR_OUT_OF_MEMORY;
    uint8_t* memory = take(bytes);
    if (!memory) return CUDA_ERROR_OUT_OF_MEMORY;
    *at = CUdeviceptr(memory + alignment);
    device.memory.add(*at, bytes);
    device.allocations[*at] = {bytes, &context};
    device.used += rounded(bytes);
    device.peak = std::max(device.peak, device.used);
    changed();
    return CUDA_SUCCESS;
}

CUresult Driver::release(Context& context, CUdeviceptr at) {
    Device& device = *context.device;
    const auto found = device.allocations.find(at);
    if (found == device.allocations.end()) return CUDA_ERROR_INVALID_VALUE;
    device.memory.remove(at);
    device.used -= rounded(found->second.bytes);
    give(at, found->second.bytes);
    device.allocations.erase(found);
    changed();
    return CUDA_SUCCESS;
}

std::shared_ptr<Pinned> Driver::pinnedAt(const void* at, uint64_t bytes) {
    const uint64_t address = uint64_t(at);
    auto next = pinned.upper_bound(address);
    if (next == pinned.begin()) return nullptr;
    const auto& found = std::prev(next)->second;
    return address + bytes <= found->at + found->bytes ? found : nullptr;
}

}  // namespace sim

SIM_CALL cuMemAlloc_v2(CUdeviceptr* at, size_t bytes) {
    SIM_ENTER;
    SIM_NEED(at && bytes);
    if (CUresult r = d.refuse()) return r;
    return d.allocate(*c, at, bytes);
}

// Freeing waits for everything that is under way on the device, which is
// documented. Allocating and freeing page-locked memory do not wait here.
SIM_CALL cuMemFree_v2(CUdeviceptr at) {
    SIM_ENTER;
    if (!at) return CUDA_SUCCESS;
    if (CUresult r = d.refuse()) return r;
    if (!c->device->allocations.count(at)) return CUDA_ERROR_INVALID_VALUE;
    for (auto& [handle, other] : d.contexts)
        if (other->device == c->device && !other->broken) d.waitForAll(*other);
    if (c->broken) return c->broken;
    return d.release(*c, at);
}

SIM_CALL cuMemGetInfo_v2(size_t* free, size_t* total) {
    SIM_ENTER;
    SIM_NEED(free && total);
    *total = d.settings.memory;
    *free = d.settings.memory - c->device->used;
    return CUDA_SUCCESS;
}

SIM_CALL cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr at) {
    SIM_ENTER;
    auto next = c->device->allocations.upper_bound(at);
    if (next == c->device->allocations.begin()) return CUDA_ERROR_NOT_FOUND;
    --next;
    if (at >= next->first + next->second.bytes) return CUDA_ERROR_NOT_FOUND;
    if (base) *base = next->first;
    if (bytes) *bytes = next->second.bytes;
    return CUDA_SUCCESS;
}

SIM_CALL cuMemHostAlloc(void** at, size_t bytes, unsigned flags) {
    SIM_ENTER;
    SIM_NEED(at && bytes && flags <= 7);
    if (CUresult r = d.refuse()) return r;
    if (d.fails("pinned")) return CUDA_ERROR_OUT_OF_MEMORY;
    *at = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*at) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(*at, 0xff, bytes);
    d.pinned[uint64_t(*at)] = std::make_shared<Pinned>(Pinned{uint64_t(*at), bytes, c, true, true});
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuMemAllocHost_v2(void** at, size_t bytes) { return cuMemHostAlloc(at, bytes, 0); }

SIM_CALL cuMemFreeHost(void* at) {
    SIM_ENTER;
    if (!at) return CUDA_SUCCESS;
    if (CUresult r = d.refuse()) return r;
    const auto found = d.pinned.find(uint64_t(at));
    if (found == d.pinned.end() || !found->second->ours) return CUDA_ERROR_INVALID_VALUE;
    found->second->alive = false;
    d.pinned.erase(found);
    free(at);
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuMemHostRegister_v2(void* at, size_t bytes, unsigned flags) {
    SIM_ENTER;
    SIM_NEED(at && bytes && flags <= 15);
    if (CUresult r = d.refuse()) return r;
    if (d.fails("pinned")) return CUDA_ERROR_OUT_OF_MEMORY;
    for (auto& [base, p] : d.pinned)
        if (uint64_t(at) < base + p->bytes && base < uint64_t(at) + bytes) return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    d.pinned[uint64_t(at)] = std::make_shared<Pinned>(Pinned{uint64_t(at), bytes, c, false, true});
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuMemHostUnregister(void* at) {
    SIM_ENTER;
    const auto found = d.pinned.find(uint64_t(at));
    if (found == d.pinned.end() || found->second->ours) return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
    found->second->alive = false;
    d.pinned.erase(found);
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuPointerGetAttribute(void* value, CUpointer_attribute which, CUdeviceptr at) {
    SIM_ENTER;
    SIM_NEED(value && at);
    const bool onDevice = c->device->memory.holds(at, 1);
    if (!onDevice && !d.pinnedAt(reinterpret_cast<void*>(at), 1)) return CUDA_ERROR_INVALID_VALUE;
    switch (which) {
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *static_cast<unsigned*>(value) = onDevice ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST; break;
    case CU_POINTER_ATTRIBUTE_CONTEXT: *static_cast<CUcontext*>(value) = c->handle; break;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *static_cast<int*>(value) = c->device->ordinal; break;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
    case CU_POINTER_ATTRIBUTE_HOST_POINTER: *static_cast<uint64_t*>(value) = at; break;
    default: return CUDA_ERROR_NOT_SUPPORTED;
    }
    return CUDA_SUCCESS;
}
