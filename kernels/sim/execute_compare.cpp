// Comparisons and choices.
#include "value.hpp"

namespace sim {
namespace {

enum Relation : uint8_t { eq, ne, lt, le, gt, ge, numbers, nans, unordered = 8 };
enum Combine : uint8_t { none, withAnd, withOr, withXor };

struct Eq { template <class T> static bool of(T a, T b) { return a == b; } };
struct Ne { template <class T> static bool of(T a, T b) { return a < b || a > b; } };
struct Lt { template <class T> static bool of(T a, T b) { return a < b; } };
struct Le { template <class T> static bool of(T a, T b) { return a <= b; } };
struct Gt { template <class T> static bool of(T a, T b) { return a > b; } };
struct Ge { template <class T> static bool of(T a, T b) { return a >= b; } };
struct Numbers { template <class T> static bool of(T a, T b) { return a == a && b == b; } };

template <class T, bool ftz>
T operand(CellOf<T> cell) {
    if constexpr (ftz) return flush(as<float>(cell));
    else return as<T>(cell);
}

template <class T, class Op, bool ftz>
uint32_t compareAll(const CellOf<T>* a, const CellOf<T>* b) {
    uint32_t yes[32], mask = 0;
    for (int l = 0; l < 32; l++) yes[l] = uint32_t(Op::of(operand<T, ftz>(a[l]), operand<T, ftz>(b[l]))) << l;
    for (int l = 0; l < 32; l++) mask |= yes[l];
    return mask;
}

// relation compares all 32 lanes: a comparison harms none that is inactive.
template <class T, bool ftz>
uint32_t relation(Warp& w, const Instruction& i) {
    const CellOf<T>*a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]);
    uint32_t yes = 0;
    switch (i.mode & 7) {
    case eq: yes = compareAll<T, Eq, ftz>(a, b); break;
    case ne: yes = compareAll<T, Ne, ftz>(a, b); break;
    case lt: yes = compareAll<T, Lt, ftz>(a, b); break;
    case le: yes = compareAll<T, Le, ftz>(a, b); break;
    case gt: yes = compareAll<T, Gt, ftz>(a, b); break;
    case ge: yes = compareAll<T, Ge, ftz>(a, b); break;
    case numbers: return compareAll<T, Numbers, ftz>(a, b);
    case nans: return ~compareAll<T, Numbers, ftz>(a, b);
    }
    if (i.mode & unordered) yes |= ~compareAll<T, Numbers, ftz>(a, b);
    return yes;
}

uint32_t combined(Warp& w, const Instruction& i, uint32_t yes) {
    if (i.combine == none) return yes;
    uint32_t other = w.mask(i.s[2]);
    if (i.s[2].negated) other = ~other;
    return i.combine == withAnd ? yes & other : i.combine == withOr ? yes | other : yes ^ other;
}

template <class T, bool ftz = false>
void setPredicate(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t yes = relation<T, ftz>(w, i);
    const uint32_t first = combined(w, i, yes), second = combined(w, i, ~yes);
    uint32_t& d = w.mask(i.d[0]);
    d = (d & ~active) | (first & active);
    if (i.outputs < 2) return;
    uint32_t& q = w.mask(i.d[1]);
    q = (q & ~active) | (second & active);
}

// setValue writes all ones or 1.0 where true. isSigned: the result is f32.
template <class T, bool ftz = false>
void setValue(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t yes = combined(w, i, relation<T, ftz>(w, i)), set = i.isSigned ? cellOf(1.0f) : ~0u;
    each(active, [&](int l) { w.words(i.d[0])[l] = yes >> l & 1 ? set : 0; });
}

template <class T>
void select(Warp& w, const Instruction& i, uint32_t active) {
    const uint32_t yes = i.s[2].negated ? ~w.mask(i.s[2]) : w.mask(i.s[2]);
    auto *d = cells<T>(w, i.d[0]), *a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]);
    each(active, [=](int l) { d[l] = yes >> l & 1 ? a[l] : b[l]; });
}

// selectBySign takes a where c >= 0, else b; c is s32 or f32.
template <class T, class C>
void selectBySign(Warp& w, const Instruction& i, uint32_t active) {
    auto *d = cells<T>(w, i.d[0]), *a = cells<T>(w, i.s[0]), *b = cells<T>(w, i.s[1]);
    auto* c = w.words(i.s[2]);
    each(active, [=](int l) { d[l] = as<C>(c[l]) >= 0 ? a[l] : b[l]; });
}

Execute pickSet(Type t, bool ftz, bool predicate) {
#define PICK(T) (predicate ? setPredicate<T> : setValue<T>)
    switch (t) {
    case Type::u16: case Type::b16: return PICK(uint16_t);
    case Type::s16: return PICK(int16_t);
    case Type::u32: case Type::b32: return PICK(uint32_t);
    case Type::s32: return PICK(int32_t);
    case Type::u64: case Type::b64: return PICK(uint64_t);
    case Type::s64: return PICK(int64_t);
    case Type::f32: return ftz ? (predicate ? setPredicate<float, true> : setValue<float, true>) : PICK(float);
    case Type::f64: return PICK(double);
    default: return nullptr;
    }
#undef PICK
}

bool readRelation(const std::string& name, Type t, uint8_t& mode) {
    static const struct { const char* name; uint8_t mode; } table[] = {
        {"eq", eq}, {"ne", ne}, {"lt", lt}, {"le", le}, {"gt", gt}, {"ge", ge},
        {"ls", le}, {"hi", gt}, {"hs", ge}, {"lo", lt}, {"num", numbers}, {"nan", nans},
        {"equ", eq | unordered}, {"neu", ne | unordered}, {"ltu", lt | unordered},
        {"leu", le | unordered}, {"gtu", gt | unordered}, {"geu", ge | unordered},
    };
    const bool real = t == Type::f32 || t == Type::f64;
    for (auto& row : table)
        if (name == row.name) {
            mode = row.mode;
            return real || !((row.mode & unordered) || (row.mode & 7) >= numbers);
        }
    return false;
}

// selectSet decodes setp (to a predicate) and set (to a number).
bool selectSet(const Opcode& op, Selected& s) {
    const bool predicate = op.base() == "setp";
    const Type compared = predicate ? op.type() : op.type(1);
    if (op.parts.size() < 3 || !readRelation(op.parts[1], compared, s.mode)) return false;
    s.combine = op.parts[2] == "and" ? withAnd : op.parts[2] == "or" ? withOr : op.parts[2] == "xor" ? withXor : none;
    if (s.combine) s.from = {compared, compared, Type::pred};
    else s.from = {compared, compared};
    s.inputs = s.combine ? 3 : 2;
    s.to = predicate ? Type::pred : op.type();
    if (!predicate && bitsOf(s.to) != 32) return false;
    s.execute = pickSet(compared, op.has("ftz"), predicate);
    return s.execute != nullptr;
}

}  // namespace

bool selectCompare(const Opcode& op, Selected& s) {
    const std::string& base = op.base();
    if (base == "setp" || base == "set") return selectSet(op, s);
    const bool wide = bitsOf(op.type()) == 64;
    s.inputs = 3;
    if (base == "selp") {
        s.from = {op.type(), op.type(), Type::pred};
        s.execute = wide ? select<uint64_t> : select<uint32_t>;
    } else if (base == "slct" && op.types.size() == 2) {
        s.from = {op.type(), op.type(), op.type(1)};
        if (op.type(1) == Type::f32) s.execute = wide ? selectBySign<uint64_t, float> : selectBySign<uint32_t, float>;
        if (op.type(1) == Type::s32) s.execute = wide ? selectBySign<uint64_t, int32_t> : selectBySign<uint32_t, int32_t>;
    }
    return s.execute != nullptr;
}

}  // namespace sim
