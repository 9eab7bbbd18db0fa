// The reports. Programs may end without leaving main (Go's do), so what is
// alive is rewritten at every change, and what was counted is written when the
// last context goes, as well as when the process ends.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "driver.hpp"

namespace sim {
namespace {

void pair(std::ostream& out, const char* name, const Traffic& t) {
    out << ",\"" << name << "\":" << t.actual << ",\"" << name << "_ideal\":" << t.ideal;
}

void kernelLine(std::ostream& out, const std::string& name, const Counters& c) {
    out << "{\"kernel\":\"" << name << "\",\"launches\":" << c.launches << ",\"counters\":{\"blocks\":" << c.blocks
        << ",\"instructions\":" << c.instructions << ",\"divergent\":" << c.divergent << ",\"mma\":" << c.mma
        << ",\"barriers\":" << c.barriers << ",\"copyGroups\":" << c.copyGroups;
    pair(out, "sharedMatrix", c.sharedMatrix);
    pair(out, "sharedLoad", c.sharedLoad);
    pair(out, "sharedStore", c.sharedStore);
    pair(out, "sharedCopy", c.sharedCopy);
    pair(out, "globalLoad", c.globalLoad);
    pair(out, "globalStore", c.globalStore);
    pair(out, "globalCopy", c.globalCopy);
    out << "}}\n";
}

void totalsLine(std::ostream& out, const Totals& t, uint64_t peak) {
    out << "{\"totals\":{\"kernelLaunches\":" << t.kernelLaunches << ",\"graphLaunches\":" << t.graphLaunches << ",\"nodes\":" << t.nodes
        << ",\"hostWaits\":" << t.hostWaits << ",\"hostFunctions\":" << t.hostFunctions << ",\"products\":" << t.products
        << ",\"productFlops\":" << t.productFlops << ",\"peakBytes\":" << peak;
    const char* ways[] = {"toDevice", "fromDevice", "onDevice", "filled"};
    for (int i = 0; i < 4; i++) out << ",\"" << ways[i] << "\":{\"copies\":" << t.copies[i] << ",\"bytes\":" << t.copied[i] << "}";
    out << "}}\n";
}

void save(const std::string& path, int flags, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    if (file < 0 || write(file, text.data(), text.size()) != ssize_t(text.size())) say("cannot write " + path);
    if (file >= 0) close(file);
}

}  // namespace

void Driver::changed() {
    if (settings.leaks.empty()) return;
    uint64_t bytes = 0;
    for (auto& device : devices) bytes += device->used;
    std::ostringstream out;
    out << "{\"bytes\":" << bytes << ",\"streams\":" << streams.size() << ",\"events\":" << events.size()
        << ",\"graphs\":" << graphs.size() + executables.size() << ",\"modules\":" << modules.size() << ",\"pinned\":" << pinned.size();
    if (!contexts.empty()) out << ",\"contexts\":" << contexts.size();
    if (!reclaimed.empty()) {
        const char* between = ",\"reclaimed\":{";
        for (auto& [what, n] : reclaimed) {
            out << between << "\"" << what << "\":" << n;
            between = ",";
        }
        out << "}";
    }
    out << "}\n";
    save(settings.leaks, O_TRUNC, out.str());
}

void Driver::writeStats() {
    if (settings.stats.empty()) return;
    uint64_t peak = 0;
    for (auto& device : devices) {
        peak = std::max(peak, device->peak);
        device->peak = device->used;
    }
    if (!peak && counters.empty()) return;
    std::ostringstream out;
    for (auto& [name, c] : counters) kernelLine(out, name, c);
    totalsLine(out, totals, peak);
    counters.clear();
    totals = {};
    save(settings.stats, O_APPEND, out.str());
}

}  // namespace sim

__attribute__((destructor)) static void end() {
    sim::Driver& d = sim::driver();
    sim::Lock lock(d.mutex);
    d.writeStats();
}
