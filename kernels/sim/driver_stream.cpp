// Streams and events.
#include "driver.hpp"

using sim::driver;

namespace sim {
namespace {

// captured answers calls that ask about work of a stream that captures.
CUresult captured(Stream& s) {
    if (!s.capture) return CUDA_SUCCESS;
    s.capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

bool isDone(const TaskRef& task) { return !task || task->done; }

// lastOf is what waiting for a stream waits for; the default stream's work
// follows that of all streams that are ordered with it.
std::vector<TaskRef> lastOf(Context& c, const Stream& s) {
    std::vector<TaskRef> last;
    if (!isDone(s.last)) last.push_back(s.last);
    if (s.isDefault)
        for (const TaskRef& t : c.pending)
            if (t->blocking && !t->done) last.push_back(t);
    return last;
}

// join lets a stream wait for an event of a capture, which makes it part of it.
CUresult join(Stream& s, const Event& e) {
    if (e.capture && e.capture->ended) return CUDA_ERROR_CAPTURED_EVENT;
    if (s.capture && s.capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!e.capture) {
        s.capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    if (s.isDefault) {
        e.capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    if (s.capture && s.capture != e.capture) {
        s.capture->invalid = e.capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    if (!s.capture) {
        s.capture = e.capture;
        s.frontier.clear();
        s.capture->members.push_back(&s);
    }
    s.frontier.insert(s.frontier.end(), e.nodes.begin(), e.nodes.end());
    return CUDA_SUCCESS;
}

}  // namespace
}  // namespace sim

SIM_CALL cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int priority) {
    SIM_ENTER;
    SIM_NEED(stream && flags <= CU_STREAM_NON_BLOCKING);
    auto made = std::make_shared<Stream>();
    made->context = c;
    made->blocking = !(flags & CU_STREAM_NON_BLOCKING);
    made->priority = priority;
    *stream = d.handle<CUstream>();
    d.streams[*stream] = made;
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamCreate(CUstream* stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }

// Work under way goes on without its stream.
SIM_CALL cuStreamDestroy_v2(CUstream stream) {
    SIM_ENTER;
    Stream* s = look(d.streams, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) {
        if (s->capture->origin == s) {
            d.endCapture(*s->capture);
        } else {
            s->capture->invalid = true;
            auto& members = s->capture->members;
            for (Stream*& m : members)
                if (m == s) m = s->capture->origin;
        }
    }
    d.streams.erase(stream);
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamSynchronize(CUstream stream) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult r = captured(*s)) return r;
    d.totals.hostWaits++;
    return d.waitFor(*s->context, lastOf(*s->context, *s));
}

// A poll that finds work brings it on a little.
SIM_CALL cuStreamQuery(CUstream stream) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult r = captured(*s)) return r;
    const auto last = lastOf(*s->context, *s);
    if (last.empty()) return CUDA_SUCCESS;
    if (CUresult r = d.nudge(*s->context, last.front())) return r;
    return CUDA_ERROR_NOT_READY;
}

SIM_CALL cuStreamGetFlags(CUstream stream, unsigned* flags) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    SIM_NEED(flags);
    *flags = s->blocking ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING;
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamGetPriority(CUstream stream, int* priority) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    SIM_NEED(priority);
    *priority = s->priority;
    return CUDA_SUCCESS;
}

SIM_CALL cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    Event* e = look(d.events, event);
    if (!s || !e) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture || e->capture) return join(*s, *e);
    if (isDone(e->task)) return CUDA_SUCCESS;  // an event that was never recorded holds nobody up
    TaskRef wait;
    if (CUresult r = d.put(*s, {}, &wait)) return r;
    if (!wait->done && !isDone(e->task)) wait->after.push_back(e->task);
    return CUDA_SUCCESS;
}

SIM_CALL cuEventCreate(CUevent* event, unsigned flags) {
    SIM_ENTER;
    SIM_NEED(event && flags <= 7);
    if (d.fails("event")) return CUDA_ERROR_OUT_OF_MEMORY;
    auto made = std::make_shared<Event>();
    made->context = c;
    made->timing = !(flags & CU_EVENT_DISABLE_TIMING);
    *event = d.handle<CUevent>();
    d.events[*event] = made;
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuEventDestroy_v2(CUevent event) {
    SIM_ENTER;
    if (!d.events.erase(event)) return CUDA_ERROR_INVALID_HANDLE;
    d.changed();
    return CUDA_SUCCESS;
}

SIM_CALL cuEventRecord(CUevent event, CUstream stream) {
    SIM_ENTER;
    Stream* s = d.stream(*c, stream);
    Event* e = look(d.events, event);
    if (!s || !e || e->context != s->context) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) {
        if (s->capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        e->capture = s->capture;
        e->nodes = s->frontier;
        e->task = nullptr;
        return CUDA_SUCCESS;
    }
    if (CUresult r = d.put(*s, {}, &e->task)) return r;
    e->capture = nullptr;
    return CUDA_SUCCESS;
}

SIM_CALL cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned) { return cuEventRecord(event, stream); }

SIM_CALL cuEventQuery(CUevent event) {
    SIM_ENTER;
    Event* e = look(d.events, event);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult r = d.refuse()) return r;
    if (e->capture) return CUDA_ERROR_CAPTURED_EVENT;
    if (isDone(e->task)) return CUDA_SUCCESS;
    if (CUresult r = d.nudge(*e->context, e->task)) return r;
    return CUDA_ERROR_NOT_READY;
}

SIM_CALL cuEventSynchronize(CUevent event) {
    SIM_ENTER;
    Event* e = look(d.events, event);
    if (!e) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult r = d.refuse()) return r;
    if (e->capture) return CUDA_ERROR_CAPTURED_EVENT;
    d.totals.hostWaits++;
    return isDone(e->task) ? CUDA_SUCCESS : d.waitFor(*e->context, {e->task});
}

// The time is the host's, and says nothing about a device's.
SIM_CALL cuEventElapsedTime(float* milliseconds, CUevent from, CUevent to) {
    SIM_ENTER;
    SIM_NEED(milliseconds);
    const Event *a = look(d.events, from), *b = look(d.events, to);
    if (!a || !b || !a->timing || !b->timing || !a->task || !b->task) return CUDA_ERROR_INVALID_HANDLE;
    if (!a->task->done || !b->task->done) return CUDA_ERROR_NOT_READY;
    *milliseconds = float(b->task->time - a->task->time);
    return CUDA_SUCCESS;
}

#undef cuEventElapsedTime_v2
SIM_CALL cuEventElapsedTime_v2(float* milliseconds, CUevent from, CUevent to) { return cuEventElapsedTime(milliseconds, from, to); }
