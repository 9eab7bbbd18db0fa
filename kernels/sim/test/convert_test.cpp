// Conversions against the definition of each rounding, by search where the
// host has none.
#include <cmath>
#include <limits>

#include "harness.hpp"

namespace {

using Row = std::vector<uint64_t>;

template <class T>
T as(uint64_t v) {
    T t;
    std::memcpy(&t, &v, sizeof t);
    return t;
}
template <class T>
uint64_t raw(T v) {
    uint64_t r = 0;
    std::memcpy(&r, &v, sizeof v);
    return r;
}

// value16 reads a 16-bit float with that many bits of exponent.
double value16(uint16_t v, int exponentBits) {
    const int mantissaBits = 15 - exponentBits, bias = (1 << (exponentBits - 1)) - 1;
    const int exponent = v >> mantissaBits & ((1 << exponentBits) - 1), mantissa = v & ((1 << mantissaBits) - 1);
    double r = exponent ? std::ldexp((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits) : std::ldexp(mantissa, 1 - bias - mantissaBits);
    if (exponent == (1 << exponentBits) - 1) r = mantissa ? NAN : INFINITY;
    return v >> 15 ? -r : r;
}

// nearest16 finds the nearest 16-bit float by looking at all of them; ties go
// to the even one. cut takes the nearest towards zero instead.
uint16_t nearest16(double v, int exponentBits, bool cut) {
    const uint16_t sign = std::signbit(v) ? 0x8000 : 0, inf = uint16_t(((1 << exponentBits) - 1) << (15 - exponentBits));
    const double a = std::fabs(v);
    if (std::isinf(a)) return sign | inf;
    uint16_t low = 0, high = inf;  // low <= a < high
    while (high - low > 1) {
        const uint16_t middle = uint16_t((low + high) / 2);
        (value16(middle, exponentBits) <= a ? low : high) = middle;
    }
    if (cut) return sign | low;
    // Infinity stands for the number that would follow the largest.
    const double below = value16(low, exponentBits);
    const double above = high == inf ? 2 * below - value16(uint16_t(low - 1), exponentBits) : value16(high, exponentBits);
    const bool up = a - below > above - a || (a - below == above - a && (low & 1));
    return sign | (up ? high : low);
}

std::vector<Row> floats() {
    std::vector<Row> rows;
    for (uint64_t v : {0x00000000u, 0x80000000u, 0x3f800000u, 0x3f808000u, 0x3f818000u, 0x3f808001u, 0x477fefffu, 0x477ff000u, 0x7f7fffffu,
                       0x00000001u, 0x33000000u, 0x33000001u, 0x387fe000u, 0x7f800000u, 0xff800000u, 0x4f000000u, 0xcf000000u, 0x5f000000u,
                       0x3f000000u, 0x3fc00000u, 0x40200000u, 0xbf000000u, 0xbfc00000u, 0x4b000001u, 0x437f8000u, 0xc3000000u})
        rows.push_back({v});
    for (const Row& r : samples(1, {0}, 21))
        if (!std::isnan(as<float>(r[0]))) rows.push_back(r);
    for (int n = -64; n < 64; n++) rows.push_back({raw(float(n) * 0.37f)});
    return rows;
}

std::vector<Row> integers() { return samples(1, {0, 1, 127, 128, 255, 256, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x1000001, 0x1000003, 0x7fffffffffffffff, 0x8000000000000000, ~0ull}, 22); }

const struct { const char* name; double (*f)(double); } roundings[] = {
    {"rni", [](double v) { return std::nearbyint(v); }}, {"rzi", [](double v) { return std::trunc(v); }},
    {"rmi", [](double v) { return std::floor(v); }}, {"rpi", [](double v) { return std::ceil(v); }},
};

template <class T>
T clamped(long double v) {
    if (v <= (long double)std::numeric_limits<T>::min()) return std::numeric_limits<T>::min();
    if (v >= (long double)std::numeric_limits<T>::max()) return std::numeric_limits<T>::max();
    return T(v);
}

template <class T>
void fromFloat(const std::string& name, Width w) {
    for (auto& r : roundings)
        agree(std::string("cvt.") + r.name + "." + name + ".f32", w, {Width::b32}, floats(),
              [&](const Row& v) { return raw(clamped<T>(r.f(as<float>(v[0])))); });
}

template <class To, class From>
void fromInteger(const std::string& op, Width to, Width from) {
    agree(op, to, {from}, integers(), [](const Row& v) { return raw(To(as<From>(v[0]))); });
}

}  // namespace

TEST(convert_float_to_integer) {
    fromFloat<int32_t>("s32", Width::b32);
    fromFloat<uint32_t>("u32", Width::b32);
    fromFloat<int64_t>("s64", Width::b64);
    fromFloat<uint64_t>("u64", Width::b64);
    fromFloat<int16_t>("s16", Width::b16);
    fromFloat<uint16_t>("u16", Width::b16);
    expect(evaluate("cvt.rzi.s32.f32", Width::b32, {Width::b32}, {{0x7fc00000}})[0] == 0, "NaN to s32");
    expect(evaluate("cvt.rzi.s64.f32", Width::b64, {Width::b32}, {{0x7fc00000}})[0] == 1ull << 63, "NaN to s64");
    // Results of 8 bits fill the register by their sign.
    const auto bytes = evaluate("cvt.rni.s8.f32", Width::b32, {Width::b32}, {{raw(-3.5f)}, {raw(-1000.0f)}, {raw(126.5f)}, {raw(200.0f)}});
    expect(bytes == std::vector<uint64_t>({0xfffffffc, 0xffffff80, 126, 127}), "f32 to s8");
}

TEST(convert_float_to_whole_float) {
    for (auto& r : roundings)
        agree(std::string("cvt.") + r.name + ".f32.f32", Width::b32, {Width::b32}, floats(), [&](const Row& v) { return raw(float(r.f(as<float>(v[0])))); });
}

TEST(convert_integer_to_integer) {
    fromInteger<int64_t, int32_t>("cvt.s64.s32", Width::b64, Width::b32);
    fromInteger<uint64_t, uint32_t>("cvt.u64.u32", Width::b64, Width::b32);
    fromInteger<uint32_t, uint64_t>("cvt.u32.u64", Width::b32, Width::b64);
    fromInteger<uint16_t, uint32_t>("cvt.u16.u32", Width::b16, Width::b32);
    fromInteger<int32_t, int16_t>("cvt.s32.s16", Width::b32, Width::b16);
    fromInteger<int32_t, int8_t>("cvt.s32.s8", Width::b32, Width::b32);
    fromInteger<uint32_t, uint8_t>("cvt.u32.u8", Width::b32, Width::b32);
    fromInteger<uint64_t, uint8_t>("cvt.u64.u8", Width::b64, Width::b16);
    agree("cvt.sat.u8.s32", Width::b32, {Width::b32}, integers(), [](const Row& v) { return uint64_t(std::min(255, std::max(0, as<int32_t>(v[0])))); });
    agree("cvt.sat.s32.s64", Width::b32, {Width::b64}, integers(), [](const Row& v) { return raw(int32_t(std::min<int64_t>(INT32_MAX, std::max<int64_t>(INT32_MIN, int64_t(v[0]))))); });
}

TEST(convert_integer_to_float) {
    fromInteger<float, int32_t>("cvt.rn.f32.s32", Width::b32, Width::b32);
    fromInteger<float, uint32_t>("cvt.rn.f32.u32", Width::b32, Width::b32);
    fromInteger<float, int64_t>("cvt.rn.f32.s64", Width::b32, Width::b64);
    fromInteger<float, uint64_t>("cvt.rn.f32.u64", Width::b32, Width::b64);
    fromInteger<float, int8_t>("cvt.rn.f32.s8", Width::b32, Width::b32);
    fromInteger<float, uint16_t>("cvt.rn.f32.u16", Width::b32, Width::b16);
    fromInteger<double, int64_t>("cvt.rn.f64.s64", Width::b64, Width::b64);
    // Other roundings are defined by their side of the exact value.
    const char* const sides[] = {"rz", "rm", "rp"};
    for (int side = 0; side < 3; side++) {
        const auto rows = integers();
        const auto results = evaluate(std::string("cvt.") + sides[side] + ".f32.s64", Width::b32, {Width::b64}, rows);
        for (size_t n = 0; n < rows.size(); n++) {
            const float got = as<float>(results[n]);
            const long double exact = int64_t(rows[n][0]), v = got;
            const bool down = side == 1 || (side == 0 && exact >= 0);
            const float beyond = std::nextafter(got, down ? INFINITY : -INFINITY);
            expect(down ? v <= exact && (long double)beyond > exact : v >= exact && (long double)beyond < exact, std::string("cvt.") + sides[side] + ".f32.s64");
        }
    }
}

TEST(convert_small_floats) {
    for (bool brain : {false, true}) {
        const int exponentBits = brain ? 8 : 5;
        const std::string name = brain ? "bf16" : "f16";
        for (bool cut : {false, true})
            agree(std::string("cvt.") + (cut ? "rz." : "rn.") + name + ".f32", Width::b16, {Width::b32}, floats(), [=](const Row& v) {
                const float f = as<float>(v[0]);
                // Towards zero a finite number never becomes infinite.
                return uint64_t(nearest16(f, exponentBits, cut));
            });
        for (const char* mode : {"rn", "rz"}) {
            auto rows = floats();
            for (size_t n = 0; n < rows.size(); n++) rows[n].push_back(rows[(n * 7) % rows.size()][0]);
            agree(std::string("cvt.") + mode + "." + name + "x2.f32", Width::b32, {Width::b32, Width::b32}, rows, [=](const Row& v) {
                const bool cut = mode[1] == 'z';
                return uint64_t(nearest16(as<float>(v[0]), exponentBits, cut)) << 16 | nearest16(as<float>(v[1]), exponentBits, cut);
            });
        }
    }
    // All halves back to f32, exactly.
    std::vector<Row> halves;
    for (uint64_t v = 0; v < 0x10000; v += 7)
        if (!std::isnan(value16(uint16_t(v), 5))) halves.push_back({v});
    agree("cvt.f32.f16", Width::b32, {Width::b16}, halves, [](const Row& v) { return raw(float(value16(uint16_t(v[0]), 5))); });
}

TEST(convert_doubles) {
    std::vector<Row> rows;
    for (int n = -40; n < 40; n++) rows.push_back({raw(n * 0.1)}), rows.push_back({raw(std::ldexp(1 + 0x1p-24 + n * 0x1p-40, n))});
    agree("cvt.rn.f32.f64", Width::b32, {Width::b64}, rows, [](const Row& v) { return raw(float(as<double>(v[0]))); });
    agree("cvt.f64.f32", Width::b64, {Width::b32}, floats(), [](const Row& v) { return raw(double(as<float>(v[0]))); });
    agree("cvt.rzi.s32.f64", Width::b32, {Width::b64}, rows, [](const Row& v) { return raw(clamped<int32_t>(std::trunc(as<double>(v[0])))); });
    agree("cvt.rz.f32.f64", Width::b32, {Width::b64}, rows, [](const Row& v) {
        const double d = as<double>(v[0]);
        float f = float(d);
        if (std::fabs(double(f)) > std::fabs(d)) f = std::nextafter(f, 0.0f);
        return raw(f);
    });
    agree("cvt.rna.tf32.f32", Width::b32, {Width::b32}, {{raw(1.0f)}, {raw(1 + 0x1p-11f)}, {raw(1 + 0x1p-12f)}, {raw(-1 - 0x1p-11f)}}, [](const Row& v) {
        const float f = as<float>(v[0]);
        return raw(float(std::round(f * 1024) / 1024));  // all between 1 and 2
    });
    agree("cvt.sat.f32.f32", Width::b32, {Width::b32}, floats(), [](const Row& v) { return raw(std::max(0.0f, std::min(1.0f, as<float>(v[0])))); });
}
