// The order of work. Nothing runs before somebody waits for it, and then in any
// order that streams and events allow:
//
//   seed 0        only what was waited for, copies as late as they can be: a
//                 wait for a copy that is missing shows as stale data
//   odd seeds     copies as soon as they can be, asked for or not: a wait
//                 before memory is overwritten that is missing shows
//   other seeds   any order, and some work that nobody waited for
#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "driver.hpp"

namespace sim {
namespace {

// A real driver's queue is finite too.
constexpr size_t mostPending = 1 << 16;
constexpr uint64_t mostHeld = 256ull << 20;

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool isCopy(const Task& t) { return t.work.does == Does::copy; }

}  // namespace

// Run is one wait: the tasks it needs, and which of them may go next.
class Run {
public:
    Run(Driver& driver, const std::vector<TaskRef>& wanted) : driver_(driver) {
        for (const TaskRef& task : wanted) need(task);
        for (auto& [task, state] : states_)
            for (const TaskRef& before : task->after)
                if (!before->done) {
                    state.open++;
                    states_[before.get()].next.push_back(task);
                }
        for (Task* task : order_)
            if (!states_[task].open) ready_.push_back(task);
    }

    // next picks the task to do, or null.
    Task* next() {
        if (ready_.empty()) return nullptr;
        const uint64_t seed = driver_.settings.seed;
        const bool ordered = seed == 0 || seed % 2;
        std::vector<size_t> liked;
        if (ordered)
            for (size_t i = 0; i < ready_.size(); i++)
                if (isCopy(*ready_[i]) == (seed != 0)) liked.push_back(i);
        const size_t at = liked.empty() ? driver_.random_() % ready_.size() : liked[driver_.random_() % liked.size()];
        Task* task = ready_[at];
        ready_.erase(ready_.begin() + long(at));
        return task;
    }

    void finished(Task* task) {
        for (Task* next : states_[task].next)
            if (!--states_[next].open) ready_.push_back(next);
    }

private:
    struct State {
        size_t open = 0;
        std::vector<Task*> next;
    };

    void need(const TaskRef& first) {
        std::vector<Task*> stack;
        auto push = [&](const TaskRef& task) {
            if (task->done || states_.count(task.get())) return;
            states_[task.get()];
            order_.push_back(task.get());
            stack.push_back(task.get());
        };
        push(first);
        while (!stack.empty()) {
            Task* task = stack.back();
            stack.pop_back();
            for (const TaskRef& before : task->after) push(before);
        }
    }

    Driver& driver_;
    std::unordered_map<Task*, State> states_;
    std::vector<Task*> order_, ready_;
};

void Driver::perform(Task& task) {
    Context& context = *task.context;
    executing = &context;
    CUresult result = CUDA_SUCCESS;
    try {
        if (task.work.run) task.work.run();
    } catch (const Fault& fault) {
        say(fault.what());
        result = CUDA_ERROR_ILLEGAL_ADDRESS;
    } catch (const Failure& failure) {
        result = failure.result;
    }
    executing = nullptr;
    task.time = now();
    task.done = true;
    task.after.clear();
    task.work.run = nullptr;
    context.held -= task.work.held;
    if (result) breakAll(context, result);
}

// breakAll ends a context as the hardware does: nothing that was under way is
// finished, and every later call says why.
void Driver::breakAll(Context& context, CUresult result) {
    context.broken = result;
    for (const TaskRef& task : context.pending) {
        task->done = true;
        task->after.clear();
        task->work.run = nullptr;
    }
    context.pending.clear();
    context.held = 0;
}

CUresult Driver::waitFor(Context& context, std::vector<TaskRef> wanted) {
    const uint64_t seed = settings.seed;
    if (seed)
        for (const TaskRef& task : context.pending)
            if (seed % 2 ? isCopy(*task) : random_() % 4 == 0) wanted.push_back(task);
    Run run(*this, wanted);
    const std::vector<TaskRef> keep = context.pending;  // tasks live while the run points to them
    while (Task* task = run.next()) {
        if (task->done) continue;  // its context broke
        perform(*task);
        if (context.broken) return context.broken;
        run.finished(task);
    }
    auto& pending = context.pending;
    pending.erase(std::remove_if(pending.begin(), pending.end(), [](const TaskRef& t) { return t->done; }), pending.end());
    return CUDA_SUCCESS;
}

CUresult Driver::waitForAll(Context& context) { return waitFor(context, context.pending); }

CUresult Driver::nudge(Context& context, const TaskRef& wanted) {
    Run run(*this, {wanted});
    if (Task* task = run.next()) perform(*task);
    return context.broken;
}

CUresult Driver::put(Stream& stream, Work work, TaskRef* made) {
    if (stream.capture) {
        Capture& capture = *stream.capture;
        if (capture.invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        capture.graph.nodes.push_back({std::move(work), stream.frontier});
        stream.frontier = {capture.graph.nodes.size() - 1};
        return CUDA_SUCCESS;
    }
    Context& context = *stream.context;
    if (stream.isDefault) {
        bool captures = false;  // the default stream would have to wait for a stream that does nothing
        for (auto& [handle, other] : streams)
            if (other->capture && other->blocking && other->context == &context) captures = other->capture->invalid = true;
        if (captures) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    auto task = std::make_shared<Task>();
    task->context = &context;
    task->blocking = stream.blocking;
    if (stream.last && !stream.last->done) task->after.push_back(stream.last);
    const TaskRef& other = context.defaultStream.last;
    if (stream.isDefault) {
        for (const TaskRef& t : context.pending)
            if (t->blocking && !t->done) task->after.push_back(t);
    } else if (stream.blocking && other && !other->done) {
        task->after.push_back(other);
    }
    context.held += work.held;
    task->work = std::move(work);
    context.pending.push_back(task);
    stream.last = task;
    if (made) *made = task;
    if (context.pending.size() > mostPending || context.held > mostHeld) return waitForAll(context);
    return CUDA_SUCCESS;
}

CUresult Driver::putGraph(Stream& stream, GraphExec& exec) {
    TaskRef begin, end;
    if (CUresult r = put(stream, {}, &begin)) return r;
    if (exec.last && !exec.last->done) begin->after.push_back(exec.last);
    Context& context = *stream.context;
    std::vector<TaskRef> tasks;
    for (const Node& node : exec.graph->nodes) {
        auto task = std::make_shared<Task>();
        task->context = &context;
        task->blocking = stream.blocking;
        task->work = node.work;
        for (size_t before : node.after) task->after.push_back(tasks[before]);
        if (node.after.empty()) task->after.push_back(begin);
        tasks.push_back(task);
        context.pending.push_back(task);
    }
    if (CUresult r = put(stream, {}, &end)) return r;
    if (end->done) return CUDA_SUCCESS;
    end->after.insert(end->after.end(), tasks.begin(), tasks.end());
    exec.last = end;
    return CUDA_SUCCESS;
}

}  // namespace sim
