// Integer instructions against arithmetic in 128 bits.
#include "harness.hpp"

namespace {

using Big = __int128;
using Rows = std::vector<std::vector<uint64_t>>;

struct Format {
    const char* name;
    uint32_t bits;
    bool isSigned;
    Width width;
};
const Format formats[] = {
    {"u16", 16, false, Width::b16}, {"s16", 16, true, Width::b16}, {"u32", 32, false, Width::b32},
    {"s32", 32, true, Width::b32},  {"u64", 64, false, Width::b64}, {"s64", 64, true, Width::b64},
};

uint64_t cut(Big v, uint32_t bits) { return bits == 64 ? uint64_t(v) : uint64_t(v) & ((1ull << bits) - 1); }
Big valueOf(uint64_t raw, const Format& f) {
    const uint64_t v = cut(Big(raw), f.bits);
    return f.isSigned && v >> (f.bits - 1) & 1 ? Big(v) - (Big(1) << f.bits) : Big(v);
}

const std::vector<uint64_t> edges = {0, 1, 2, 7, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                     0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff};

using Operation = Big (*)(Big, Big, Big);
struct Row {
    const char* base;
    size_t inputs;
    Operation f;
};

void agreeAll(const Row& row, const Format& f, const std::string& op, uint32_t shift = 0) {
    std::vector<Width> in(row.inputs, f.width);
    agree(op, f.width, in, samples(row.inputs, edges, 1), [&](const std::vector<uint64_t>& v) {
        const Big a = valueOf(v[0], f), b = row.inputs > 1 ? valueOf(v[1], f) : 0, c = row.inputs > 2 ? valueOf(v[2], f) : 0;
        return cut(row.f(a, b, c) >> shift, f.bits);
    });
}

}  // namespace

TEST(integer_arithmetic) {
    const Row rows[] = {
        {"add", 2, [](Big a, Big b, Big) { return a + b; }}, {"sub", 2, [](Big a, Big b, Big) { return a - b; }},
        {"mul.lo", 2, [](Big a, Big b, Big) { return Big((unsigned __int128)a * (unsigned __int128)b); }},
        {"mad.lo", 3, [](Big a, Big b, Big c) { return Big((unsigned __int128)a * (unsigned __int128)b + (unsigned __int128)c); }},
        {"min", 2, [](Big a, Big b, Big) { return a < b ? a : b; }}, {"max", 2, [](Big a, Big b, Big) { return a > b ? a : b; }},
        {"div", 2, [](Big a, Big b, Big) { return b ? a / b : Big(-1); }}, {"rem", 2, [](Big a, Big b, Big) { return b ? a % b : a; }},
        {"sad", 3, [](Big a, Big b, Big c) { return c + (a < b ? b - a : a - b); }},
    };
    for (const Format& f : formats)
        for (const Row& row : rows) agreeAll(row, f, std::string(row.base) + "." + f.name);
}

TEST(integer_negation) {
    const Row neg = {"neg", 1, [](Big a, Big, Big) { return -a; }}, abs = {"abs", 1, [](Big a, Big, Big) { return a < 0 ? -a : a; }};
    for (const Format& f : formats)
        if (f.isSigned) {
            agreeAll(neg, f, std::string("neg.") + f.name);
            agreeAll(abs, f, std::string("abs.") + f.name);
        }
}

TEST(integer_high_halves) {
    for (const Format& f : formats)
        agree(std::string("mul.hi.") + f.name, f.width, {f.width, f.width}, samples(2, edges, 2), [&](const std::vector<uint64_t>& v) {
            const Big a = valueOf(v[0], f), b = valueOf(v[1], f);
            return cut(Big(f.isSigned ? a * b : Big((unsigned __int128)a * (unsigned __int128)b)) >> f.bits, f.bits);
        });
    for (const Format& f : formats)
        if (f.bits < 64)
            agree(std::string("mad.hi.") + f.name, f.width, {f.width, f.width, f.width}, samples(3, edges, 2),
                  [&](const std::vector<uint64_t>& v) { return cut((valueOf(v[0], f) * valueOf(v[1], f) >> f.bits) + valueOf(v[2], f), f.bits); });
}

TEST(integer_wide) {
    for (const Format& f : formats) {
        if (f.bits == 64) continue;
        const Width wide = f.bits == 16 ? Width::b32 : Width::b64;
        agree(std::string("mul.wide.") + f.name, wide, {f.width, f.width}, samples(2, edges, 3),
              [&](const std::vector<uint64_t>& v) { return cut(valueOf(v[0], f) * valueOf(v[1], f), 2 * f.bits); });
        agree(std::string("mad.wide.") + f.name, wide, {f.width, f.width, wide}, samples(3, edges, 3),
              [&](const std::vector<uint64_t>& v) { return cut(valueOf(v[0], f) * valueOf(v[1], f) + Big(v[2]), 2 * f.bits); });
    }
}

TEST(integer_24_bits) {
    const Format s24 = {"s32", 24, true, Width::b32}, u24 = {"u32", 24, false, Width::b32};
    for (const Format& f : {s24, u24}) {
        auto product = [f](const std::vector<uint64_t>& v) { return valueOf(v[0], f) * valueOf(v[1], f); };
        agree(std::string("mul24.lo.") + f.name, f.width, {f.width, f.width}, samples(2, edges, 4),
              [&](const std::vector<uint64_t>& v) { return cut(product(v), 32); });
        agree(std::string("mul24.hi.") + f.name, f.width, {f.width, f.width}, samples(2, edges, 4),
              [&](const std::vector<uint64_t>& v) { return cut(product(v) >> 16, 32); });
        agree(std::string("mad24.lo.") + f.name, f.width, {f.width, f.width, f.width}, samples(3, edges, 4),
              [&](const std::vector<uint64_t>& v) { return cut(product(v) + Big(v[2]), 32); });
    }
}

TEST(logic_and_shifts) {
    for (const char* bits : {"16", "32", "64"}) {
        const uint32_t n = uint32_t(std::stoi(bits));
        const Width w = n == 16 ? Width::b16 : n == 32 ? Width::b32 : Width::b64;
        const std::string b = std::string(".b") + bits;
        const Rows two = samples(2, edges, 5);
        agree("and" + b, w, {w, w}, two, [&](const auto& v) { return cut(Big(v[0] & v[1]), n); });
        agree("or" + b, w, {w, w}, two, [&](const auto& v) { return cut(Big(v[0] | v[1]), n); });
        agree("xor" + b, w, {w, w}, two, [&](const auto& v) { return cut(Big(v[0] ^ v[1]), n); });
        agree("not" + b, w, {w}, two, [&](const auto& v) { return cut(Big(~v[0]), n); });
        Rows by = two;
        for (size_t r = 0; r < by.size(); r++) by[r][1] = r % 5 ? by[r][1] % 70 : by[r][1];
        auto amount = [n](uint64_t v) { return std::min<uint64_t>(uint32_t(v), n); };
        agree("shl" + b, w, {w, Width::b32}, by, [&](const auto& v) { return cut(Big(v[0]) << amount(v[1]), n); });
        for (bool sign : {false, true}) {
            const Format f = {"", n, sign, w};
            agree(std::string("shr.") + (sign ? "s" : "u") + bits, w, {w, Width::b32}, by,
                  [&](const auto& v) { return cut(valueOf(v[0], f) >> amount(v[1]), n); });
        }
    }
    agree("xor.pred", Width::pred, {Width::pred, Width::pred}, samples(2, {0, 1}, 5),
          [](const auto& v) { return uint64_t((uint32_t(v[0]) != 0) != (uint32_t(v[1]) != 0)); });
    agree("not.pred", Width::pred, {Width::pred}, samples(1, {0, 1}, 5), [](const auto& v) { return uint64_t(uint32_t(v[0]) == 0); });
}

TEST(bit_fields) {
    Rows rows = samples(4, edges, 6);
    for (auto& r : rows) r[2] %= 40, r[3] %= 40;
    const Width w = Width::b32;
    agree("bfi.b32", w, {w, w, w, w}, rows, [](const auto& v) {
        uint32_t r = uint32_t(v[1]);
        for (uint32_t n = 0; n < v[3] && v[2] + n < 32; n++) r = (r & ~(1u << (v[2] + n))) | uint32_t(v[0] >> n & 1) << (v[2] + n);
        return uint64_t(r);
    });
    for (auto& r : rows) r[1] = r[2], r[2] = r[3];
    auto field = [](const std::vector<uint64_t>& v) { return v[1] > 31 ? 0u : uint32_t(v[0]) >> v[1] & uint32_t((1ull << v[2]) - 1); };
    agree("bfe.u32", w, {w, w, w}, rows, [&](const auto& v) { return uint64_t(field(v)); });
    agree("bfe.s32", w, {w, w, w}, rows, [&](const auto& v) {
        if (v[2] == 0) return uint64_t(0);
        const int64_t all = int32_t(v[0]);  // the sign repeats without end
        return uint64_t(uint32_t((all >> v[1]) << (64 - v[2]) >> (64 - v[2])));
    });
    agree("popc.b32", w, {w}, rows, [](const auto& v) { uint64_t n = 0; for (int b = 0; b < 32; b++) n += v[0] >> b & 1; return n; });
    agree("clz.b64", w, {Width::b64}, rows, [](const auto& v) { uint64_t n = 0; while (n < 64 && !(v[0] >> (63 - n) & 1)) n++; return n; });
    agree("brev.b32", w, {w}, rows, [](const auto& v) { uint64_t r = 0; for (int b = 0; b < 32; b++) r |= (v[0] >> b & 1) << (31 - b); return r; });
    agree("shf.l.wrap.b32", w, {w, w, w}, rows, [](const auto& v) { const uint64_t n = v[2] & 31; return n ? uint64_t(uint32_t(v[1] << n | uint32_t(v[0]) >> (32 - n))) : uint64_t(uint32_t(v[1])); });
    agree("shf.r.wrap.b32", w, {w, w, w}, rows, [](const auto& v) { const uint64_t n = v[2] & 31; return n ? uint64_t(uint32_t(uint32_t(v[0]) >> n | uint32_t(v[1] << (32 - n)))) : uint64_t(uint32_t(v[0])); });
    agree("prmt.b32", w, {w, w, w}, samples(3, edges, 7), [](const auto& v) {
        uint8_t bytes[8], out[4];
        for (int n = 0; n < 8; n++) bytes[n] = uint8_t(n < 4 ? v[0] >> (8 * n) : v[1] >> (8 * n - 32));
        for (int n = 0; n < 4; n++) {
            const uint32_t pick = v[2] >> (4 * n) & 15;
            out[n] = pick & 8 ? uint8_t(int8_t(bytes[pick & 7]) >> 7) : bytes[pick & 7];
        }
        return uint64_t(out[0] | out[1] << 8 | out[2] << 16 | uint32_t(out[3]) << 24);
    });
}

TEST(table_logic) {
    const std::vector<std::vector<uint64_t>> rows = samples(3, edges, 8);
    for (uint32_t table : {0x00u, 0x96u, 0xe8u, 0xcau, 0xfeu}) {
        // lop3's table is an immediate, so it is written into the module.
        sim::Memory memory;
        Buffer from(memory, 32 * 12), to(memory, 32 * 4);
        for (int l = 0; l < 32; l++) for (int n = 0; n < 3; n++) from.as<uint32_t>()[3 * l + n] = uint32_t(rows[l * 5][n]);
        sim::Launch launch;
        launch.block[0] = 32;
        runText(moduleOf(".reg .b32 %r<5>; .reg .b64 %rd<4>; ld.param.u64 %rd0, [p0]; ld.param.u64 %rd1, [p1]; mov.u32 %r0, %tid.x;\n"
                         "mad.wide.u32 %rd0, %r0, 12, %rd0; mad.wide.u32 %rd1, %r0, 4, %rd1;\n"
                         "ld.global.u32 %r1, [%rd0]; ld.global.u32 %r2, [%rd0+4]; ld.global.u32 %r3, [%rd0+8];\n"
                         "lop3.b32 %r4, %r1, %r2, %r3, " + std::to_string(table) + "; st.global.u32 [%rd1], %r4; ret;\n"),
                memory, {from.at(), to.at()}, launch);
        for (int l = 0; l < 32; l++)
            for (int b = 0; b < 32; b++) {
                const uint32_t* v = from.as<uint32_t>() + 3 * l;
                const uint32_t row = (v[0] >> b & 1) << 2 | (v[1] >> b & 1) << 1 | (v[2] >> b & 1);
                expect((to.as<uint32_t>()[l] >> b & 1) == (table >> row & 1), "lop3 " + std::to_string(table));
            }
    }
}
