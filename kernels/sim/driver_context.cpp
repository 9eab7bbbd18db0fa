// Contexts: made, current on a thread, destroyed with all that lives in them.
#include <algorithm>

#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

// reclaim removes a context's objects from a table, and notes how many a
// program had left behind.
template <class H, class T>
void reclaim(Driver& d, Table<H, T>& table, const Context& context, const char* what) {
    for (auto i = table.begin(); i != table.end();)
        if (i->second->context == &context) {
            i = table.erase(i);
            d.reclaimed[what]++;
        } else {
            ++i;
        }
}

}  // namespace

CUresult Driver::createContext(CUcontext* handle_, unsigned flags, int device, bool primary) {
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (device < 0 || device >= int(devices.size())) return CUDA_ERROR_INVALID_DEVICE;
    auto made = std::make_shared<Context>();
    made->handle = handle<CUcontext>();
    made->device = devices[size_t(device)].get();
    made->flags = flags;
    made->primary = primary;
    made->defaultStream.context = made.get();
    made->defaultStream.isDefault = true;
    contexts[made->handle] = made;
    *handle_ = made->handle;
    changed();
    return CUDA_SUCCESS;
}

// destroyContext waits for what is under way, as far as the context works.
void Driver::destroyContext(Context& context) {
    if (!context.broken) waitForAll(context);
    const auto living = contexts[context.handle];
    for (auto& [handle, s] : streams)
        if (s->context == &context && s->capture) endCapture(*s->capture);
    reclaim(*this, streams, context, "streams");
    reclaim(*this, events, context, "events");
    for (auto i = functions.begin(); i != functions.end();)
        i = i->second->module->context == &context ? functions.erase(i) : std::next(i);
    reclaim(*this, modules, context, "modules");
    for (auto i = pinned.begin(); i != pinned.end();) {
        auto now = i++;
        if (now->second->context != &context || !now->second->ours) continue;
        now->second->alive = false;
        free(reinterpret_cast<void*>(now->first));
        pinned.erase(now);
        reclaimed["pinned"]++;
    }
    auto& memory = context.device->allocations;
    for (auto i = memory.begin(); i != memory.end();) {
        auto now = i++;
        if (now->second.context != &context) continue;
        reclaimed["memory"] += now->second.bytes;
        release(context, now->first);
    }
    contexts.erase(context.handle);
    if (contexts.empty()) writeStats();
    changed();
}

}  // namespace sim

SIM_CALL cuCtxCreate_v2(CUcontext* context, unsigned flags, CUdevice device) {
    SIM_NEED(context);
    sim::Lock lock(driver().mutex);
    if (CUresult r = driver().createContext(context, flags, device, false)) return r;
    sim::current.push_back(*context);
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxDestroy_v2(CUcontext context) {
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    sim::Context* c = look(d.contexts, context);
    if (!c) return CUDA_ERROR_INVALID_CONTEXT;
    if (c->primary) return CUDA_ERROR_INVALID_CONTEXT;  // it is released instead
    d.destroyContext(*c);
    if (!sim::current.empty() && sim::current.back() == context) sim::current.pop_back();
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxSetCurrent(CUcontext context) {
    sim::Lock lock(driver().mutex);
    if (!driver().started) return CUDA_ERROR_NOT_INITIALIZED;
    if (context && !look(driver().contexts, context)) return CUDA_ERROR_INVALID_CONTEXT;
    if (!sim::current.empty()) sim::current.pop_back();
    if (context) sim::current.push_back(context);
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetCurrent(CUcontext* context) {
    SIM_NEED(context);
    if (!driver().started) return CUDA_ERROR_NOT_INITIALIZED;
    *context = sim::current.empty() ? nullptr : sim::current.back();
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxPushCurrent_v2(CUcontext context) {
    sim::Lock lock(driver().mutex);
    if (!look(driver().contexts, context)) return CUDA_ERROR_INVALID_CONTEXT;
    sim::current.push_back(context);
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxPopCurrent_v2(CUcontext* context) {
    if (sim::current.empty()) return CUDA_ERROR_INVALID_CONTEXT;
    if (context) *context = sim::current.back();
    sim::current.pop_back();
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetDevice(CUdevice* device) {
    SIM_ENTER;
    SIM_NEED(device);
    *device = c->device->ordinal;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetFlags(unsigned* flags) {
    SIM_ENTER;
    SIM_NEED(flags);
    *flags = c->flags;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetApiVersion(CUcontext, unsigned* version) {
    SIM_ENTER;
    SIM_NEED(version);
    *version = 3020;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    SIM_ENTER;
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return CUDA_SUCCESS;
}

SIM_CALL cuCtxSynchronize() {
    SIM_ENTER;
    bool captures = false;
    for (auto& [handle, s] : d.streams)
        if (s->capture && s->context == c) captures = s->capture->invalid = true;
    if (captures) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    d.totals.hostWaits++;
    return d.waitForAll(*c);
}

SIM_CALL cuCtxEnablePeerAccess(CUcontext, unsigned) {
    SIM_ENTER;
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}

SIM_CALL cuCtxDisablePeerAccess(CUcontext) {
    SIM_ENTER;
    return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}

namespace sim {
namespace {

struct Primary {
    CUcontext context = nullptr;
    unsigned users = 0, flags = 0;
};
std::map<CUdevice, Primary> primaries;

CUresult leave(CUdevice device, bool all) {
    Driver& d = driver();
    Lock lock(d.mutex);
    if (!d.started) return CUDA_ERROR_NOT_INITIALIZED;
    Primary& p = primaries[device];
    if (!p.users) return all ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
    p.users = all ? 0 : p.users - 1;
    if (p.users) return CUDA_SUCCESS;
    if (Context* c = look(d.contexts, p.context)) d.destroyContext(*c);
    p.context = nullptr;
    return CUDA_SUCCESS;
}

}  // namespace
}  // namespace sim

SIM_CALL cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    SIM_NEED(context);
    sim::Driver& d = driver();
    sim::Lock lock(d.mutex);
    sim::Primary& p = sim::primaries[device];
    if (!p.users)
        if (CUresult r = d.createContext(&p.context, p.flags, device, true)) return r;
    p.users++;
    *context = p.context;
    return CUDA_SUCCESS;
}

SIM_CALL cuDevicePrimaryCtxRelease_v2(CUdevice device) { return sim::leave(device, false); }
SIM_CALL cuDevicePrimaryCtxReset_v2(CUdevice device) { return sim::leave(device, true); }

SIM_CALL cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
    sim::Lock lock(driver().mutex);
    sim::primaries[device].flags = flags;
    return CUDA_SUCCESS;
}

SIM_CALL cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
    SIM_NEED(flags && active);
    sim::Lock lock(driver().mutex);
    *flags = sim::primaries[device].flags;
    *active = sim::primaries[device].users > 0;
    return CUDA_SUCCESS;
}
