// Copies and fills. Page-locked memory is read and written when the copy runs;
// other host memory is read when it is asked for, since the driver stages it.
#include <cstring>

#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

enum Way { toDevice, fromDevice, onDevice, filled };

// Area is rows of bytes, at a distance of pitch.
struct Area {
    uint64_t at = 0, width = 0, height = 1, pitch = 0;
    uint64_t span() const { return height ? (height - 1) * pitch + width : 0; }
};

void counted(Way way, uint64_t bytes) {
    driver().totals.copies[way]++;
    driver().totals.copied[way] += bytes;
}

void demand(bool holds, const char* what) {
    if (!holds) throw Fault(what);
}

bool onCard(const Context& c, const Area& a) {
    for (uint64_t row = 0; row < a.height; row++)
        if (!c.device->memory.holds(a.at + row * a.pitch, a.width)) return false;
    return true;
}

// written marks what a copy from bytes of the device has made defined; bytes
// that were not are no better after the copy.
void written(Memory& memory, uint64_t to, uint64_t from, uint64_t bytes) {
    if (memory.initialised(from, bytes)) return memory.wrote(to, bytes);
    for (uint64_t i = 0; i < bytes; i++)
        if (memory.initialised(from + i, 1)) memory.wrote(to + i, 1);
}

struct Copy {
    Way way;
    Area to, from;
    std::shared_ptr<Pinned> pinned;
    std::shared_ptr<std::vector<uint8_t>> staged;

    void operator()() const {
        Context& c = *executing;
        counted(way, to.width * to.height);
        demand(way == fromDevice || onCard(c, to), "copy to device memory that was freed before the copy ran");
        demand(way == toDevice || onCard(c, from), "copy from device memory that was freed before the copy ran");
        demand(!pinned || pinned->alive, "page-locked memory was freed before the copy ran");
        Memory& memory = c.device->memory;
        for (uint64_t row = 0; row < to.height; row++) {
            const uint64_t t = to.at + row * to.pitch;
            const uint64_t f = staged ? uint64_t(staged->data()) + row * from.width : from.at + row * from.pitch;
            memmove(reinterpret_cast<void*>(t), reinterpret_cast<const void*>(f), to.width);
            if (way == toDevice) memory.wrote(t, to.width);
            if (way == onDevice) written(memory, t, f, to.width);
        }
    }
};

CUresult broken(Context& c, CUresult result) { return c.broken = result; }

// later puts a copy on a stream. hostWaits tells whether the call must not
// return before a copy to pageable memory is done.
CUresult later(Driver& d, Context& c, Stream* s, Way way, Area to, Area from, bool hostWaits) {
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (d.fails("copy")) return broken(c, CUDA_ERROR_ILLEGAL_ADDRESS);
    if (!to.width || !to.height) return CUDA_SUCCESS;
    if ((way != fromDevice && !onCard(c, to)) || (way != toDevice && !onCard(c, from))) return CUDA_ERROR_INVALID_VALUE;
    Copy copy{way, to, from, nullptr, nullptr};
    const Area& host = way == toDevice ? from : to;
    if (way != onDevice) copy.pinned = d.pinnedAt(reinterpret_cast<void*>(host.at), host.span());
    const bool pageable = way != onDevice && !copy.pinned, captures = s->capture != nullptr;
    uint64_t held = 0;
    if (pageable && way == toDevice && !captures) {
        held = from.width * from.height;
        copy.staged = std::make_shared<std::vector<uint8_t>>(held);
        for (uint64_t row = 0; row < from.height; row++)
            memcpy(copy.staged->data() + row * from.width, reinterpret_cast<void*>(from.at + row * from.pitch), from.width);
    }
    TaskRef task;
    if (CUresult r = d.put(*s, {Does::copy, copy, held}, &task)) return r;
    if (captures) return CUDA_SUCCESS;
    if (!hostWaits && !(pageable && way == fromDevice)) return CUDA_SUCCESS;
    d.totals.hostWaits++;
    return d.waitFor(c, {task});
}

// now is a copy in the order of the default stream that the host waits for.
// From pageable memory it returns when the bytes are staged: what was before it
// is done, the copy itself may not be. Copies on the device are not waited for.
CUresult now(Driver& d, Context& c, Way way, Area to, Area from) {
    if (CUresult r = d.refuse()) return r;
    Stream& s = c.defaultStream;
    const bool staged = way == toDevice && !d.pinnedAt(reinterpret_cast<void*>(from.at), from.span());
    if (staged) {
        TaskRef before;
        if (CUresult r = d.put(s, {}, &before)) return r;
        d.totals.hostWaits++;
        if (CUresult r = d.waitFor(c, {before})) return r;
    }
    return later(d, c, &s, way, to, from, !staged && way != onDevice);
}

Area line(uint64_t at, uint64_t bytes) { return {at, bytes, 1, bytes}; }

struct Fill {
    Area to;
    uint32_t value;
    unsigned width;
    void operator()() const {
        Context& c = *executing;
        counted(filled, to.width);
        demand(onCard(c, to), "fill of device memory that was freed before it ran");
        if (width == 1) memset(reinterpret_cast<void*>(to.at), int(value), to.width);
        else
            for (uint64_t i = 0; i < to.width; i += width) memcpy(reinterpret_cast<void*>(to.at + i), &value, width);
        c.device->memory.wrote(to.at, to.width);
    }
};

CUresult fill(CUdeviceptr at, uint32_t value, unsigned width, size_t count, CUstream stream) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    SIM_NEED(at % width == 0);
    if (!count) return CUDA_SUCCESS;
    const Area to = line(at, count * width);
    SIM_NEED(onCard(*c, to));
    return d.put(*s, {Does::kernel, Fill{to, value, width}});
}

Way wayOf(const Context& c, uint64_t to, uint64_t from) {
    const bool a = c.device->memory.holds(to, 1), b = c.device->memory.holds(from, 1);
    return a ? (b ? onDevice : toDevice) : fromDevice;
}

CUresult sync(Way way, uint64_t to, uint64_t from, size_t bytes) {
    SIM_ENTER;
    return now(d, *c, way, line(to, bytes), line(from, bytes));
}

CUresult async(Way way, uint64_t to, uint64_t from, size_t bytes, CUstream stream) {
    SIM_ENTER;
    return later(d, *c, d.stream(*c, stream), way, line(to, bytes), line(from, bytes), false);
}

// areas reads a description of a copy of rows; false: not between linear memory.
bool areas(const CUDA_MEMCPY2D& m, Way& way, Area& to, Area& from) {
    const bool fromHost = m.srcMemoryType == CU_MEMORYTYPE_HOST, toHost = m.dstMemoryType == CU_MEMORYTYPE_HOST;
    if ((!fromHost && m.srcMemoryType != CU_MEMORYTYPE_DEVICE) || (!toHost && m.dstMemoryType != CU_MEMORYTYPE_DEVICE) || (fromHost && toHost))
        return false;
    const uint64_t sp = m.srcPitch ? m.srcPitch : m.WidthInBytes, dp = m.dstPitch ? m.dstPitch : m.WidthInBytes;
    from = {(fromHost ? uint64_t(m.srcHost) : m.srcDevice) + m.srcY * sp + m.srcXInBytes, m.WidthInBytes, m.Height, sp};
    to = {(toHost ? uint64_t(m.dstHost) : m.dstDevice) + m.dstY * dp + m.dstXInBytes, m.WidthInBytes, m.Height, dp};
    way = fromHost ? toDevice : toHost ? fromDevice : onDevice;
    return sp >= m.WidthInBytes && dp >= m.WidthInBytes;
}

}  // namespace
}  // namespace sim

SIM_CALL cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t n) { return sim::sync(sim::toDevice, to, uint64_t(from), n); }
SIM_CALL cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t n) { return sim::sync(sim::fromDevice, uint64_t(to), from, n); }
SIM_CALL cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) { return sim::sync(sim::onDevice, to, from, n); }
SIM_CALL cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t n, CUstream s) { return sim::async(sim::toDevice, to, uint64_t(from), n, s); }
SIM_CALL cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t n, CUstream s) { return sim::async(sim::fromDevice, uint64_t(to), from, n, s); }
SIM_CALL cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) { return sim::async(sim::onDevice, to, from, n, s); }

SIM_CALL cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t n) {
    SIM_ENTER;
    return sim::now(d, *c, sim::wayOf(*c, to, from), sim::line(to, n), sim::line(from, n));
}

SIM_CALL cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
    SIM_ENTER;
    return sim::later(d, *c, d.stream(*c, s), sim::wayOf(*c, to, from), sim::line(to, n), sim::line(from, n), false);
}

// Between devices that cannot reach each other; nobody here needs it.
SIM_CALL cuMemcpyPeer(CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, size_t) {
    SIM_ENTER;
    return CUDA_ERROR_NOT_SUPPORTED;
}
SIM_CALL cuMemcpyPeerAsync(CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, size_t, CUstream) {
    SIM_ENTER;
    return CUDA_ERROR_NOT_SUPPORTED;
}

SIM_CALL cuMemcpy2D_v2(const CUDA_MEMCPY2D* m) {
    SIM_ENTER;
    Way way;
    Area to, from;
    SIM_NEED(m && areas(*m, way, to, from));
    return now(d, *c, way, to, from);
}

SIM_CALL cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* m, CUstream s) {
    SIM_ENTER;
    Way way;
    Area to, from;
    SIM_NEED(m && areas(*m, way, to, from));
    return later(d, *c, d.stream(*c, s), way, to, from, false);
}

// The host does not wait for fills, whatever the call is named.
SIM_CALL cuMemsetD8_v2(CUdeviceptr at, unsigned char value, size_t n) { return sim::fill(at, value, 1, n, nullptr); }
SIM_CALL cuMemsetD16_v2(CUdeviceptr at, unsigned short value, size_t n) { return sim::fill(at, value, 2, n, nullptr); }
SIM_CALL cuMemsetD32_v2(CUdeviceptr at, unsigned value, size_t n) { return sim::fill(at, value, 4, n, nullptr); }
SIM_CALL cuMemsetD8Async(CUdeviceptr at, unsigned char value, size_t n, CUstream s) { return sim::fill(at, value, 1, n, s); }
SIM_CALL cuMemsetD16Async(CUdeviceptr at, unsigned short value, size_t n, CUstream s) { return sim::fill(at, value, 2, n, s); }
SIM_CALL cuMemsetD32Async(CUdeviceptr at, unsigned value, size_t n, CUstream s) { return sim::fill(at, value, 4, n, s); }
