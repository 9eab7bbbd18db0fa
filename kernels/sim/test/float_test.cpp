// Floating-point instructions against computations in a wider format, rounded
// once.
#include <cmath>

#include "harness.hpp"

namespace {

using Row = std::vector<uint64_t>;

float f32(uint64_t v) {
    const uint32_t bits = uint32_t(v);
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
}
double f64(uint64_t v) {
    double f;
    std::memcpy(&f, &v, 8);
    return f;
}
uint64_t bits(float f) {
    uint32_t v;
    std::memcpy(&v, &f, 4);
    return v;
}
uint64_t bits(double f) {
    uint64_t v;
    std::memcpy(&v, &f, 8);
    return v;
}

const std::vector<uint64_t> edges = {0, 0x80000000, 0x3f800000, 0xbf800000, 0x3f000000, 0x7f7fffff, 0x00800000, 0x00000001, 0x807fffff,
                                     0x7f800000, 0xff800000, 0x7fc00000, 0x4b7fffff, 0x34000000, 0x33800000, 0x3f800001};

// One NaN is as good as another.
uint64_t canonical(uint64_t v) { return std::isnan(f32(v)) ? 0x7fc00000 : v; }

void agreeFloat(const std::string& op, size_t inputs, const std::function<uint64_t(const Row&)>& host) {
    const auto rows = samples(inputs, edges, 11);
    const auto results = evaluate(op, Width::b32, std::vector<Width>(inputs, Width::b32), rows);
    for (size_t n = 0; n < rows.size(); n++) {
        const uint64_t want = canonical(host(rows[n])), got = canonical(results[n]);
        expect(got == want, op + " " + std::to_string(f32(rows[n][0])) + ": " + std::to_string(got) + ", want " + std::to_string(want));
    }
}

// A sum or product of two floats, quotient or root, rounded from f64 to f32,
// is the correctly rounded one: 53 bits are more than 2·24 + 1.
double add(double a, double b) { return a + b; }
double sub(double a, double b) { return a - b; }
double mul(double a, double b) { return a * b; }
double divide(double a, double b) { return a / b; }

float flushed(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v; }
float saturated(float v) { return std::isnan(v) || v < 0 ? 0.0f : v > 1 ? 1.0f : v + 0.0f; }

}  // namespace

TEST(float_arithmetic) {
    const struct { const char* name; double (*f)(double, double); } table[] = {{"add", add}, {"sub", sub}, {"mul", mul}, {"div.rn", divide}};
    for (auto& row : table) {
        const std::string op = row.name;
        agreeFloat(op + ".f32", 2, [&](const Row& v) { return bits(float(row.f(f32(v[0]), f32(v[1])))); });
        agreeFloat(op + ".ftz.f32", 2, [&](const Row& v) { return bits(flushed(float(row.f(flushed(f32(v[0])), flushed(f32(v[1])))))); });
        if (op == "div.rn") continue;
        agreeFloat(op + ".sat.f32", 2, [&](const Row& v) { return canonical(bits(saturated(float(row.f(f32(v[0]), f32(v[1]))))) & 0x7fffffff); });
    }
    agreeFloat("neg.f32", 1, [](const Row& v) { return uint64_t(uint32_t(v[0]) ^ 0x80000000); });
    agreeFloat("abs.f32", 1, [](const Row& v) { return uint64_t(uint32_t(v[0]) & 0x7fffffff); });
    agreeFloat("copysign.f32", 2, [](const Row& v) { return uint64_t((uint32_t(v[1]) & 0x7fffffff) | (uint32_t(v[0]) & 0x80000000)); });
    agreeFloat("sqrt.rn.f32", 1, [](const Row& v) { return bits(float(std::sqrt(double(f32(v[0]))))); });
    agreeFloat("rcp.rn.f32", 1, [](const Row& v) { return bits(float(1.0 / f32(v[0]))); });
}

TEST(float_fused) {
    // The host's long double has 64 bits: enough where the addend is near the product.
    const std::vector<Row> rows = {{bits(1.0f + 0x1p-23f), bits(1.0f - 0x1p-23f), bits(-1.0f)}, {bits(3.0f), bits(1 / 3.0f), bits(-1.0f)},
                                   {bits(0x1.fffffep+20f), bits(0x1.fffffep+3f), bits(-0x1p+24f)}};
    const std::vector<Width> in(3, Width::b32);
    const auto results = evaluate("fma.rn.f32", Width::b32, in, rows);
    for (size_t n = 0; n < rows.size(); n++) {
        const float want = float((long double)f32(rows[n][0]) * f32(rows[n][1]) + f32(rows[n][2]));
        expect(results[n] == bits(want), "fma row " + std::to_string(n));
    }
    // A product and a sum apart would lose the last bits: mul and add give zero here.
    expect(f32(results[0]) == -0x1p-46f, "fma rounds once");
}

TEST(float_minimum_and_maximum) {
    auto least = [](const Row& v) {
        const float a = f32(v[0]), b = f32(v[1]);
        if (std::isnan(a)) return bits(b);
        if (std::isnan(b)) return bits(a);
        if (a == 0 && b == 0) return std::signbit(a) || std::signbit(b) ? bits(-0.0f) : bits(0.0f);
        return bits(std::min(a, b));
    };
    auto most = [](const Row& v) {
        const float a = f32(v[0]), b = f32(v[1]);
        if (std::isnan(a)) return bits(b);
        if (std::isnan(b)) return bits(a);
        if (a == 0 && b == 0) return std::signbit(a) && std::signbit(b) ? bits(-0.0f) : bits(0.0f);
        return bits(std::max(a, b));
    };
    agreeFloat("min.f32", 2, least);
    agreeFloat("max.f32", 2, most);
}

TEST(float_approximations) {
    const struct { const char* op; double (*f)(double); double low, high; } table[] = {
        {"ex2.approx.f32", [](double a) { return std::exp2(a); }, -30, 30},
        {"lg2.approx.f32", [](double a) { return std::log2(a); }, 0.01, 1000},
        {"rcp.approx.f32", [](double a) { return 1 / a; }, 0.01, 1000},
        {"rsqrt.approx.f32", [](double a) { return 1 / std::sqrt(a); }, 0.01, 1000},
        {"sqrt.approx.f32", [](double a) { return std::sqrt(a); }, 0, 1000},
        {"sin.approx.f32", [](double a) { return std::sin(a); }, -3, 3},
        {"cos.approx.f32", [](double a) { return std::cos(a); }, -1.5, 1.5},
        {"tanh.approx.f32", [](double a) { return std::tanh(a); }, -9, 9},
    };
    for (auto& row : table) {
        std::vector<Row> rows;
        for (int n = 0; n < 96; n++) rows.push_back({bits(float(row.low + (row.high - row.low) * (n + 0.37) / 96))});
        const auto results = evaluate(row.op, Width::b32, {Width::b32}, rows);
        for (size_t n = 0; n < rows.size(); n++) {
            const double want = row.f(f32(rows[n][0]));
            expect(std::fabs(f32(results[n]) - want) <= 2e-7 * std::fabs(want), std::string(row.op) + " of " + std::to_string(f32(rows[n][0])));
        }
    }
    const auto tiny = evaluate("ex2.approx.ftz.f32", Width::b32, {Width::b32}, {{bits(-140.0f)}, {bits(-INFINITY)}, {bits(0x1p-140f)}});
    expect(tiny[0] == 0 && tiny[1] == 0 && tiny[2] == bits(1.0f), "ex2.approx.ftz flushes");
}

TEST(double_arithmetic) {
    std::vector<Row> rows;
    for (uint64_t n = 0; n < 64; n++) rows.push_back({bits((double(n) - 20) * 1.1), bits(0.7 + double(n) * 0.3), bits(double(n * n) / 7)});
    const Width w = Width::b64;
    agree("add.f64", w, {w, w}, rows, [](const Row& v) { return bits(f64(v[0]) + f64(v[1])); });
    agree("sub.f64", w, {w, w}, rows, [](const Row& v) { return bits(f64(v[0]) - f64(v[1])); });
    agree("mul.f64", w, {w, w}, rows, [](const Row& v) { return bits(f64(v[0]) * f64(v[1])); });
    agree("div.rn.f64", w, {w, w}, rows, [](const Row& v) { return bits(f64(v[0]) / f64(v[1])); });
    agree("max.f64", w, {w, w}, rows, [](const Row& v) { return bits(std::fmax(f64(v[0]), f64(v[1]))); });
    agree("fma.rn.f64", w, {w, w, w}, rows, [](const Row& v) { return bits(std::fma(f64(v[0]), f64(v[1]), f64(v[2]))); });
}

TEST(float_comparisons) {
    const auto rows = samples(2, edges, 12);
    const std::vector<Width> in(2, Width::b32), three = {Width::b32, Width::b32, Width::pred};
    auto either = [](const Row& v) { return std::isnan(f32(v[0])) || std::isnan(f32(v[1])); };
    const struct { const char* name; bool (*f)(float, float); } table[] = {
        {"eq", [](float a, float b) { return a == b; }}, {"lt", [](float a, float b) { return a < b; }},
        {"le", [](float a, float b) { return a <= b; }}, {"gt", [](float a, float b) { return a > b; }},
        {"ge", [](float a, float b) { return a >= b; }}, {"ne", [](float a, float b) { return a < b || a > b; }},
    };
    for (auto& row : table) {
        const std::string op = std::string("setp.") + row.name;
        agree(op + ".f32", Width::pred, in, rows, [&](const Row& v) { return uint64_t(row.f(f32(v[0]), f32(v[1]))); });
        agree(op + "u.f32", Width::pred, in, rows, [&](const Row& v) { return uint64_t(either(v) || row.f(f32(v[0]), f32(v[1]))); });
        agree("set." + std::string(row.name) + ".u32.f32", Width::b32, in, rows, [&](const Row& v) { return row.f(f32(v[0]), f32(v[1])) ? 0xffffffffull : 0; });
    }
    agree("setp.num.f32", Width::pred, in, rows, [&](const Row& v) { return uint64_t(!either(v)); });
    agree("setp.nan.f32", Width::pred, in, rows, [&](const Row& v) { return uint64_t(either(v)); });
    auto mixed = samples(3, edges, 13);
    for (size_t n = 0; n < mixed.size(); n++) mixed[n][2] = n & 1;
    auto less = [](const Row& v) { return f32(v[0]) < f32(v[1]); };
    agree("setp.lt.and.f32", Width::pred, three, mixed, [&](const Row& v) { return uint64_t(less(v) && v[2]); });
    agree("setp.lt.or.f32", Width::pred, three, mixed, [&](const Row& v) { return uint64_t(less(v) || v[2]); });
    agree("setp.lt.xor.f32", Width::pred, three, mixed, [&](const Row& v) { return uint64_t(less(v) != (v[2] != 0)); });
    agree("selp.f32", Width::b32, three, mixed, [](const Row& v) { return uint64_t(uint32_t(v[2] ? v[0] : v[1])); });
    agree("slct.f32.s32", Width::b32, {Width::b32, Width::b32, Width::b32}, samples(3, edges, 14), [](const Row& v) { return uint64_t(uint32_t(int32_t(v[2]) >= 0 ? v[0] : v[1])); });
    agree("testp.subnormal.f32", Width::pred, {Width::b32}, rows, [](const Row& v) { return uint64_t(std::fpclassify(f32(v[0])) == FP_SUBNORMAL); });
    agree("testp.finite.f32", Width::pred, {Width::b32}, rows, [](const Row& v) { return uint64_t(std::isfinite(f32(v[0]))); });
}

TEST(integer_comparisons) {
    const std::vector<uint64_t> ends = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x8000000000000000, 0x7fff, 0x8000};
    const auto rows = samples(2, ends, 15);
    auto pair = [](Width w) { return std::vector<Width>(2, w); };
    agree("setp.lt.s32", Width::pred, pair(Width::b32), rows, [](const Row& v) { return uint64_t(int32_t(v[0]) < int32_t(v[1])); });
    agree("setp.lo.u32", Width::pred, pair(Width::b32), rows, [](const Row& v) { return uint64_t(uint32_t(v[0]) < uint32_t(v[1])); });
    agree("setp.hs.u64", Width::pred, pair(Width::b64), rows, [](const Row& v) { return uint64_t(v[0] >= v[1]); });
    agree("setp.gt.s64", Width::pred, pair(Width::b64), rows, [](const Row& v) { return uint64_t(int64_t(v[0]) > int64_t(v[1])); });
    agree("setp.le.s16", Width::pred, pair(Width::b16), rows, [](const Row& v) { return uint64_t(int16_t(v[0]) <= int16_t(v[1])); });
    agree("setp.ne.b32", Width::pred, pair(Width::b32), rows, [](const Row& v) { return uint64_t(uint32_t(v[0]) != uint32_t(v[1])); });
}
