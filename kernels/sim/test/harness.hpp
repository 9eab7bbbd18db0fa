// What the self-tests share: a register of cases, and kernels made of a few
// lines of PTX.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "interpreter.hpp"

// TEST(name) { ... } is a case; it fails by throwing, as expect does.
struct Case {
    Case(const char* name, void (*body)());
};
#define TEST(name)                            \
    static void name();                       \
    static const Case caseOf_##name(#name, name); \
    static void name()

void expect(bool holds, const std::string& what);

// Buffer is device memory for a test; its bytes count as written unless fresh.
class Buffer {
public:
    Buffer(sim::Memory& memory, size_t bytes, bool fresh = false);
    ~Buffer();
    uint64_t at() const { return reinterpret_cast<uint64_t>(data_); }
    template <class T>
    T* as() { return reinterpret_cast<T*>(data_); }

private:
    sim::Memory& memory_;
    void* data_;
};

// moduleOf wraps a body into a kernel named k with 64-bit parameters p0, p1,
// ... p3; before is text in front of it, attributes follow the parameters.
std::string moduleOf(const std::string& body, const std::string& before = "", const std::string& attributes = "");

// runText parses and runs kernel k.
sim::Counters runText(const std::string& ptx, sim::Memory& memory, const std::vector<uint64_t>& params, const sim::Launch& launch);

// faultOf returns the message of the Fault that f ends with, or "".
std::string faultOf(const std::function<void()>& f);

// Kind of an operand of evaluate: its register and its load.
enum class Width { pred, b16, b32, b64 };

// evaluate runs one instruction on values[n][input], the same in all lanes'
// order, and returns the results. op holds the opcode; results of lanes that a
// predicate turns off are checked to stay as they were.
std::vector<uint64_t> evaluate(const std::string& op, Width out, const std::vector<Width>& in,
                               const std::vector<std::vector<uint64_t>>& values);

// samples returns rows of inputs: all pairs of edge values, then random ones.
std::vector<std::vector<uint64_t>> samples(size_t inputs, const std::vector<uint64_t>& edges, uint64_t seed);

// agree evaluates op on samples and compares with what host computes.
using Host = std::function<uint64_t(const std::vector<uint64_t>&)>;
void agree(const std::string& op, Width out, const std::vector<Width>& in, const std::vector<std::vector<uint64_t>>& values,
           const Host& host);
