// What lanes do together: shuffles, votes, matrices; divergence; addresses.
#include <cmath>
#include <random>

#include "harness.hpp"

namespace {

const std::string prologue =
    ".reg .b32 %r<24>; .reg .b64 %rd<8>; .reg .pred %p<4>; .reg .f32 %f<8>;\n"
    "mov.u32 %r0, %tid.x; ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; mad.wide.u32 %rd2, %r0, 4, %rd1;\n";

// results runs a body with 32 lanes; each lane stores words at [%rd2 + 128·n].
std::vector<uint32_t> results(const std::string& body, size_t words, const std::vector<uint32_t>& input = {}, uint32_t threads = 32, uint32_t shared = 8192) {
    sim::Memory memory;
    Buffer in(memory, 4096), out(memory, 4 * 32 * std::max<size_t>(words, threads / 32));
    std::memcpy(in.as<void>(), input.data(), 4 * input.size());
    sim::Launch launch;
    launch.block[0] = threads;
    launch.dynamicShared = shared;
    runText(moduleOf(prologue + body + "ret;\n", ".extern .shared .align 16 .b8 sm[];\n"), memory, {in.at(), out.at()}, launch);
    return {out.as<uint32_t>(), out.as<uint32_t>() + 32 * std::max<size_t>(words, threads / 32)};
}

uint32_t bits(float f) {
    uint32_t v;
    std::memcpy(&v, &f, 4);
    return v;
}
float real(uint32_t v) {
    float f;
    std::memcpy(&f, &v, 4);
    return f;
}

// reader loads register n of every lane from word 32·n + lane of the input.
std::string reader(int registers) {
    std::string t = "mad.wide.u32 %rd3, %r0, 4, %rd0;\n";
    for (int n = 0; n < registers; n++) t += "ld.global.u32 %r" + std::to_string(n + 1) + ", [%rd3+" + std::to_string(128 * n) + "];\n";
    return t;
}

std::vector<uint32_t> randoms(size_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<uint32_t> v(count);
    for (auto& each : v) each = random();
    return v;
}

// matrixOf makes small exact numbers in a 16-bit format, of multiples of 1/8.
std::vector<double> numbers(size_t count, uint32_t seed) {
    std::vector<double> v;
    for (uint32_t each : randoms(count, seed)) v.push_back((int(each % 101) - 50) / 8.0);
    return v;
}

uint16_t brain(double v) { return uint16_t(bits(float(v)) >> 16); }
uint16_t half(double v) {
    const _Float16 h = _Float16(v);
    uint16_t r;
    std::memcpy(&r, &h, 2);
    return r;
}

// product16 runs m16n8k16 on A (16 × 16), B (16 × 8) and C, by the fragment
// tables of the PTX manual.
void product16(const char* format, uint16_t (*pack)(double)) {
    const auto a = numbers(256, 1), b = numbers(128, 2), c = numbers(128, 3);
    std::vector<uint32_t> in(32 * 10);
    for (int l = 0; l < 32; l++) {
        const int g = l >> 2, t = l & 3;
        for (int n = 0; n < 8; n++) {
            const int row = (n / 2) % 2 ? g + 8 : g, column = 2 * t + (n & 1) + (n >= 4 ? 8 : 0);
            in[32 * (n / 2) + l] |= uint32_t(pack(a[row * 16 + column])) << 16 * (n & 1);
        }
        for (int n = 0; n < 4; n++) in[32 * (4 + n / 2) + l] |= uint32_t(pack(b[(2 * t + (n & 1) + (n >= 2 ? 8 : 0)) * 8 + g])) << 16 * (n & 1);
        for (int n = 0; n < 4; n++) in[32 * (6 + n) + l] = bits(float(c[(n < 2 ? g : g + 8) * 8 + 2 * t + (n & 1)]));
    }
    std::string body = reader(10) + "mma.sync.aligned.m16n8k16.row.col.f32." + format + "." + format +
                       ".f32 {%r11,%r12,%r13,%r14}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%r7,%r8,%r9,%r10};\n";
    for (int n = 0; n < 4; n++) body += "st.global.u32 [%rd2+" + std::to_string(128 * n) + "], %r" + std::to_string(11 + n) + ";\n";
    const auto out = results(body, 4, in);
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            double want = c[row * 8 + column];
            for (int k = 0; k < 16; k++) want += a[row * 16 + k] * b[k * 8 + column];
            const int lane = (row % 8) * 4 + column / 2, n = (row / 8) * 2 + column % 2;
            expect(real(out[32 * n + lane]) == float(want), std::string("mma ") + format);
        }
}

}  // namespace

TEST(shuffles) {
    const auto in = randoms(32, 5);
    const struct { const char* mode; int b; const char* c; int (*source)(int); } table[] = {
        {"bfly", 5, "31", [](int l) { return l ^ 5; }},
        {"down", 3, "31", [](int l) { return l + 3 < 32 ? l + 3 : l; }},
        {"up", 3, "0", [](int l) { return l >= 3 ? l - 3 : l; }},
        {"idx", 7, "31", [](int) { return 7; }},
        // Segments of 8 lanes: c holds 31 - 7 in its upper half.
        {"down", 3, "0x181f", [](int l) { return l % 8 + 3 < 8 ? l + 3 : l; }},
        {"up", 3, "0x1800", [](int l) { return l % 8 >= 3 ? l - 3 : l; }},
        {"idx", 2, "0x181f", [](int l) { return l / 8 * 8 + 2; }},
        {"bfly", 8, "0x181f", [](int l) { return l < 8 ? l : l ^ 8; }},
    };
    for (auto& row : table) {
        const std::string name = std::string("shfl ") + row.mode + " " + row.c;
        const auto out = results(reader(1) + "shfl.sync." + row.mode + ".b32 %r2|%p1, %r1, " + std::to_string(row.b) + ", " + row.c +
                                 ", -1; selp.u32 %r3, 1, 0, %p1; st.global.u32 [%rd2], %r2; st.global.u32 [%rd2+128], %r3;", 2, in);
        for (int l = 0; l < 32; l++) {
            // A butterfly across segments reaches lower lanes of another segment, as the device does.
            const int want = row.mode[0] == 'b' && row.b == 8 ? (l & 8 ? l ^ 8 : l) : row.source(l);
            expect(out[l] == in[want], name + " lane " + std::to_string(l));
            if (want != l) expect(out[32 + l] == 1, name + " predicate");
        }
    }
}

TEST(votes_and_reductions) {
    const auto in = randoms(32, 6);
    uint32_t ballot = 0, sum = 0, all = ~0u, any = 0, odd = 0;
    int32_t least = INT32_MAX;
    uint32_t most = 0;
    for (int l = 0; l < 32; l++) {
        ballot |= (in[l] & 1) << l;
        sum += in[l], all &= in[l], any |= in[l], odd ^= in[l];
        least = std::min(least, int32_t(in[l]));
        most = std::max(most, in[l]);
    }
    const auto out = results(reader(1) + "and.b32 %r2, %r1, 1; setp.ne.u32 %p0, %r2, 0; vote.sync.ballot.b32 %r3, %p0, -1; st.global.u32 [%rd2], %r3;"
        "vote.sync.any.pred %p1, %p0, -1; selp.u32 %r3, 1, 0, %p1; st.global.u32 [%rd2+128], %r3;"
        "vote.sync.all.pred %p1, %p0, -1; selp.u32 %r3, 1, 0, %p1; st.global.u32 [%rd2+256], %r3;"
        "redux.sync.add.u32 %r3, %r1, -1; st.global.u32 [%rd2+384], %r3; redux.sync.min.s32 %r3, %r1, -1; st.global.u32 [%rd2+512], %r3;"
        "redux.sync.max.u32 %r3, %r1, -1; st.global.u32 [%rd2+640], %r3; redux.sync.and.b32 %r3, %r1, -1; st.global.u32 [%rd2+768], %r3;"
        "redux.sync.or.b32 %r3, %r1, -1; st.global.u32 [%rd2+896], %r3; redux.sync.xor.b32 %r3, %r1, -1; st.global.u32 [%rd2+1024], %r3;"
        "activemask.b32 %r3; st.global.u32 [%rd2+1152], %r3;", 10, in);
    const uint32_t want[] = {ballot, 1, 0, sum, uint32_t(least), most, all, any, odd, ~0u};
    for (int n = 0; n < 10; n++)
        for (int l = 0; l < 32; l++) expect(out[32 * n + l] == want[n], "vote or reduction " + std::to_string(n));
}

TEST(matrix_products) {
    product16("bf16", brain);
    product16("f16", half);
}

TEST(matrix_product_tf32) {
    const auto a = numbers(128, 1), b = numbers(64, 2), c = numbers(128, 3);
    std::vector<uint32_t> in(32 * 10);
    for (int l = 0; l < 32; l++) {
        const int g = l >> 2, t = l & 3;
        // The lowest 13 bits are not part of tf32 and count for nothing.
        for (int n = 0; n < 4; n++) in[32 * n + l] = bits(float(a[(g + 8 * (n & 1)) * 8 + t + 4 * (n >> 1)])) | 0x1abc;
        for (int n = 0; n < 2; n++) in[32 * (4 + n) + l] = bits(float(b[(t + 4 * n) * 8 + g]));
        for (int n = 0; n < 4; n++) in[32 * (6 + n) + l] = bits(float(c[(n < 2 ? g : g + 8) * 8 + 2 * t + (n & 1)]));
    }
    std::string body = reader(10) + "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%r11,%r12,%r13,%r14}, {%r1,%r2,%r3,%r4}, {%r5,%r6}, {%r7,%r8,%r9,%r10};\n";
    for (int n = 0; n < 4; n++) body += "st.global.u32 [%rd2+" + std::to_string(128 * n) + "], %r" + std::to_string(11 + n) + ";\n";
    const auto out = results(body, 4, in);
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            double want = c[row * 8 + column];
            for (int k = 0; k < 8; k++) want += a[row * 8 + k] * b[k * 8 + column];
            expect(real(out[32 * ((row / 8) * 2 + column % 2) + (row % 8) * 4 + column / 2]) == float(want), "mma tf32");
        }
}

TEST(matrix_loads) {
    const auto in = randoms(128, 7);  // four matrices of 8 rows of 4 words
    const std::string fill = "shl.b32 %r5, %r0, 4; mov.u32 %r6, sm; add.u32 %r5, %r6, %r5; cvt.u64.u32 %rd4, %r0; shl.b64 %rd4, %rd4, 4; add.u64 %rd4, %rd0, %rd4;"
        "ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd4]; st.shared.v4.u32 [%r5], {%r1,%r2,%r3,%r4}; bar.warp.sync -1;";
    const std::string store = "st.global.u32 [%rd2], %r7; st.global.u32 [%rd2+128], %r8; st.global.u32 [%rd2+256], %r9; st.global.u32 [%rd2+384], %r10;";
    auto element = [&](int matrix, int row, int column) { return in[32 * matrix + 4 * row + column / 2] >> 16 * (column & 1) & 0xffff; };
    const char* const forms[] = {"ldmatrix.sync.aligned.m8n8.x4.shared.b16", "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", "ldmatrix.sync.aligned.x4.trans.m8n8.shared.b16"};
    for (int form = 0; form < 3; form++) {
        const auto out = results(fill + forms[form] + " {%r7,%r8,%r9,%r10}, [%r5];" + store, 4, in);
        for (int m = 0; m < 4; m++)
            for (int l = 0; l < 32; l++)
                for (int e = 0; e < 2; e++) {
                    const int row = l / 4, column = 2 * (l % 4) + e;
                    expect((out[32 * m + l] >> 16 * e & 0xffff) == (form ? element(m, column, row) : element(m, row, column)), forms[form]);
                }
    }
    const auto two = results(fill + "ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r7,%r8}, [%r5]; st.global.u32 [%rd2], %r8;", 1, in);
    for (int l = 0; l < 32; l++) expect(two[l] == in[32 + l], "ldmatrix x2");
}

TEST(divergence) {
    // Each lane loops its own number of times; all meet again for a shuffle.
    const auto out = results("mov.u32 %r1, 0; mov.u32 %r2, 0;\n$again: setp.ge.u32 %p0, %r1, %r0; @%p0 bra $done; add.u32 %r1, %r1, 1; add.u32 %r2, %r2, %r1; bra.uni $again;\n"
                             "$done: shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; st.global.u32 [%rd2], %r3;", 1);
    for (uint32_t l = 0; l < 32; l++) expect(out[l] == (l ^ 1) * ((l ^ 1) + 1) / 2, "loop of own length");
    // The block after the meeting lies before the branches: those who come first wait.
    const auto late = results("and.b32 %r1, %r0, 1; setp.eq.u32 %p0, %r1, 0; @%p0 bra $even; bra $odd;\n"
                              "$meet: shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; st.global.u32 [%rd2], %r3; ret;\n"
                              "$even: mov.u32 %r2, 100; bra $meet;\n$odd: mov.u32 %r2, 200; bra $meet;\n", 1);
    for (uint32_t l = 0; l < 32; l++) expect(late[l] == (l & 1 ? 100 : 200), "lanes that wait for others");
}

TEST(divergence_after_waiting) {
    // Lanes that waited at the shuffle part from the others once more.
    const auto out = results("and.b32 %r1, %r0, 1; setp.eq.u32 %p0, %r1, 0; @%p0 bra $even; bra $odd;\n"
                             "$meet: shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; @%p0 bra $one; st.global.u32 [%rd2], 7; ret;\n$one: st.global.u32 [%rd2], %r3; ret;\n"
                             "$even: mov.u32 %r2, 100; bra $meet;\n$odd: mov.u32 %r2, 200; bra $meet;\n", 1);
    for (uint32_t l = 0; l < 32; l++) expect(out[l] == (l & 1 ? 7 : 200), "lanes that part again");
}

TEST(two_predicates) {
    const auto out = results("setp.lt.and.u32 %p0|%p1, %r0, 8, %p2; setp.lt.u32 %p2|%p3, %r0, 8; selp.u32 %r1, 1, 0, %p2; selp.u32 %r2, 1, 0, %p3;"
                             "setp.ne.or.u32 %p0|%p1, %r0, %r0, !%p3; selp.u32 %r3, 1, 0, %p0; selp.u32 %r4, 1, 0, %p1;"
                             "st.global.u32 [%rd2], %r1; st.global.u32 [%rd2+128], %r2; st.global.u32 [%rd2+256], %r3; st.global.u32 [%rd2+384], %r4;", 4);
    for (uint32_t l = 0; l < 32; l++) expect(out[l] == (l < 8) && out[32 + l] == (l >= 8) && out[64 + l] == (l < 8) && out[96 + l] == 1, "setp with two results");
}

TEST(special_registers) {
    sim::Memory memory;
    Buffer out(memory, 4 * 4 * 96 * 6);
    sim::Launch launch{{2, 3, 1}, {8, 4, 3}, 0, 3, true};
    runText(moduleOf(".reg .b32 %r<20>; .reg .b64 %rd<4>; ld.param.u64 %rd0, [p0]; mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.z; mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ctaid.y;\n"
                     "mov.u32 %r6, %ntid.x; mov.u32 %r7, %ntid.y; mov.u32 %r8, %ntid.z; mov.u32 %r9, %nctaid.x;\n"
                     "mad.lo.s32 %r10, %r3, %r7, %r2; mad.lo.s32 %r10, %r10, %r6, %r1; mad.lo.s32 %r11, %r5, %r9, %r4; mul.lo.s32 %r12, %r6, %r7; mul.lo.s32 %r12, %r12, %r8; mad.lo.s32 %r13, %r11, %r12, %r10;\n"
                     "mad.wide.u32 %rd1, %r13, 16, %rd0; mov.u32 %r14, %laneid; mov.u32 %r15, %warpid; mov.u32 %r16, %lanemask_lt; st.global.v4.u32 [%rd1], {%r13, %r14, %r15, %r16}; ret;\n"),
            memory, {out.at()}, launch);
    for (uint32_t n = 0; n < 576; n++) {
        const uint32_t* v = out.as<uint32_t>() + 4 * n;
        expect(v[0] == n && v[1] == n % 96 % 32 && v[2] == n % 96 / 32 && v[3] == (1u << (n % 32)) - 1, "special registers of thread " + std::to_string(n));
    }
}

TEST(packing_and_generic_addresses) {
    const auto out = results("mov.b64 %rd3, {%r0, 7}; mov.b64 {%r1, %r2}, %rd3; st.global.u32 [%rd2], %r2; .reg .b16 %h<2>; mov.b32 {%h0, %h1}, 0x12345678; mov.b32 %r3, {%h1, %h0}; st.global.u32 [%rd2+128], %r3;"
        "mov.u64 %rd4, sm; cvta.shared.u64 %rd4, %rd4; mad.wide.u32 %rd4, %r0, 4, %rd4; st.u32 [%rd4], %r0; ld.u32 %r4, [%rd4]; cvta.to.shared.u64 %rd5, %rd4; ld.shared.u32 %r5, [%rd5]; add.u32 %r4, %r4, %r5; st.u32 [%rd2+256], %r4;", 3);
    for (uint32_t l = 0; l < 32; l++) expect(out[l] == 7 && out[32 + l] == 0x56781234 && out[64 + l] == 2 * l, "packing or generic addresses");
}

TEST(partial_warps) {
    const auto out = results("activemask.b32 %r1; bar.sync 0; st.global.u32 [%rd2], %r1;", 2, {}, 40);
    for (uint32_t l = 0; l < 40; l++) expect(out[l] == (l < 32 ? ~0u : 0xffu), "a warp of 8 lanes");
}

TEST(copies_fill_with_zeros) {
    const auto in = randoms(128, 8);
    const auto out = results("mov.u32 %r6, sm; shl.b32 %r5, %r0, 4; add.u32 %r5, %r6, %r5; mad.wide.u32 %rd4, %r0, 16, %rd0; and.b32 %r7, %r0, 15; min.u32 %r7, %r7, 12; and.b32 %r7, %r7, 12;"
        "cp.async.ca.shared.global.L2::128B [%r5], [%rd4], 16, %r7; cp.async.commit_group; cp.async.wait_group 0; ld.shared.v4.u32 {%r1,%r2,%r3,%r4}, [%r5];"
        "st.global.u32 [%rd2], %r1; st.global.u32 [%rd2+128], %r2; st.global.u32 [%rd2+256], %r3; st.global.u32 [%rd2+384], %r4;", 4, in);
    for (int l = 0; l < 32; l++)
        for (int n = 0; n < 4; n++) expect(out[32 * n + l] == (4 * n < (std::min(l & 15, 12) & 12) ? in[4 * l + n] : 0), "cp.async with a source size");
}
