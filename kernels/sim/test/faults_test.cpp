// Every check fires on a kernel that commits the error, and is silent on the
// same kernel with the error mended.
#include "harness.hpp"

namespace {

const std::string shared = ".extern .shared .align 16 .b8 sm[];\n";

// Twin is a right and a wrong body.
struct Twin {
    const char *name, *right, *wrong, *message;
    uint32_t threads = 64, blocks = 1, bytes = 1024;
};

// Before every body: %r0 thread, %r1 = 4·thread, %r2 shared, %r3 = %r2 + %r1,
// %rd0 the buffer, %rd1 = %rd0 + %r1.
const char* const prologue =
    ".reg .b32 %r<16>; .reg .b64 %rd<8>; .reg .pred %p<4>; .reg .f32 %f<4>;\n"
    "mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 2; mov.u32 %r2, sm; add.u32 %r3, %r2, %r1;\n"
    "ld.param.u64 %rd0, [p0]; cvt.u64.u32 %rd1, %r1; add.u64 %rd1, %rd0, %rd1; setp.lt.u32 %p0, %r0, 32; setp.eq.u32 %p1, %r0, 0;\n";

sim::Counters runBody(const std::string& body, const Twin& t, uint64_t seed) {
    sim::Memory memory;
    Buffer buffer(memory, 4096), fresh(memory, 4096, true);
    sim::Launch launch;
    launch.block[0] = t.threads;
    launch.grid[0] = t.blocks;
    launch.dynamicShared = t.bytes;
    launch.seed = seed;
    return runText(moduleOf(prologue + body + "ret;\n", shared), memory, {buffer.at(), fresh.at()}, launch);
}

void judge(const Twin& t) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const std::string none = faultOf([&] { runBody(t.right, t, seed); });
        expect(none.empty(), std::string(t.name) + ": the right kernel faults: " + none);
        const std::string fault = faultOf([&] { runBody(t.wrong, t, seed); });
        expect(fault.find(t.message) != std::string::npos, std::string(t.name) + ": wanted \"" + t.message + "\", got \"" + fault + "\"");
        expect(fault.find("kernel k, PTX line ") != std::string::npos, std::string(t.name) + ": no place in " + fault);
    }
}

}  // namespace

TEST(shared_bounds_and_alignment) {
    judge({"store out of bounds", "st.shared.u32 [%r3+768], %r0;", "st.shared.u32 [%r3+772], %r0;", "shared access out of bounds"});
    judge({"below the beginning", "st.shared.u32 [%r3], %r0;", "st.shared.u32 [%r3+-4], %r0;", "shared access out of bounds"});
    judge({"load out of bounds", "st.shared.u32 [%r3], %r0; ld.shared.u32 %r4, [%r3];", "ld.shared.u32 %r4, [%r3+1024];", "shared access out of bounds"});
    judge({"misaligned", "st.shared.v2.u32 [%r2], {%r0, %r0};", "st.shared.v2.u32 [%r2+4], {%r0, %r0};", "misaligned shared access", 1});
    judge({"no shared memory", "st.shared.u32 [%r3], %r0;", "st.shared.u32 [%r3+256], %r0;", "out of bounds", 64, 1, 256});
}

TEST(shared_uninitialised) {
    judge({"never written", "st.shared.u32 [%r3], %r0; ld.shared.u32 %r4, [%r3];", "ld.shared.u32 %r4, [%r3];", "uninitialised"});
    judge({"bytes beside", "st.shared.u8 [%r2], %r0; ld.shared.u8 %r4, [%r2];", "st.shared.u8 [%r2], %r0; ld.shared.u8 %r4, [%r2+1];", "uninitialised", 1});
    judge({"matrix", "shl.b32 %r6, %r0, 4; add.u32 %r6, %r2, %r6; st.shared.v4.u32 [%r6], {%r0,%r0,%r0,%r0}; bar.warp.sync -1; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, [%r2];"
           , "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r4}, [%r2];", "uninitialised", 32});
}

TEST(races_between_warps) {
    // Everything is written and met for, so that only the race is wrong.
    const std::string begin = "st.shared.u32 [%r3], 0; bar.sync 0; and.b32 %r5, %r1, 124; add.u32 %r5, %r2, %r5;";
    auto twin = [&](const char* name, const std::string& right, const std::string& wrong, const char* message) {
        const std::string r = begin + right, w = begin + wrong;
        judge({name, r.c_str(), w.c_str(), message});
    };
    // Which comes first is for the seed to choose: both messages must be seen.
    std::string seen;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        const std::string body = begin + "@%p0 st.shared.u32 [%r5], %r0; @!%p0 ld.shared.u32 %r4, [%r5];";
        seen += faultOf([&] { runBody(body, {"", "", "", ""}, seed); });
    }
    expect(seen.find("race: shared read of what another warp wrote") != std::string::npos, "a warp that reads after another's write");
    expect(seen.find("race: shared write of what another warp reads") != std::string::npos, "a warp that writes after another's read");
    twin("write and read", "@%p0 st.shared.u32 [%r5], %r0; bar.sync 0; @!%p0 ld.shared.u32 %r4, [%r5];", "@%p0 st.shared.u32 [%r5], %r0; @!%p0 ld.shared.u32 %r4, [%r5];", "another warp");
    twin("read and write", "ld.shared.u32 %r4, [%r5]; bar.sync 0; @%p0 st.shared.u32 [%r5], %r0;", "ld.shared.u32 %r4, [%r5]; @%p0 st.shared.u32 [%r5], %r0;", "another warp");
    twin("two writers", "@%p0 st.shared.u32 [%r5], %r0; barrier.sync 0; @!%p0 st.shared.u32 [%r5], %r0;", "st.shared.u32 [%r5], %r0;", "two warps write");
}

TEST(races_between_lanes) {
    const std::string next = "xor.b32 %r5, %r1, 4; add.u32 %r5, %r2, %r5; st.shared.u32 [%r3], %r0;";
    const std::string right = next + "bar.warp.sync 0xffffffff; ld.shared.u32 %r4, [%r5];", wrong = next + "ld.shared.u32 %r4, [%r5];";
    judge({"read after write", right.c_str(), wrong.c_str(), "another lane wrote", 32});
    const std::string ordered = right + "bar.warp.sync -1; st.shared.u32 [%r3], %r0;", unordered = right + "st.shared.u32 [%r3], %r0;";
    judge({"write after read", ordered.c_str(), unordered.c_str(), "another lane reads", 32});
    judge({"two writers", "st.shared.u32 [%r3], %r0;", "st.shared.u32 [%r2], %r0;", "two lanes write", 32});
    const std::string few = "setp.lt.u32 %p2, %r0, 2; setp.eq.u32 %p3, %r0, 1; st.shared.u32 [%r3], 0; bar.warp.sync -1; ";
    const std::string mended = few + "@%p2 ld.shared.u32 %r4, [%r2]; bar.warp.sync -1; @%p3 st.shared.u32 [%r2], %r0;";
    judge({"one of two readers writes", mended.c_str(), (few + "@%p2 ld.shared.u32 %r4, [%r2]; @%p3 st.shared.u32 [%r2], %r0;").c_str(), "another lane reads", 32});
    const std::string matrix = "mad.lo.u32 %r6, %r0, 16, %r2; st.shared.v4.u32 [%r6], {%r0,%r0,%r0,%r0}; setp.eq.u32 %p3, %r0, 1; bar.warp.sync -1; ";
    const std::string load = "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r7}, [%r6]; ", read = "@%p1 ld.shared.u32 %r4, [%r2]; ", write = "@%p3 st.shared.u32 [%r2], %r0;";
    judge({"matrix, then a lane reads", (matrix + load + write).c_str(), (matrix + load + read + write).c_str(), "another lane reads", 32});
    judge({"a lane reads, then a matrix", (matrix + read + "bar.warp.sync -1; " + load + write).c_str(), (matrix + read + load + write).c_str(), "another lane reads", 32});
    judge({"the lane that read may write", (matrix + read + load + "@%p1 st.shared.u32 [%r2], %r0;").c_str(), (matrix + read + load + write).c_str(), "another lane reads", 32});
    judge({"matrix of what a lane wrote", (matrix + load).c_str(), (matrix + write + load).c_str(), "another lane wrote", 32});
    judge({"shuffle orders no memory", right.c_str(), (next + "shfl.sync.idx.b32 %r6, %r0, 0, 31, -1; ld.shared.u32 %r4, [%r5];").c_str(), "another lane wrote", 32});
}

TEST(copies_in_flight) {
    const std::string copy = "shl.b32 %r6, %r0, 4; add.u32 %r6, %r2, %r6; cvt.u64.u32 %rd2, %r0; shl.b64 %rd2, %rd2, 4; add.u64 %rd2, %rd0, %rd2;"
                             "cp.async.cg.shared.global [%r6], [%rd2], 16; cp.async.commit_group;";
    auto twin = [&](const char* name, const std::string& right, const std::string& wrong, const char* message) {
        const std::string r = copy + right, w = copy + wrong;
        judge({name, r.c_str(), w.c_str(), message});
    };
    twin("read too early", "cp.async.wait_group 0; ld.shared.u32 %r4, [%r6];", "ld.shared.u32 %r4, [%r6];", "in flight");
    twin("one group too many open", "cp.async.commit_group; cp.async.wait_group 1; ld.shared.u32 %r4, [%r6];", "cp.async.wait_group 1; ld.shared.u32 %r4, [%r6];", "in flight");
    twin("written over", "cp.async.wait_all; st.shared.u32 [%r6], %r0;", "st.shared.u32 [%r6], %r0;", "in flight");
    twin("seen by another lane", "cp.async.wait_group 0; bar.sync 0; xor.b32 %r7, %r6, 16; ld.shared.u32 %r4, [%r7];",
         "cp.async.wait_group 0; xor.b32 %r7, %r6, 16; ld.shared.u32 %r4, [%r7];", "another lane wrote");
    twin("ordered before it arrived", "cp.async.wait_group 0; bar.warp.sync -1; xor.b32 %r7, %r6, 16; ld.shared.u32 %r4, [%r7];",
         "bar.warp.sync -1; cp.async.wait_group 0; xor.b32 %r7, %r6, 16; ld.shared.u32 %r4, [%r7];", "another lane wrote");
    twin("barrier without wait", "cp.async.wait_group 0; bar.sync 0; ld.shared.u32 %r4, [%r6];", "bar.sync 0; ld.shared.u32 %r4, [%r6];", "in flight");
    judge({"source size", "cp.async.ca.shared.global [%r3], [%rd1], 4, 4;", "cp.async.ca.shared.global [%r3], [%rd1], 4, 5;", "source larger"});
    judge({"misaligned source", "cp.async.ca.shared.global [%r3], [%rd1], 4;", "cp.async.ca.shared.global [%r3], [%rd1+2], 4;", "misaligned global"});
    judge({"misaligned source of no bytes", "cp.async.ca.shared.global [%r3], [%rd1], 4, 0;", "cp.async.ca.shared.global [%r3], [%rd1+2], 4, 0;", "misaligned global"});
    judge({"source of no bytes may be anywhere", "cp.async.ca.shared.global [%r3], [%rd1+65536], 4, 0;", "cp.async.ca.shared.global [%r3], [%rd1+65536], 4;", "global access out of bounds"});
}

TEST(global_memory) {
    judge({"load out of bounds", "ld.global.u32 %r4, [%rd1+3840];", "ld.global.u32 %r4, [%rd1+3844];", "global access out of bounds"});
    judge({"store out of bounds", "st.global.u32 [%rd1+3840], %r0;", "st.global.u32 [%rd1+-4], %r0;", "global access out of bounds"});
    judge({"misaligned", "ld.global.v4.u32 {%r4,%r5,%r6,%r7}, [%rd0+16];", "ld.global.v4.u32 {%r4,%r5,%r6,%r7}, [%rd0+8];", "misaligned global"});
    judge({"uninitialised", "ld.param.u64 %rd2, [p1]; st.global.u8 [%rd2+3], %r0; ld.global.u8 %r4, [%rd2+3];",
           "ld.param.u64 %rd2, [p1]; st.global.u8 [%rd2+3], %r0; ld.global.u8 %r4, [%rd2+2];", "uninitialised", 1});
    judge({"uninitialised copy", "cp.async.ca.shared.global [%r3], [%rd1], 4;", "ld.param.u64 %rd1, [p1]; cp.async.ca.shared.global [%r3], [%rd1], 4;", "uninitialised", 1});
    judge({"parameter", "ld.param.u64 %rd3, [p0+24];", "ld.param.u64 %rd3, [p0+32];", "parameter read out of bounds"});
    judge({"parameter alignment", "ld.param.u32 %r3, [p0+4];", "ld.param.u64 %rd3, [p0+4];", "misaligned parameter"});
}

TEST(blocks_in_conflict) {
    const char* const own = "mov.u32 %r4, %ctaid.x; shl.b32 %r4, %r4, 8; cvt.u64.u32 %rd2, %r4; add.u64 %rd2, %rd1, %rd2; st.global.u32 [%rd2], %r0;";
    judge({"two writers", own, "st.global.u32 [%rd1], %r0;", "another block", 64, 2});
    judge({"reader of what another writes", (std::string(own) + "ld.global.u32 %r5, [%rd2];").c_str(), (std::string(own) + "ld.global.u32 %r5, [%rd1];").c_str(), "another block", 64, 2});
    judge({"one of two readers writes", own, "ld.global.u32 %r5, [%rd1]; mov.u32 %r4, %ctaid.x; setp.eq.u32 %p2, %r4, 1; @%p2 st.global.u32 [%rd1], %r0;", "another block", 64, 2});
    const std::string bytes = "mov.u32 %r4, %ctaid.x; cvt.u64.u32 %rd2, %r4; add.u64 %rd2, %rd0, %rd2; ";
    judge({"neighbouring bytes are no conflict", (bytes + "st.global.u8 [%rd2], %r0;").c_str(), "st.global.u8 [%rd0], %r0;", "another block", 1, 2});
}

TEST(collectives_and_barriers) {
    judge({"shuffle with lanes missing", "shfl.sync.bfly.b32 %r4, %r0, 1, 31, -1;", "setp.lt.u32 %p2, %r0, 16; @%p2 shfl.sync.bfly.b32 %r4, %r0, 1, 31, -1;", "inactive lanes", 32});
    judge({"shuffle of half a warp", "setp.lt.u32 %p2, %r0, 16; @%p2 shfl.sync.bfly.b32 %r4, %r0, 1, 31, 0xffff;",
           "setp.lt.u32 %p2, %r0, 16; @%p2 shfl.sync.bfly.b32 %r4, %r0, 16, 31, 0xffff;", "which is inactive", 32});
    judge({"not in its own mask", "vote.sync.any.pred %p2, %p1, -1;", "vote.sync.any.pred %p2, %p1, 0xffff;", "own member mask", 32});
    judge({"after lanes have ended", "shfl.sync.bfly.b32 %r4, %r0, 1, 31, -1; @%p1 ret;", "@%p1 ret; shfl.sync.bfly.b32 %r4, %r0, 1, 31, -1;", "inactive lanes", 32});
    judge({"mma", "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r0,%r0,%r0}, {%r0,%r0}, {%f0,%f1,%f2,%f3};",
           "@%p1 mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r0,%r0,%r0}, {%r0,%r0}, {%f0,%f1,%f2,%f3};", "inactive lanes", 32});
    judge({"bar.warp.sync", "bar.warp.sync -1;", "@%p1 bar.warp.sync -1;", "inactive lanes", 32});
    judge({"barrier for some lanes", "bar.sync 0;", "@%p1 bar.sync 0;", "barrier not reached by all lanes"});
    judge({"barrier for some warps", "bar.sync 0;", "@%p0 bra $here; ret; $here: bar.sync 0;", "barrier not reached by warp 1"});
}
