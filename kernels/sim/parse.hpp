// The reading of PTX text: words, statements, and the bodies of kernels.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fault.hpp"
#include "opcode.hpp"
#include "ptx.hpp"

namespace sim {

struct Word {
    std::string text;
    uint32_t line;
};

// wordsOf splits PTX into words and signs; comments are dropped.
std::vector<Word> wordsOf(const std::string& ptx);

[[noreturn]] void refuse(uint32_t line, const std::string& what);

// Reader goes through words.
class Reader {
public:
    explicit Reader(std::vector<Word> words) : words_(std::move(words)) {}
    bool done() const { return at_ >= words_.size(); }
    const std::string& peek(size_t ahead = 0) const;
    uint32_t line() const { return words_.empty() ? 0 : words_[std::min(at_, words_.size() - 1)].line; }
    std::string next();
    bool take(const char* text);   // steps over text if it is next
    void expect(const char* text);
    uint64_t number();
    void skipLine();
    void skipTo(const char* text); // and over it

private:
    std::vector<Word> words_;
    size_t at_ = 0;
};

// Argument is one operand as written.
struct Argument {
    std::vector<std::string> parts;  // several for {a, b}
    std::string second;              // of p|q
    bool vector = false, address = false, negated = false;
    int64_t offset = 0;              // of an address
};

struct Statement {
    std::string predicate;  // empty: none
    bool negated = false;
    Opcode op;
    std::vector<Argument> arguments;
    uint32_t line = 0;
    std::string text;
};

// Symbol is an array in shared memory. A kernel has those that it names.
struct Symbol {
    uint32_t bytes;  // 0: dynamic, begins after all static arrays
    uint32_t alignment;
};
using Symbols = std::map<std::string, Symbol>;

// readShared reads ".shared ... name[bytes];" after the word .shared.
void readShared(Reader& in, Symbols& symbols, bool external);

// Body turns the statements of one kernel into instructions.
class Body {
public:
    Body(Kernel& kernel, Symbols symbols) : kernel_(kernel), symbols_(std::move(symbols)) {}
    void read(Reader& in);  // from after { to the matching }

    // For the decoder.
    Operand named(const std::string& name, uint32_t line);                // a register
    Operand value(const std::string& text, uint32_t bits, uint32_t line);  // or an immediate, of that width
    Operand address(const Argument& argument, Instruction& i, int64_t& offset);
    uint32_t label(const std::string& name);
    Kernel& kernel() { return kernel_; }

private:
    void declare(Reader& in);
    void directive(Reader& in);
    Statement statement(Reader& in);
    void finish();
    Operand place(uint8_t cell);
    Operand constant(uint64_t value, uint8_t cell);
    bool special(const std::string& name, Operand& o);
    Operand sharedAddress(const std::string& name, const Symbol& symbol, uint8_t cell);

    Kernel& kernel_;
    Symbols symbols_;
    std::vector<std::map<std::string, Operand>> scopes_{1};
    std::map<std::string, uint32_t> labels_, labelNumbers_;
    std::vector<std::string> labelNames_;
    std::map<std::pair<uint64_t, uint8_t>, Operand> constants_;
    std::map<std::string, Operand> specials_;
    std::map<std::string, uint32_t> arrays_;  // offsets of static arrays
    std::vector<size_t> dynamic_;             // constants that are the address of dynamic shared memory
    uint32_t dynamicAlignment_ = 16;
};

// decode makes an instruction of a statement.
Instruction decode(Body& body, const Statement& s);

}  // namespace sim
