#include "harness.hpp"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>
#include <stdexcept>

namespace {

struct Entry {
    const char* name;
    void (*body)();
};

std::vector<Entry>& entries() {
    static std::vector<Entry> list;
    return list;
}

struct Shape {
    const char *declaration, *load, *store;
    uint32_t bytes;
};

// shapeOf says how an operand comes from memory and goes there.
Shape shapeOf(Width w) {
    switch (w) {
    case Width::b16: return {".b16", "ld.global.u16", "st.global.u16", 2};
    case Width::b64: return {".b64", "ld.global.u64", "st.global.u64", 8};
    default: return {".b32", "ld.global.u32", "st.global.u32", 4};
    }
}

std::string evaluation(const std::string& op, Width out, const std::vector<Width>& in) {
    std::ostringstream t;
    t << "  .reg .b64 %in, %out, %o2, %i; .reg .b32 %t, %par; .reg .pred %odd;\n";
    t << "  ld.param.u64 %in, [p0]; ld.param.u64 %out, [p1];\n  mov.u32 %t, %tid.x; and.b32 %par, %t, 1; setp.ne.u32 %odd, %par, 0;\n";
    t << "  mul.wide.u32 %i, %t, " << 8 * in.size() << "; add.u64 %in, %in, %i; mul.wide.u32 %i, %t, 16; add.u64 %out, %out, %i;\n";
    std::string arguments;
    for (size_t n = 0; n < in.size(); n++) {
        const Shape s = shapeOf(in[n]);
        const std::string reg = "%a" + std::to_string(n);
        t << "  .reg " << s.declaration << " " << reg << "; " << s.load << " " << reg << ", [%in+" << 8 * n << "];\n";
        if (in[n] == Width::pred) t << "  .reg .pred %q" << n << "; setp.ne.u32 %q" << n << ", " << reg << ", 0;\n";
        arguments += (in[n] == Width::pred ? ", %q" + std::to_string(n) : ", " + reg);
    }
    const Shape s = shapeOf(out);
    t << "  .reg " << (out == Width::pred ? ".pred" : s.declaration) << " %d, %e;\n";
    t << "  " << op << " %d" << arguments << ";\n";
    if (out == Width::pred) t << "  setp.ne.u32 %e, %par, %par;\n";
    else t << "  mov" << s.declaration << " %e, 77;\n";
    t << "  @%odd " << op << " %e" << arguments << ";\n";
    if (out == Width::pred) t << "  .reg .b32 %sd, %se; selp.u32 %sd, 1, 0, %d; selp.u32 %se, 1, 0, %e;\n  st.global.u32 [%out], %sd; st.global.u32 [%out+8], %se;\n";
    else t << "  " << s.store << " [%out], %d; " << s.store << " [%out+8], %e;\n";
    t << "  ret;\n";
    return t.str();
}

}  // namespace

Case::Case(const char* name, void (*body)()) { entries().push_back({name, body}); }

void expect(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error(what);
}

Buffer::Buffer(sim::Memory& memory, size_t bytes, bool fresh) : memory_(memory), data_(std::aligned_alloc(256, (bytes + 511) / 256 * 256)) {
    std::memset(data_, 0, bytes);
    memory_.add(at(), bytes);
    if (!fresh) memory_.wrote(at(), bytes);
}

Buffer::~Buffer() {
    memory_.remove(at());
    std::free(data_);
}

std::string moduleOf(const std::string& body, const std::string& before, const std::string& attributes) {
    return ".version 7.4\n.target sm_80\n.address_size 64\n" + before +
           ".visible .entry k(.param .u64 p0, .param .u64 p1, .param .u64 p2, .param .u64 p3)\n" + attributes + "{\n" + body + "}\n";
}

sim::Counters runText(const std::string& ptx, sim::Memory& memory, const std::vector<uint64_t>& params, const sim::Launch& launch) {
    auto module = sim::parse(ptx);
    const sim::Kernel* kernel = sim::find(*module, "k");
    std::vector<uint64_t> all = params;
    all.resize(std::max<size_t>(4, params.size()));
    sim::Counters counters;
    sim::run(*kernel, memory, reinterpret_cast<const uint8_t*>(all.data()), launch, counters);
    return counters;
}

std::string faultOf(const std::function<void()>& f) {
    try {
        f();
    } catch (const sim::Fault& fault) {
        return fault.what();
    }
    return "";
}

std::vector<uint64_t> evaluate(const std::string& op, Width out, const std::vector<Width>& in,
                               const std::vector<std::vector<uint64_t>>& values) {
    auto module = sim::parse(moduleOf(evaluation(op, out, in)));
    std::vector<uint64_t> results;
    for (size_t first = 0; first < values.size(); first += 32) {
        sim::Memory memory;
        Buffer from(memory, 32 * 8 * in.size()), to(memory, 32 * 16);
        const size_t rows = std::min<size_t>(32, values.size() - first);
        for (size_t r = 0; r < rows; r++)
            std::memcpy(from.as<uint64_t>() + r * in.size(), values[first + r].data(), 8 * in.size());
        const uint64_t params[4] = {from.at(), to.at(), 0, 0};
        sim::Launch launch;
        launch.block[0] = 32;
        sim::Counters counters;
        sim::run(*sim::find(*module, "k"), memory, reinterpret_cast<const uint8_t*>(params), launch, counters);
        for (size_t r = 0; r < rows; r++) {
            const uint64_t whole = to.as<uint64_t>()[2 * r], masked = to.as<uint64_t>()[2 * r + 1];
            const uint64_t kept = out == Width::pred ? 0 : 77;
            expect(masked == (r & 1 ? whole : kept), op + ": the predicate did not choose the lanes");
            results.push_back(whole);
        }
    }
    return results;
}

std::vector<std::vector<uint64_t>> samples(size_t inputs, const std::vector<uint64_t>& edges, uint64_t seed) {
    std::vector<std::vector<uint64_t>> rows;
    std::mt19937_64 random(seed);
    for (uint64_t a : edges)
        for (uint64_t b : edges) {
            std::vector<uint64_t> row = {a, b};
            while (row.size() < inputs) row.push_back(edges[random() % edges.size()]);
            row.resize(inputs);
            rows.push_back(row);
        }
    for (int n = 0; n < 128; n++) {
        std::vector<uint64_t> row;
        while (row.size() < inputs) row.push_back(random() >> (random() % 64));
        rows.push_back(row);
    }
    return rows;
}

void agree(const std::string& op, Width out, const std::vector<Width>& in, const std::vector<std::vector<uint64_t>>& values,
           const Host& host) {
    const auto results = evaluate(op, out, in, values);
    for (size_t n = 0; n < values.size(); n++) {
        const uint64_t want = host(values[n]);
        if (results[n] == want) continue;
        std::ostringstream text;
        text << op << std::hex;
        for (uint64_t v : values[n]) text << " " << v;
        text << ": " << results[n] << ", want " << want;
        expect(false, text.str());
    }
}

int main(int count, char** names) {
    int bad = 0, ran = 0;
    for (const Entry& e : entries()) {
        bool wanted = count < 2;
        for (int n = 1; n < count; n++) wanted |= std::string(e.name).find(names[n]) != std::string::npos;
        if (!wanted) continue;
        ran++;
        try {
            e.body();
        } catch (const std::exception& wrong) {
            bad++;
            std::printf("FAIL %s: %s\n", e.name, wrong.what());
        }
    }
    std::printf("%d cases, %d failed\n", ran, bad);
    return bad || !ran;
}
