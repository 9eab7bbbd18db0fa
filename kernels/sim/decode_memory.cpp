// Loads, stores and cp.async from statements.
#include <cstdlib>

#include "parse.hpp"

namespace sim {
namespace {

// Modifiers that say where bytes are to be cached, not what is loaded.
bool isHint(const std::string& part) {
    static const char* const known[] = {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "weak", "volatile", "relaxed", "cta", "gpu", "sys"};
    for (const char* each : known)
        if (part == each) return true;
    return part.compare(0, 4, "L1::") == 0 || part.compare(0, 4, "L2::") == 0;
}

struct Form {
    std::string space;  // empty: generic
    uint32_t vector = 1;
    Type type = Type::none;
    bool policy = false;  // an operand with a cache policy follows
};

Form formOf(const Statement& s) {
    Form f;
    for (size_t n = 1; n < s.op.parts.size(); n++) {
        const std::string& part = s.op.parts[n];
        if (part == "L2::cache_hint") f.policy = true;
        else if (isHint(part)) continue;
        else if (part == "v2" || part == "v4") f.vector = uint32_t(part[1] - '0');
        else if (typeOf(part) != Type::none) f.type = typeOf(part);
        else if (part == "shared::cta") f.space = "shared";
        else if (f.space.empty()) f.space = part;
        else refuse(s.line, "unknown modifier " + part + ": " + s.text);
    }
    if (f.space == "local") refuse(s.line, "uses local memory: " + s.text);
    if (f.type == Type::none || f.type == Type::pred) refuse(s.line, "load or store without a type: " + s.text);
    return f;
}

void noteSize(Kernel& kernel, const std::string& space, uint32_t bytes) {
    if (space == "shared" || space.empty()) kernel.sharedGranule = std::min(kernel.sharedGranule, bytes);
    if (space == "global" || space.empty()) kernel.globalGranule = std::min(kernel.globalGranule, bytes);
}

void begin(Body& body, const Statement& s, Instruction& i, const Form& f, const Argument& values) {
    if (s.arguments.size() != 2u + f.policy) refuse(s.line, "wrong number of operands: " + s.text);
    if (values.parts.size() != f.vector || values.vector != (f.vector > 1)) refuse(s.line, "wrong number of elements: " + s.text);
    i.vector = uint8_t(f.vector);
    i.bytes = uint8_t(bitsOf(f.type) / 8);
    if (i.bytes * f.vector > 16) refuse(s.line, "access of more than 16 bytes: " + s.text);
    noteSize(body.kernel(), f.space, i.bytes * f.vector);
}

// fits asks for registers at least as wide as the element.
Operand fits(const Statement& s, Operand o, const Instruction& i) {
    if (!o.cell || (o.cell == 4 && i.bytes == 8)) refuse(s.line, "register narrower than what is loaded or stored: " + s.text);
    return o;
}

Execute pick(const Statement& s, const std::string& space, bool load) {
    if (space.empty()) return load ? loadGeneric : storeGeneric;
    if (space == "global") return load ? loadGlobal : storeGlobal;
    if (space == "shared") return load ? loadShared : storeShared;
    if (load && space.compare(0, 5, "param") == 0) return loadParameter;
    refuse(s.line, "state space " + space + " is not modelled: " + s.text);
}

void decodeLoad(Body& body, const Statement& s, Instruction& i) {
    const Form f = formOf(s);
    begin(body, s, i, f, s.arguments.at(0));
    i.execute = pick(s, f.space, true);
    i.isSigned = isSigned(f.type);
    for (const auto& name : s.arguments[0].parts) i.d[i.outputs++] = fits(s, body.named(name, s.line), i);
    i.s[i.inputs++] = body.address(s.arguments[1], i, i.offset);
}

void decodeStore(Body& body, const Statement& s, Instruction& i) {
    const Form f = formOf(s);
    if (s.arguments.size() < 2) refuse(s.line, "wrong number of operands: " + s.text);
    begin(body, s, i, f, s.arguments[1]);
    i.execute = pick(s, f.space, false);
    for (const auto& text : s.arguments[1].parts) i.s[i.inputs++] = fits(s, body.value(text, bitsOf(f.type), s.line), i);
    i.s[i.inputs++] = body.address(s.arguments[0], i, i.offset);
}

// decodeCopy: cp.async.ca.shared.global [to], [from], bytes{, source}{, policy};
bool decodeCopy(Body& body, const Statement& s, Instruction& i) {
    const Opcode& op = s.op;
    if (!op.has("async") || op.has("bulk") || op.has("mbarrier")) return false;
    if (op.has("commit_group")) {
        i.execute = copyCommit;
    } else if (op.has("wait_all") || op.has("wait_group")) {
        i.execute = copyWait;
        i.mode = op.has("wait_all");
        if (op.has("wait_group")) {
            if (s.arguments.size() != 1) return false;
            i.offset = std::strtol(s.arguments[0].parts[0].c_str(), nullptr, 0);
        }
    } else {
        const bool policy = op.has("L2::cache_hint");
        const size_t least = 3u + policy;
        if (s.arguments.size() < least || s.arguments.size() > least + 1) return false;
        i.bytes = uint8_t(std::strtoul(s.arguments[2].parts[0].c_str(), nullptr, 0));
        if (i.bytes != 16 && (op.has("cg") || (i.bytes != 4 && i.bytes != 8))) return false;
        i.execute = copyAsync;
        i.s[i.inputs++] = body.address(s.arguments[0], i, i.offset);
        i.s[i.inputs++] = body.address(s.arguments[1], i, i.offset2);
        if (s.arguments.size() > least) {
            i.s[i.inputs++] = body.value(s.arguments[3].parts[0], 32, s.line);
            if (!i.s[2].cell) refuse(s.line, "cp.async with ignore-src is not modelled: " + s.text);
        }
        noteSize(body.kernel(), "shared", i.bytes);
        // Part of a copy may be read, down to single bytes.
        noteSize(body.kernel(), "global", i.inputs > 2 ? 4 : i.bytes);
    }
    return true;
}

}  // namespace

bool decodeMemory(Body& body, const Statement& s, Instruction& i) {
    const std::string& base = s.op.base();
    if ((base == "ld" || base == "ldu") && !s.arguments.empty()) decodeLoad(body, s, i);
    else if (base == "st") decodeStore(body, s, i);
    else return base == "cp" && decodeCopy(body, s, i);
    return true;
}

}  // namespace sim
