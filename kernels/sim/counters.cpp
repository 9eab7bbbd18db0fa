#include "counters.hpp"

#include <algorithm>
#include <sstream>

namespace sim {
namespace {

void addTo(Traffic& a, const Traffic& b) {
    a.actual += b.actual;
    a.ideal += b.ideal;
}

// passes counts, for up to 32 words, the most different words in one bank.
uint32_t passes(const uint32_t* words, int count) {
    uint32_t inBank[32], used = 0;
    bool twice = false;
    for (int i = 0; i < count; i++) {
        const uint32_t bank = words[i] & 31;
        if (used >> bank & 1) twice |= inBank[bank] != words[i];
        else inBank[bank] = words[i];
        used |= 1u << bank;
    }
    if (!twice) return count > 0;  // no bank has two words
    uint32_t sorted[32], most = 0, different[32] = {};
    std::copy(words, words + count, sorted);
    std::sort(sorted, sorted + count);
    const int apart = int(std::unique(sorted, sorted + count) - sorted);
    for (int i = 0; i < apart; i++) most = std::max(most, ++different[sorted[i] & 31]);
    return most;
}

// once says whether one pass is known to reach all words of some active lanes:
// they lie within the 32 banks, or each lane has a bank of its own.
bool once(const uint32_t* at, uint32_t active, int lanes, uint32_t bytes) {
    uint32_t low = ~0u, high = 0, used = 0;
    if (active == ~0u) {
        for (int l = 0; l < 32; l++) {
            low = std::min(low, at[l]);
            high = std::max(high, at[l]);
            used |= 1u << (at[l] >> 2 & 31);
        }
        if (used == ~0u) return true;
    } else {
        for (int l = 0; l < lanes; l++) {
            const bool on = active >> l & 1;
            low = std::min(low, on ? at[l] : ~0u);
            high = std::max(high, on ? at[l] : 0u);
        }
    }
    return high + std::max(bytes, 4u) - (low & ~3u) <= 128;
}

}  // namespace

void Counters::add(const Counters& other) {
    launches += other.launches;
    blocks += other.blocks;
    instructions += other.instructions;
    divergent += other.divergent;
    mma += other.mma;
    barriers += other.barriers;
    copyGroups += other.copyGroups;
    addTo(sharedMatrix, other.sharedMatrix);
    addTo(sharedLoad, other.sharedLoad);
    addTo(sharedStore, other.sharedStore);
    addTo(sharedCopy, other.sharedCopy);
    addTo(globalLoad, other.globalLoad);
    addTo(globalStore, other.globalStore);
    addTo(globalCopy, other.globalCopy);
}

std::string Counters::json() const {
    std::ostringstream out;
    auto traffic = [&](const char* name, const Traffic& t) {
        out << ",\"" << name << "\":{\"actual\":" << t.actual << ",\"ideal\":" << t.ideal << "}";
    };
    out << "{\"launches\":" << launches << ",\"blocks\":" << blocks << ",\"instructions\":" << instructions
        << ",\"divergent\":" << divergent << ",\"mma\":" << mma << ",\"barriers\":" << barriers
        << ",\"copyGroups\":" << copyGroups;
    traffic("sharedMatrix", sharedMatrix);
    traffic("sharedLoad", sharedLoad);
    traffic("sharedStore", sharedStore);
    traffic("sharedCopy", sharedCopy);
    traffic("globalLoad", globalLoad);
    traffic("globalStore", globalStore);
    traffic("globalCopy", globalCopy);
    out << "}";
    return out.str();
}

uint32_t wavefronts(const uint32_t at[32], uint32_t active, uint32_t bytes) {
    // A pass serves the lanes that together ask for 128 bytes: all 32 for
    // words, 16 for 8 bytes, 8 for 16 bytes.
    const int wordsEach = bytes < 4 ? 1 : int(bytes / 4), lanes = 32 / wordsEach;
    uint32_t total = 0, words[32];
    for (int first = 0; first < 32; first += lanes) {
        const uint32_t here = active >> first & (lanes == 32 ? ~0u : (1u << lanes) - 1);
        if (!here) continue;
        if (once(at + first, here, lanes, bytes)) {
            total++;
            continue;
        }
        int count = 0;
        for (int lane = first; lane < first + lanes; lane++) {
            if (!(active >> lane & 1)) continue;
            for (int w = 0; w < wordsEach; w++) words[count++] = at[lane] / 4 + uint32_t(w);
        }
        total += passes(words, count);
    }
    return total;
}

uint32_t sectors(const uint64_t at[32], uint32_t active) {
    uint64_t list[32];
    int count = 0;
    bool ascending = true;
    for (int lane = 0; lane < 32; lane++) {
        if (!(active >> lane & 1)) continue;
        const uint64_t sector = at[lane] / 32;
        if (count && list[count - 1] == sector) continue;
        if (count && list[count - 1] > sector) ascending = false;
        list[count++] = sector;
    }
    if (ascending) return uint32_t(count);
    std::sort(list, list + count);
    return uint32_t(std::unique(list, list + count) - list);
}

}  // namespace sim
