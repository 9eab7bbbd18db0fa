// Instructions from statements: which code carries them out, on which operands.
#include "parse.hpp"

#include <cstdlib>

namespace sim {

Type typeOf(const std::string& name) {
    static const std::map<std::string, Type> types = {
        {"u8", Type::u8}, {"u16", Type::u16}, {"u32", Type::u32}, {"u64", Type::u64}, {"s8", Type::s8},
        {"s16", Type::s16}, {"s32", Type::s32}, {"s64", Type::s64}, {"f16", Type::f16}, {"bf16", Type::bf16},
        {"f32", Type::f32}, {"f64", Type::f64}, {"b8", Type::b8}, {"b16", Type::b16}, {"b32", Type::b32},
        {"b64", Type::b64}, {"pred", Type::pred}, {"bf16x2", Type::bf16x2}, {"f16x2", Type::f16x2}, {"tf32", Type::tf32},
    };
    auto found = types.find(name);
    return found == types.end() ? Type::none : found->second;
}

uint32_t bitsOf(Type type) {
    switch (type) {
    case Type::pred: return 1;
    case Type::u8: case Type::s8: case Type::b8: return 8;
    case Type::u16: case Type::s16: case Type::b16: case Type::f16: case Type::bf16: return 16;
    case Type::u64: case Type::s64: case Type::b64: case Type::f64: return 64;
    default: return 32;
    }
}

namespace {

// Decoder adds operands to one instruction.
struct Decoder {
    Body& body;
    const Statement& s;
    Instruction& i;

    [[noreturn]] void no(const std::string& why) { refuse(s.line, why + ": " + s.text); }
    const Argument& argument(size_t n) {
        if (n >= s.arguments.size()) no("operand missing");
        return s.arguments[n];
    }
    void count(size_t least, size_t most) {
        if (s.arguments.size() < least || s.arguments.size() > most) no("wrong number of operands");
    }
    uint8_t cell(uint32_t bits) { return bits == 1 ? 0 : bits == 64 ? 8 : 4; }

    // exact asks for a register of the width of its type, or a wider one where wider says so.
    void exact(const Operand& o, uint32_t bits, bool wider) {
        const uint8_t want = cell(bits);
        if (o.cell != want && !(wider && o.cell && want)) no("operand of another width than its type");
    }
    void output(const std::string& name, uint32_t bits, bool wider = false) {
        if (name == "_") no("unused destinations are not modelled");
        Operand o = body.named(name, s.line);
        exact(o, bits, wider);
        i.d[i.outputs++] = o;
    }
    void input(const std::string& text, uint32_t bits, bool wider = false, bool negated = false) {
        Operand o = body.value(text, bits, s.line);
        exact(o, bits, wider);
        if (negated && bits != 1) no("only predicates are negated");
        o.negated = negated;
        i.s[i.inputs++] = o;
    }
    void input(const Argument& a, uint32_t bits, bool wider = false) {
        if (a.address || a.vector) no("expected a plain operand");
        input(a.parts[0], bits, wider, a.negated);
    }
    void address(const Argument& a, int64_t& offset) { i.s[i.inputs++] = body.address(a, i, offset); }
    uint32_t constantOf(const Argument& a) { return uint32_t(std::strtoul(a.parts[0].c_str(), nullptr, 0)); }
};

void decodePlain(Decoder& d, const Selected& chosen) {
    const Type first = d.s.op.type();
    d.count(chosen.inputs + 1, chosen.inputs + 1);
    d.i.execute = chosen.execute;
    d.i.mode = chosen.mode;
    d.i.combine = chosen.combine;
    const Argument& to = d.argument(0);
    const uint32_t bits = bitsOf(chosen.to == Type::none ? first : chosen.to);
    d.output(to.parts[0], bits, chosen.anyWidth);
    if (!to.second.empty()) d.output(to.second, 1);
    for (uint32_t n = 0; n < chosen.inputs; n++)
        d.input(d.argument(n + 1), bitsOf(n < chosen.from.size() ? chosen.from[n] : first), chosen.anyWidth);
    // set with a real result shares this flag with loads.
    if (d.s.op.base() == "set") d.i.isSigned = first == Type::f32;
    if (d.s.op.base() == "set" || d.s.op.base() == "setp") return;
    if (!to.second.empty()) d.no("two destinations");
    for (uint32_t n = 0; n < chosen.inputs; n++)
        if (d.i.s[n].negated && d.s.op.base() != "selp") d.no("negated operand");
}

bool decodeMove(Decoder& d) {
    const Opcode& op = d.s.op;
    if (op.base() != "mov" || op.parts.size() != 2) return false;
    d.count(2, 2);
    const Argument &to = d.argument(0), &from = d.argument(1);
    const uint32_t bits = bitsOf(op.type());
    if (to.vector == from.vector) {
        if (to.vector) return false;
        d.output(to.parts[0], bits);
        d.input(from, bits);
        d.i.execute = bits == 1 ? moveMask : moveRegister;
        return true;
    }
    const size_t elements = to.vector ? to.parts.size() : from.parts.size();
    if ((elements != 2 && elements != 4) || bits / elements < 8) return false;
    d.i.bytes = uint8_t(bits / 8 / elements);
    for (const auto& name : to.parts) d.output(name, to.vector ? uint32_t(bits / elements) : bits);
    for (const auto& text : from.parts) d.input(text, to.vector ? bits : uint32_t(bits / elements));
    d.i.execute = to.vector ? unpack : pack;
    return true;
}

bool decodeWindow(Decoder& d) {
    const Opcode& op = d.s.op;
    if (op.base() != "cvta" || op.type() != Type::u64) return false;
    d.count(2, 2);
    d.output(d.argument(0).parts[0], 64);
    d.input(d.argument(1), 64);
    if (op.has("local") || op.has("const")) return false;
    d.i.mode = op.has("shared") || op.has("shared::cta") ? 1 : op.has("param") ? 2 : 0;
    d.i.execute = op.has("to") ? addressFromWindow : addressToWindow;
    return true;
}

bool decodeControl(Decoder& d) {
    const std::string& base = d.s.op.base();
    d.i.execute = nothing;
    if (base == "bra") {
        d.count(1, 1);
        d.i.kind = Kind::branch;
        d.i.target = d.body.label(d.argument(0).parts[0]);
    } else if (base == "ret" || base == "exit") {
        d.i.kind = Kind::exit;
    } else if (base == "trap") {
        d.i.execute = trap;
    } else if (base == "bar" && d.s.op.has("warp")) {
        d.count(1, 1);
        d.input(d.argument(0), 32);
        d.i.kind = Kind::masked;
        d.i.execute = warpSync;
    } else if ((base == "bar" || base == "barrier") && d.s.op.has("sync")) {
        d.count(1, 1);
        if (d.argument(0).parts[0] != "0") d.no("only barrier 0 of all threads is modelled");
        d.i.kind = Kind::barrier;
    } else if (base == "membar" || base == "fence") {
        d.i.kind = Kind::plain;
    } else {
        return false;
    }
    return true;
}

bool decodeLane(Decoder& d) {
    const Opcode& op = d.s.op;
    const std::string& base = op.base();
    if (base == "activemask") {
        d.count(1, 1);
        d.output(d.argument(0).parts[0], 32);
        d.i.execute = activeMask;
        return true;
    }
    if (!op.has("sync")) return false;
    d.i.kind = Kind::masked;
    const Argument& to = d.argument(0);
    if (base == "shfl") {
        d.count(5, 5);
        d.output(to.parts[0], 32);
        if (!to.second.empty()) d.output(to.second, 1);
        for (size_t n = 1; n < 5; n++) d.input(d.argument(n), 32);
        d.i.mode = op.has("bfly") ? 0 : op.has("down") ? 1 : op.has("up") ? 2 : 3;
        d.i.execute = shuffle;
    } else if (base == "vote") {
        d.count(3, 3);
        d.i.mode = op.has("any") ? 0 : op.has("all") ? 1 : op.has("ballot") ? 2 : 3;
        d.output(to.parts[0], d.i.mode == 2 ? 32 : 1);
        d.input(d.argument(1), 1);
        d.input(d.argument(2), 32);
        d.i.execute = vote;
    } else if (base == "redux") {
        d.count(3, 3);
        d.output(to.parts[0], 32);
        d.input(d.argument(1), 32);
        d.input(d.argument(2), 32);
        d.i.mode = op.has("add") ? 0 : op.has("min") ? 1 : op.has("max") ? 2 : op.has("and") ? 3 : op.has("or") ? 4 : 5;
        d.i.isSigned = isSigned(op.type());
        d.i.execute = reduce;
    } else {
        return false;
    }
    return true;
}

bool decodeMatrix(Decoder& d) {
    const Opcode& op = d.s.op;
    d.i.kind = Kind::collective;
    if (op.base() == "ldmatrix" && op.has("m8n8") && op.type() == Type::b16) {
        d.count(2, 2);
        d.i.vector = op.has("x4") ? 4 : op.has("x2") ? 2 : 1;
        if (d.argument(0).parts.size() != d.i.vector) d.no("wrong number of destinations");
        for (const auto& name : d.argument(0).parts) d.output(name, 32);
        d.address(d.argument(1), d.i.offset);
        d.i.transposed = op.has("trans");
        d.i.execute = loadMatrix;
        return true;
    }
    if (op.base() != "mma") return false;
    const std::string shape = op.text.substr(0, op.text.find('.', 17));
    const std::string rest = op.text.substr(std::min(shape.size(), op.text.size()));
    if (shape == "mma.sync.aligned.m16n8k16" && rest == ".row.col.f32.bf16.bf16.f32") d.i.execute = multiplyBf16;
    else if (shape == "mma.sync.aligned.m16n8k16" && rest == ".row.col.f32.f16.f16.f32") d.i.execute = multiplyF16;
    else if (shape == "mma.sync.aligned.m16n8k8" && rest == ".row.col.f32.tf32.tf32.f32") d.i.execute = multiplyTf32;
    else return false;
    d.count(4, 4);
    for (const auto& name : d.argument(0).parts) d.output(name, 32);
    for (size_t n = 1; n < 4; n++)
        for (const auto& text : d.argument(n).parts) {
            if (d.i.inputs == 10) d.no("too many operands");
            d.input(text, 32);
        }
    if (d.i.outputs != 4 || d.i.inputs != 10) d.no("wrong number of operands");
    return true;
}

}  // namespace

bool decodeMemory(Body& body, const Statement& s, Instruction& i);

Instruction decode(Body& body, const Statement& s) {
    Instruction i;
    i.line = s.line;
    i.text = s.text;
    if (!s.predicate.empty()) {
        i.predicate = body.named(s.predicate, s.line);
        i.predicate.negated = s.negated;
        i.predicated = true;
        if (i.predicate.cell) refuse(s.line, "guarded by a register that is no predicate: " + s.text);
    }
    const Instruction bare = i;
    Decoder d{body, s, i};
    Selected chosen;
    using Select = bool (*)(const Opcode&, Selected&);
    for (Select select : {selectInteger, selectBits, selectFloat, selectCompare, selectConvert}) {
        chosen = Selected();
        if (!select(s.op, chosen)) continue;
        decodePlain(d, chosen);
        return i;
    }
    using Decode = bool (*)(Decoder&);
    for (Decode part : {decodeMove, decodeWindow, decodeControl, decodeLane, decodeMatrix}) {
        i = bare;
        if (part(d)) return i;
    }
    i = bare;
    if (decodeMemory(body, s, i)) return i;
    refuse(s.line, "unknown instruction " + s.text);
}

}  // namespace sim
