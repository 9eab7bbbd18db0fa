// Bodies of kernels: scopes, registers, labels, immediates.
#include <cctype>
#include <cstdlib>

#include "parse.hpp"

namespace sim {
namespace {

uint32_t rounded(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }

uint8_t cellFor(uint32_t bits) { return bits == 1 ? 0 : bits == 64 ? 8 : 4; }

const std::map<std::string, Special>& specialNames() {
    static const std::map<std::string, Special> names = {
        {"%tid.x", Special::tidX}, {"%tid.y", Special::tidY}, {"%tid.z", Special::tidZ},
        {"%ntid.x", Special::ntidX}, {"%ntid.y", Special::ntidY}, {"%ntid.z", Special::ntidZ},
        {"%ctaid.x", Special::ctaidX}, {"%ctaid.y", Special::ctaidY}, {"%ctaid.z", Special::ctaidZ},
        {"%nctaid.x", Special::nctaidX}, {"%nctaid.y", Special::nctaidY}, {"%nctaid.z", Special::nctaidZ},
        {"%laneid", Special::lane}, {"%warpid", Special::warp}, {"%nwarpid", Special::warps},
        {"%lanemask_eq", Special::maskEq}, {"%lanemask_lt", Special::maskLt}, {"%lanemask_le", Special::maskLe},
        {"%lanemask_gt", Special::maskGt}, {"%lanemask_ge", Special::maskGe},
        {"%dynamic_smem_size", Special::dynamicShared}, {"%total_smem_size", Special::totalShared},
    };
    return names;
}

// immediate reads 12, -3, 0x1f, 0U, 0f3F800000 and 0d3FF0000000000000.
bool immediate(const std::string& text, uint64_t& v) {
    const bool minus = text[0] == '-';
    const char* from = text.c_str() + minus;
    if (!std::isdigit(static_cast<unsigned char>(*from))) return false;
    char* end = nullptr;
    const char kind = char(std::tolower(from[1]));
    const bool real = from[0] == '0' && (kind == 'f' || kind == 'd');
    v = real ? std::strtoull(from + 2, &end, 16) : std::strtoull(from, &end, 0);
    if (minus) v = real ? v ^ (kind == 'f' ? 1ull << 31 : 1ull << 63) : 0 - v;
    return *end == 0 || (*end == 'U' && end[1] == 0);
}

int64_t signedNumber(Reader& in, bool minus) { return minus ? -int64_t(in.number()) : int64_t(in.number()); }

// part reads one name or number, with its sign.
std::string part(Reader& in) {
    std::string text = in.take("-") ? "-" : "";
    return text + in.next();
}

void readAddress(Reader& in, Argument& a) {
    a.address = true;
    a.parts.push_back(part(in));
    if (in.take("+")) a.offset = signedNumber(in, in.take("-"));
    else if (in.take("-")) a.offset = signedNumber(in, true);
    in.expect("]");
}

Argument readArgument(Reader& in) {
    Argument a;
    a.negated = in.take("!");
    if (in.take("[")) {
        readAddress(in, a);
    } else if (in.take("{")) {
        a.vector = true;
        do a.parts.push_back(part(in));
        while (in.take(","));
        in.expect("}");
    } else {
        a.parts.push_back(part(in));
        if (in.take("|")) a.second = in.next();
    }
    return a;
}

Opcode taken(const std::string& text) {
    Opcode op;
    op.text = text;
    for (size_t at = 0; at <= text.size();) {
        const size_t dot = std::min(text.find('.', at), text.size());
        op.parts.push_back(text.substr(at, dot - at));
        const Type t = typeOf(op.parts.back());
        if (op.parts.size() > 1 && t != Type::none) op.types.push_back(t);
        at = dot + 1;
    }
    return op;
}

std::string written(const Argument& a) {
    std::string text = a.negated ? "!" : a.address ? "[" : a.vector ? "{" : "";
    for (size_t n = 0; n < a.parts.size(); n++) text += (n ? "," : "") + a.parts[n];
    if (!a.second.empty()) text += "|" + a.second;
    if (a.offset) text += (a.offset > 0 ? "+" : "") + std::to_string(a.offset);
    return text + (a.address ? "]" : a.vector ? "}" : "");
}

}  // namespace

Operand Body::place(uint8_t cell) {
    Operand o;
    o.cell = cell;
    o.at = kernel_.registerBytes;
    kernel_.registerBytes += cell ? 32u * cell : 64u;
    return o;
}

Operand Body::constant(uint64_t value, uint8_t cell) {
    if (cell == 4) value = uint32_t(value);
    auto found = constants_.find({value, cell});
    if (found != constants_.end()) return found->second;
    const Operand o = place(cell);
    kernel_.constants.push_back({o, value});
    return constants_[{value, cell}] = o;
}

bool Body::special(const std::string& name, Operand& o) {
    auto known = specialNames().find(name);
    if (known == specialNames().end()) return false;
    auto found = specials_.find(name);
    if (found == specials_.end()) {
        found = specials_.emplace(name, place(4)).first;
        kernel_.specials.push_back({found->second, known->second});
    }
    o = found->second;
    return true;
}

// sharedAddress gives a static array its place at first use; that of dynamic
// memory is known when the kernel has been read.
Operand Body::sharedAddress(const std::string& name, const Symbol& symbol, uint8_t cell) {
    if (!symbol.bytes) {
        const Operand o = place(cell);
        dynamic_.push_back(kernel_.constants.size());
        dynamicAlignment_ = std::max(dynamicAlignment_, symbol.alignment);
        kernel_.constants.push_back({o, 0});
        return o;
    }
    if (!arrays_.count(name)) {
        arrays_[name] = rounded(kernel_.staticShared, symbol.alignment);
        kernel_.staticShared = arrays_[name] + symbol.bytes;
    }
    return constant(arrays_[name], cell);
}

Operand Body::named(const std::string& name, uint32_t line) {
    for (size_t n = scopes_.size(); n-- > 0;) {
        auto found = scopes_[n].find(name);
        if (found != scopes_[n].end()) return found->second;
    }
    refuse(line, "unknown register or symbol " + name);
}

Operand Body::value(const std::string& text, uint32_t bits, uint32_t line) {
    uint64_t v;
    Operand o;
    if (immediate(text, v)) return constant(v, cellFor(bits));
    if (special(text, o)) return o;
    auto symbol = symbols_.find(text);
    if (symbol != symbols_.end()) return sharedAddress(text, symbol->second, cellFor(bits));
    for (const Parameter& p : kernel_.parameters)
        if (p.name == text) return constant(p.offset, cellFor(bits));
    return named(text, line);
}

Operand Body::address(const Argument& argument, Instruction& i, int64_t& offset) {
    if (!argument.address) refuse(i.line, "expected an address: " + i.text);
    offset = argument.offset;
    const Operand o = value(argument.parts[0], 64, i.line);
    if (!o.cell) refuse(i.line, "a predicate is no address: " + i.text);
    return o;
}

uint32_t Body::label(const std::string& name) {
    auto inserted = labelNumbers_.emplace(name, uint32_t(labelNames_.size()));
    if (inserted.second) labelNames_.push_back(name);
    return inserted.first->second;
}

// declare reads ".reg .b32 %r<9>, %t;" after the word .reg.
void Body::declare(Reader& in) {
    const std::string word = in.next();
    const Type type = typeOf(word.substr(1));
    if (word[0] != '.' || type == Type::none) refuse(in.line(), "unknown type of registers " + word);
    do {
        const std::string name = in.next();
        uint64_t count = 1;
        const bool many = in.take("<");
        if (many) {
            count = in.number();
            in.expect(">");
        }
        for (uint64_t n = 0; n < count; n++)
            scopes_.back()[many ? name + std::to_string(n) : name] = place(cellFor(bitsOf(type)));
        kernel_.registers += uint32_t(count);
    } while (in.take(","));
    in.expect(";");
}

void Body::directive(Reader& in) {
    const uint32_t line = in.line();
    const std::string word = in.next();
    if (word == ".reg") return declare(in);
    if (word == ".shared") return readShared(in, symbols_, false);
    if (word == ".loc") return in.skipLine();
    if (word == ".pragma") return in.skipTo(";");
    if (word == ".local") refuse(line, "kernel " + kernel_.name + " uses local memory");
    refuse(line, "unknown directive " + word);
}

Statement Body::statement(Reader& in) {
    Statement s;
    s.line = in.line();
    if (in.take("@")) {
        s.negated = in.take("!");
        s.predicate = in.next();
        s.text = "@" + std::string(s.negated ? "!" : "") + s.predicate + " ";
    }
    s.op = taken(in.next());
    s.text += s.op.text;
    if (s.op.base() == "call") refuse(s.line, "calls of functions are not modelled: " + s.op.text);
    while (!in.take(";")) {
        if (!s.arguments.empty()) in.expect(",");
        s.arguments.push_back(readArgument(in));
        s.text += (s.arguments.size() > 1 ? ", " : " ") + written(s.arguments.back());
    }
    return s;
}

void Body::read(Reader& in) {
    for (;;) {
        if (in.take("{")) scopes_.emplace_back();
        else if (in.take("}")) {
            scopes_.pop_back();
            if (scopes_.empty()) break;
        } else if (in.take(";")) continue;
        else if (in.peek()[0] == '.') directive(in);
        else if (in.peek(1) == ":") {
            if (!labels_.emplace(in.peek(), uint32_t(kernel_.code.size())).second) refuse(in.line(), "label twice: " + in.peek());
            in.next();
            in.next();
        } else {
            kernel_.code.push_back(decode(*this, statement(in)));
        }
    }
    finish();
}

// finish resolves labels, and lets every path end in an exit.
void Body::finish() {
    Statement end;
    end.op = taken("exit");
    end.text = "(end of the kernel)";
    kernel_.code.push_back(decode(*this, end));
    for (Instruction& i : kernel_.code) {
        if (i.kind != Kind::branch) continue;
        auto found = labels_.find(labelNames_[i.target]);
        if (found == labels_.end()) refuse(i.line, "unknown label " + labelNames_[i.target]);
        i.target = found->second;
    }
    kernel_.staticShared = rounded(kernel_.staticShared, dynamicAlignment_);
    for (size_t n : dynamic_) kernel_.constants[n].value = kernel_.staticShared;
    kernel_.registerBytes = rounded(kernel_.registerBytes, 64);
}

}  // namespace sim
