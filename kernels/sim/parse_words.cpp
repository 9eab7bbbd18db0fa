// PTX text as words.
#include <cctype>
#include <cstdlib>

#include "parse.hpp"

namespace sim {
namespace {

bool inWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' || c == '.'; }

}  // namespace

std::vector<Word> wordsOf(const std::string& ptx) {
    std::vector<Word> words;
    uint32_t line = 1;
    for (size_t at = 0; at < ptx.size();) {
        const char c = ptx[at], after = at + 1 < ptx.size() ? ptx[at + 1] : 0;
        size_t end = at + 1;
        if (c == '\n') {
            line++;
        } else if (c == '/' && after == '/') {
            end = std::min(ptx.find('\n', at), ptx.size());
        } else if (c == '/' && after == '*') {
            end = std::min(ptx.find("*/", at + 2), ptx.size() - 2) + 2;
            line += uint32_t(std::count(ptx.begin() + long(at), ptx.begin() + long(end), '\n'));
        } else if (c == '"') {
            end = std::min(ptx.find('"', at + 1), ptx.size() - 1) + 1;
            words.push_back({ptx.substr(at, end - at), line});
        } else if (inWord(c)) {
            // "::" belongs to a word as in L2::128B; a single ":" ends a label.
            while (end < ptx.size() && (inWord(ptx[end]) || ptx.compare(end, 2, "::") == 0)) end += ptx[end] == ':' ? 2 : 1;
            words.push_back({ptx.substr(at, end - at), line});
        } else if (!std::isspace(static_cast<unsigned char>(c)) && c != '\0') {
            words.push_back({std::string(1, c), line});
        }
        at = end;
    }
    return words;
}

void refuse(uint32_t line, const std::string& what) { throw Fault("PTX line " + std::to_string(line) + ": " + what); }

const std::string& Reader::peek(size_t ahead) const {
    static const std::string nothing;
    return at_ + ahead < words_.size() ? words_[at_ + ahead].text : nothing;
}

std::string Reader::next() {
    if (done()) refuse(line(), "the text ends within a statement");
    return words_[at_++].text;
}

bool Reader::take(const char* text) {
    if (peek() != text) return false;
    at_++;
    return true;
}

void Reader::expect(const char* text) {
    if (!take(text)) refuse(line(), std::string("expected ") + text + ", found " + peek());
}

uint64_t Reader::number() {
    const uint32_t here = line();
    const std::string text = next();
    char* end = nullptr;
    const uint64_t v = std::strtoull(text.c_str(), &end, 0);
    if (text.empty() || !std::isdigit(static_cast<unsigned char>(text[0])) || (*end && *end != 'U')) refuse(here, "expected a number, found " + text);
    return v;
}

void Reader::skipLine() {
    for (const uint32_t here = line(); !done() && line() == here;) at_++;
}

void Reader::skipTo(const char* text) {
    while (next() != text) {}
}

}  // namespace sim
