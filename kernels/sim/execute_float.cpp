// Floating-point arithmetic: in the format of the operands, rounded to
// nearest even. The device's approximations (ex2, lg2, sin, tanh, ...) are
// computed as exactly as the host's float functions do, so results may differ
// from a GPU's in the last bits. NaNs keep the host's bits.
#include "value.hpp"

namespace sim {
namespace {

struct Add { template <class T> static T of(T a, T b) { return a + b; } };
struct Sub { template <class T> static T of(T a, T b) { return a - b; } };
struct Mul { template <class T> static T of(T a, T b) { return a * b; } };
struct Div { template <class T> static T of(T a, T b) { return a / b; } };
struct Fma {
    static float of(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
    static double of(double a, double b, double c) { return __builtin_fma(a, b, c); }
};

// FmaTowards rounds down (-1), up (1) or to zero (0). In double the product is
// exact, and the sum's error is known exactly (Knuth's two-sum), which says on
// which side of the nearest float the true value lies.
template <int direction>
struct FmaTowards {
    static float of(float a, float b, float c) {
        const double p = double(a) * b, s = p + c, part = s - p, error = (p - (s - part)) + (c - part);
        const float f = float(s);
        const bool above = f > s || (f == s && error < 0), below = f < s || (f == s && error > 0);
        const int towards = direction ? direction : s > 0 ? -1 : 1;
        if (towards < 0 && above) return nextafterf(f, -INFINITY);
        if (towards > 0 && below) return nextafterf(f, INFINITY);
        return f;
    }
};

// A NaN loses against a number, and -0 is less than +0.
struct Max {
    template <class T> static T of(T a, T b) {
        const T equal = as<T>(CellOf<T>(cellOf(a) & cellOf(b)));
        return a == b ? equal : (a > b || b != b) ? a : b;
    }
};
struct Min {
    template <class T> static T of(T a, T b) {
        const T equal = as<T>(CellOf<T>(cellOf(a) | cellOf(b)));
        return a == b ? equal : (a < b || b != b) ? a : b;
    }
};
struct Neg { template <class T> static T of(T a) { return -a; } };
struct Abs {
    static float of(float a) { return __builtin_fabsf(a); }
    static double of(double a) { return __builtin_fabs(a); }
};
struct Sqrt {
    static float of(float a) { return __builtin_sqrtf(a); }
    static double of(double a) { return __builtin_sqrt(a); }
};
struct Rcp { template <class T> static T of(T a) { return T(1) / a; } };
struct Rsqrt { static float of(float a) { return float(1 / __builtin_sqrt(double(a))); } };
struct Exp2 { static float of(float a) { return exp2f(a); } };
struct Log2 { static float of(float a) { return log2f(a); } };
struct Sin { static float of(float a) { return sinf(a); } };
struct Cos { static float of(float a) { return cosf(a); } };
struct Tanh { static float of(float a) { return tanhf(a); } };
// The magnitude of the second with the sign of the first.
struct CopySign {
    static float of(float a, float b) { return __builtin_copysignf(b, a); }
    static double of(double a, double b) { return __builtin_copysign(b, a); }
};

// Flushed and Saturated wrap an operation as .ftz and .sat do.
template <class Op>
struct Flushed {
    template <class... T> static float of(T... a) { return flush(Op::of(flush(a)...)); }
};
template <class Op>
struct Saturated {
    template <class... T> static float of(T... a) {
        const float v = Op::of(a...);
        return v > 0 ? (v < 1 ? v : 1.0f) : 0.0f;
    }
};

template <class T, class Op, int count>
Execute shaped() {
    if constexpr (count == 1) return unary<T, Op>;
    else if constexpr (count == 2) return binary<T, Op>;
    else return ternary<T, Op>;
}

// plain takes an operation of one or both formats; single one of f32 only.
template <class Op, int count>
Execute single(const Opcode& op, Selected& s) {
    if (op.type() != Type::f32) return nullptr;
    s.inputs = count;
    const bool ftz = op.has("ftz");
    if (op.has("sat")) return ftz ? shaped<float, Saturated<Flushed<Op>>, count>() : shaped<float, Saturated<Op>, count>();
    return ftz ? shaped<float, Flushed<Op>, count>() : shaped<float, Op, count>();
}
template <class Op, int count>
Execute plain(const Opcode& op, Selected& s) {
    if (op.type() != Type::f64) return single<Op, count>(op, s);
    s.inputs = count;
    return op.has("sat") || op.has("ftz") ? nullptr : shaped<double, Op, count>();
}

template <class T>
void classify(Warp& w, const Instruction& i, uint32_t active) {
    enum { finite, infinite, number, notanumber, normal, subnormal };
    uint32_t result = 0;
    each(active, [&](int l) {
        const T v = as<T>(cells<T>(w, i.s[0])[l]);
        const int kind = std::fpclassify(v);
        const bool yes = i.mode == finite       ? std::isfinite(v)
                         : i.mode == infinite   ? kind == FP_INFINITE
                         : i.mode == number     ? kind != FP_NAN
                         : i.mode == notanumber ? kind == FP_NAN
                         : i.mode == normal     ? kind == FP_NORMAL
                                                : kind == FP_SUBNORMAL;
        result |= uint32_t(yes) << l;
    });
    uint32_t& d = w.mask(i.d[0]);
    d = (d & ~active) | result;
}

Execute pickTest(const Opcode& op, Selected& s) {
    static const char* const names[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
    s.inputs = 1;
    s.to = Type::pred;
    s.from = {op.type()};
    for (uint8_t n = 0; n < 6; n++)
        if (op.has(names[n])) {
            s.mode = n;
            return op.type() == Type::f64 ? classify<double> : classify<float>;
        }
    return nullptr;
}

Execute pick(const Opcode& op, Selected& s) {
    const std::string& b = op.base();
    const bool approx = op.has("approx");
    if (b == "add") return plain<Add, 2>(op, s);
    if (b == "sub") return plain<Sub, 2>(op, s);
    if (b == "mul") return plain<Mul, 2>(op, s);
    if (b == "div") return plain<Div, 2>(op, s);
    if (b == "fma" || b == "mad") return plain<Fma, 3>(op, s);
    if (b == "min" && !op.has("NaN")) return plain<Min, 2>(op, s);
    if (b == "max" && !op.has("NaN")) return plain<Max, 2>(op, s);
    if (b == "neg") return plain<Neg, 1>(op, s);
    if (b == "abs") return plain<Abs, 1>(op, s);
    if (b == "sqrt") return plain<Sqrt, 1>(op, s);
    if (b == "rcp") return approx && op.type() == Type::f64 ? nullptr : plain<Rcp, 1>(op, s);
    if (b == "copysign") return plain<CopySign, 2>(op, s);
    if (b == "testp") return pickTest(op, s);
    if (!approx) return nullptr;
    if (b == "rsqrt") return single<Rsqrt, 1>(op, s);
    if (b == "ex2") return single<Exp2, 1>(op, s);
    if (b == "lg2") return single<Log2, 1>(op, s);
    if (b == "sin") return single<Sin, 1>(op, s);
    if (b == "cos") return single<Cos, 1>(op, s);
    if (b == "tanh") return single<Tanh, 1>(op, s);
    return nullptr;
}

}  // namespace

bool selectFloat(const Opcode& op, Selected& s) {
    if (op.types.size() != 1 || (op.type() != Type::f32 && op.type() != Type::f64)) return false;
    // Of directed roundings only fma's is modelled, which expf is made with.
    if (op.has("rz") || op.has("rm") || op.has("rp"))
        s.execute = op.base() != "fma" ? nullptr
                    : op.has("rm")     ? single<FmaTowards<-1>, 3>(op, s)
                    : op.has("rp")     ? single<FmaTowards<1>, 3>(op, s)
                                       : single<FmaTowards<0>, 3>(op, s);
    else
        s.execute = pick(op, s);
    return s.execute != nullptr;
}

}  // namespace sim
