// Modules, launches and counters.
#include "harness.hpp"

namespace {

std::string parseFault(const std::string& body) { return faultOf([&] { sim::parse(moduleOf(body)); }); }

void has(const std::string& text, const std::string& part) { expect(text.find(part) != std::string::npos, "wanted \"" + part + "\" in \"" + text + "\""); }

sim::Launch threads(uint32_t n, uint32_t shared = 0) {
    sim::Launch launch;
    launch.block[0] = n;
    launch.dynamicShared = shared;
    return launch;
}

}  // namespace

TEST(modules) {
    auto module = sim::parse("// a comment\n.version 7.4\n.target sm_80\n.address_size 64\n.global .align 1 .u8 unused = 1;\n.shared .align 16 .b8 other[4096];\n"
                             ".visible .entry one(\n\t.param .u8 a,\n\t.param .align 8 .b8 b[24],\n\t.param .u32 c\n)\n.maxntid 64, 2, 1\n.minnctapersm 2\n{\n\t.reg .b32 %r<5>;\n\tret;\n}\n"
                             ".visible .entry two()\n{\n ret;\n}\n");
    const sim::Kernel* one = sim::find(*module, "one");
    expect(module->target == 80 && module->version == "7.4" && one && sim::find(*module, "two") && !sim::find(*module, "three"), "names");
    expect(one->parameters.size() == 3 && one->parameters[1].offset == 8 && one->parameters[1].bytes == 24 && one->parameters[2].offset == 32 && one->parameterBytes == 36, "layout of parameters");
    expect(one->maxThreads == 128 && one->registers == 5 && one->staticShared == 0, "attributes");
}

TEST(refused_at_parse) {
    has(parseFault("ret;\nfrob.u32 %r0;\n"), "PTX line 7: unknown instruction frob.u32");
    has(parseFault(".local .align 4 .b8 depot[8]; ret;\n"), "uses local memory");
    has(parseFault(".reg .b32 %r; ld.local.u32 %r, [%r];\n"), "uses local memory");
    has(parseFault("call.uni f, ();\n"), "calls of functions");
    has(parseFault(".reg .b32 %r; add.u32 %r, %r, %nothing;\n"), "unknown register or symbol %nothing");
    has(parseFault("bra $nowhere;\n"), "unknown label $nowhere");
    has(parseFault(".reg .b64 %rd; add.u32 %rd, %rd, 1;\n"), "another width");
    has(parseFault(".reg .f32 %f; add.rz.f32 %f, %f, %f;\n"), "unknown instruction");
    has(parseFault(".reg .b64 %rd; .reg .b32 %r; atom.global.add.u32 %r, [%rd], %r;\n"), "unknown instruction");
    has(parseFault("bar.sync 1;\n"), "only barrier 0");
}

TEST(launches_beyond_limits) {
    sim::Memory memory;
    const std::string ptx = moduleOf("ret;\n", "", ".maxntid 64, 1, 1\n");
    auto launchFault = [&](const sim::Launch& l) { return faultOf([&] { runText(ptx, memory, {}, l); }); };
    expect(launchFault(threads(64)).empty(), "64 threads are allowed");
    has(launchFault(threads(65)), "more threads than .maxntid");
    has(launchFault(threads(32, 227 * 1024 + 1)), "more than 227 KiB");
    has(launchFault(threads(0)), "empty dimension");
    has(faultOf([&] { runText(moduleOf("ret;\n"), memory, {}, threads(1025)); }), "more than 1024 threads");
}

TEST(static_and_dynamic_shared) {
    // Two kernels' arrays: k pays only for its own, and dynamic memory follows.
    const std::string ptx = moduleOf(".reg .b32 %r<4>; .reg .b64 %rd; ld.param.u64 %rd, [p0]; .shared .align 4 .b8 local[20];\n mov.u32 %r0, mine; mov.u32 %r1, local; mov.u32 %r2, dynamic;\n"
                                     "st.shared.u32 [mine+96], %r0; st.shared.u32 [%r2], %r1; st.global.v2.u32 [%rd], {%r0, %r1}; st.global.u32 [%rd+8], %r2; ret;\n",
                                     ".shared .align 8 .b8 mine[100];\n.shared .align 8 .b8 others[5000];\n.extern .shared .align 16 .b8 dynamic[];\n");
    sim::Memory memory;
    Buffer out(memory, 64);
    runText(ptx, memory, {out.at()}, threads(1, 16));
    expect(out.as<uint32_t>()[0] == 0 && out.as<uint32_t>()[1] == 100 && out.as<uint32_t>()[2] == 128, "places of shared arrays");
    has(faultOf([&] { runText(ptx, memory, {out.at()}, threads(1, 0)); }), "shared access out of bounds");
    expect(sim::find(*sim::parse(ptx), "k")->staticShared == 128, "static shared memory");
}

TEST(struct_parameters) {
    sim::Memory memory;
    Buffer out(memory, 64);
    auto module = sim::parse(".version 7.4\n.target sm_80\n.address_size 64\n.visible .entry k(.param .align 8 .b8 s[32])\n{\n.reg .b64 %rd<6>; .reg .b32 %r<3>; ld.param.u64 %rd0, [s];\n"
                             "mov.b64 %rd1, s; ld.param.u64 %rd2, [%rd1+8]; cvta.param.u64 %rd3, %rd1; ld.u32 %r0, [%rd3+16]; ld.param.v2.u32 {%r1, %r2}, [s+24];\n"
                             "st.global.u64 [%rd0], %rd2; st.global.u32 [%rd0+8], %r0; st.global.v2.u32 [%rd0+16], {%r1, %r2}; ret;\n}\n");
    const uint64_t params[4] = {out.at(), 0x123456789abcdef0, 42, 0x0000000600000005};
    sim::Counters counters;
    sim::run(*sim::find(*module, "k"), memory, reinterpret_cast<const uint8_t*>(params), threads(1), counters);
    const uint32_t* v = out.as<uint32_t>();
    expect(out.as<uint64_t>()[0] == params[1] && v[2] == 42 && v[4] == 5 && v[5] == 6, "fields of a struct parameter");
}

TEST(scopes_and_labels) {
    sim::Memory memory;
    Buffer out(memory, 64);
    runText(moduleOf(".reg .b32 %r<3>; .reg .b64 %rd; ld.param.u64 %rd, [p0]; mov.u32 %r0, 5;\n{ .reg .pred p; .reg .b32 %r0; mov.u32 %r0, 9; setp.eq.u32 p, %r0, 9; selp.b32 %r1, 1, 2, p; }\n"
                     "{ .reg .b64 p; mov.u64 p, 3; cvt.u32.u64 %r2, p; }\n$L__BB0_1: __label.2: add.u32 %r0, %r0, %r1; setp_free: st.global.v2.u32 [%rd], {%r0, %r2}; ret;\n"),
            memory, {out.at()}, threads(1));
    expect(out.as<uint32_t>()[0] == 6 && out.as<uint32_t>()[1] == 3, "registers of a scope are its own");
}

TEST(counted_traffic) {
    sim::Memory memory;
    Buffer out(memory, 32 * 128 + 4);
    auto count = [&](const std::string& access) {
        return runText(moduleOf(".reg .b32 %r<6>; .reg .b64 %rd<3>; ld.param.u64 %rd0, [p0]; mov.u32 %r0, %tid.x; mov.u32 %r1, sm;\n" + access + "ret;\n", ".extern .shared .align 128 .b8 sm[];\n"),
                       memory, {out.at()}, threads(32, 16384));
    };
    auto of = [](const sim::Traffic& t) { return std::make_pair(t.actual, t.ideal); };
    using Pair = std::pair<uint64_t, uint64_t>;
    expect(of(count("mad.lo.u32 %r2, %r0, 4, %r1; st.shared.u32 [%r2], %r0;").sharedStore) == Pair(1, 1), "one word a bank");
    expect(of(count("mad.lo.u32 %r2, %r0, 128, %r1; st.shared.u32 [%r2], %r0;").sharedStore) == Pair(32, 1), "all in one bank");
    expect(of(count("mad.lo.u32 %r2, %r0, 8, %r1; st.shared.u32 [%r2], %r0;").sharedStore) == Pair(2, 1), "every other bank");
    expect(of(count("mad.lo.u32 %r2, %r0, 16, %r1; st.shared.v4.u32 [%r2], {%r0,%r0,%r0,%r0};").sharedStore) == Pair(4, 4), "16 bytes a lane");
    expect(of(count("mad.lo.u32 %r2, %r0, 64, %r1; st.shared.v4.u32 [%r2], {%r0,%r0,%r0,%r0};").sharedStore) == Pair(16, 4), "16 bytes a lane, 64 apart");
    expect(of(count("mad.wide.u32 %rd1, %r0, 4, %rd0; ld.global.u32 %r3, [%rd1];").globalLoad) == Pair(4, 4), "a line of global memory");
    expect(of(count("mad.wide.u32 %rd1, %r0, 8, %rd0; ld.global.u32 %r3, [%rd1];").globalLoad) == Pair(8, 4), "every other word");
    expect(of(count("mad.wide.u32 %rd1, %r0, 128, %rd0; ld.global.u32 %r3, [%rd1];").globalLoad) == Pair(32, 4), "a sector each");
    expect(of(count("ld.global.u32 %r3, [%rd0];").globalLoad) == Pair(1, 4), "the same word for all");
    expect(of(count("mul.lo.u32 %r2, %r0, 13; and.b32 %r2, %r2, 31; mad.wide.u32 %rd1, %r2, 4, %rd0; ld.global.u32 %r3, [%rd1];").globalLoad) == Pair(4, 4), "a line in any order");
    const std::string matrix = "mad.lo.u32 %r2, %r0, 128, %r1; st.shared.v4.u32 [%r2], {%r0,%r0,%r0,%r0}; bar.warp.sync -1; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r3}, [%r2];";
    expect(of(count(matrix).sharedMatrix) == Pair(8, 1), "rows of a matrix in the same banks");
    const sim::Counters all = count("bar.sync 0; cp.async.commit_group;");
    expect(all.instructions == 6 && all.barriers == 1 && all.copyGroups == 1 && all.blocks == 1 && all.launches == 1, "instructions, barriers, groups");
    expect(all.json().find("\"barriers\":1") != std::string::npos, "json");
}

TEST(memory_marks) {
    sim::Memory memory;
    memory.add(0x1000, 100);
    expect(memory.holds(0x1000, 100) && !memory.holds(0x1000, 101) && !memory.holds(0xfff, 1) && !memory.initialised(0x1000, 1), "bounds");
    memory.wrote(0x1003, 50);
    expect(memory.initialised(0x1003, 50) && !memory.initialised(0x1002, 2) && !memory.initialised(0x1034, 2), "bytes written");
    expect(memory.remove(0x1000) && !memory.remove(0x1000) && !memory.holds(0x1000, 1), "removal");
}

TEST(schedules) {
    // Many blocks over many threads give the same as one after the other.
    for (uint64_t seed = 1; seed < 6; seed++) {
        sim::Memory memory;
        Buffer out(memory, 4 * 200 * 64);
        sim::Launch launch = threads(64);
        launch.grid[0] = 200;
        launch.seed = seed;
        const auto counters = runText(moduleOf(".reg .b32 %r<4>; .reg .b64 %rd<2>; ld.param.u64 %rd0, [p0]; mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x; mad.lo.u32 %r2, %r1, 64, %r0; mad.wide.u32 %rd1, %r2, 4, %rd0; st.global.u32 [%rd1], %r2; ret;\n"),
                                      memory, {out.at()}, launch);
        for (uint32_t n = 0; n < 200 * 64; n++) expect(out.as<uint32_t>()[n] == n, "every block ran");
        expect(counters.blocks == 200 && counters.instructions == 200 * 2 * 7, "every block is counted once");
    }
}
