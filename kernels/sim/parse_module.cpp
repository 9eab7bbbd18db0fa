// Modules: headers, parameters of kernels, shared arrays.
#include <cctype>
#include <cstdlib>

#include "interpreter.hpp"
#include "parse.hpp"

namespace sim {
namespace {

uint32_t rounded(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }

void readParameter(Reader& in, Kernel& kernel) {
    in.expect(".param");
    Parameter p;
    while (!in.peek().empty() && in.peek()[0] == '.') {
        const std::string word = in.next();
        if (word == ".align") p.alignment = uint32_t(in.number());
        else if (typeOf(word.substr(1)) != Type::none) p.bytes = bitsOf(typeOf(word.substr(1))) / 8;
        else if (word == ".ptr" || word == ".global" || word == ".shared" || word == ".const") continue;
        else refuse(in.line(), "unknown parameter attribute " + word);
    }
    if (!p.bytes) refuse(in.line(), "parameter without a type");
    p.name = in.next();
    // .ptr's alignment is that of what it points to, not of the parameter.
    uint32_t alignment = p.bytes;
    if (in.take("[")) {
        alignment = std::max(p.alignment, p.bytes);
        p.bytes *= uint32_t(in.number());
        in.expect("]");
    }
    p.alignment = alignment;
    p.offset = rounded(kernel.parameterBytes, alignment);
    kernel.parameterBytes = p.offset + p.bytes;
    kernel.parameters.push_back(p);
}

uint32_t product(Reader& in) {
    uint32_t n = uint32_t(in.number());
    while (in.take(",")) n *= uint32_t(in.number());
    return n;
}

void readAttributes(Reader& in, Kernel& kernel) {
    while (!in.take("{")) {
        const std::string word = in.next();
        if (word == ".maxntid" || word == ".reqntid") kernel.maxThreads = product(in);
        else if (word == ".minnctapersm" || word == ".maxnreg" || word == ".maxnctapersm") in.number();
        else if (word == ".pragma") in.skipTo(";");
        else refuse(in.line(), "unknown kernel attribute " + word);
    }
}

void readEntry(Reader& in, Module& module, const Symbols& symbols) {
    const std::string name = in.next();
    Kernel& kernel = module.kernels[name];
    kernel.name = name;
    if (in.take("(") && !in.take(")")) {
        do readParameter(in, kernel);
        while (in.take(","));
        in.expect(")");
    }
    readAttributes(in, kernel);
    Body(kernel, symbols).read(in);
}

void readTarget(Reader& in, Module& module) {
    const std::string word = in.next();
    if (word.compare(0, 3, "sm_")) refuse(in.line(), "unknown target " + word);
    module.target = std::atoi(word.c_str() + 3);
    while (in.take(",")) in.next();
}

}  // namespace

void readShared(Reader& in, Symbols& symbols, bool external) {
    uint32_t alignment = 0, size = 0;
    while (!in.peek().empty() && in.peek()[0] == '.') {
        const std::string word = in.next();
        if (word == ".align") alignment = uint32_t(in.number());
        else if (typeOf(word.substr(1)) != Type::none) size = bitsOf(typeOf(word.substr(1))) / 8;
        else refuse(in.line(), "unknown attribute " + word + " of a shared variable");
    }
    alignment = std::max(alignment, size);
    const std::string name = in.next();
    if (in.take("[")) {
        if (!in.take("]")) {
            size *= uint32_t(in.number());
            in.expect("]");
            if (in.peek() == "[") refuse(in.line(), "shared array of several dimensions");
        } else {
            size = 0;
        }
    }
    in.expect(";");
    symbols[name] = {external ? 0 : size, alignment};
}

std::shared_ptr<const Module> parse(const std::string& ptx) {
    auto module = std::make_shared<Module>();
    Reader in(wordsOf(ptx));
    Symbols symbols;
    bool external = false;
    while (!in.done()) {
        const uint32_t line = in.line();
        const std::string word = in.next();
        if (word == ".version") module->version = in.next();
        else if (word == ".target") readTarget(in, *module);
        else if (word == ".address_size") in.next();
        else if (word == ".visible" || word == ".weak" || word == ";") continue;
        else if (word == ".extern") { external = true; continue; }
        else if (word == ".shared") readShared(in, symbols, external);
        else if (word == ".entry") readEntry(in, *module, symbols);
        else if (word == ".file") in.skipLine();
        else if (word == ".section") in.skipTo("}");
        else if (word == ".func") refuse(line, "calls of functions are not modelled");
        // Variables of a module are left out: a kernel that names one is refused.
        else if (word == ".global" || word == ".const") in.skipTo(";");
        else refuse(line, "unknown directive " + word);
        external = false;
    }
    if (!module->target) refuse(in.line(), "no .target");
    return module;
}

const Kernel* find(const Module& module, const std::string& name) {
    auto found = module.kernels.find(name);
    return found == module.kernels.end() ? nullptr : &found->second;
}

}  // namespace sim
