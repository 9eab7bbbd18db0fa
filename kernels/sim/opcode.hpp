// Opcodes taken apart, and the selectors that find the code for them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ptx.hpp"

namespace sim {

enum class Type : uint8_t {
    none, u8, u16, u32, u64, s8, s16, s32, s64, f16, bf16, f32, f64, b8, b16, b32, b64, pred, bf16x2, f16x2, tf32,
};

// typeOf reads a name such as "f32"; none for what is no type.
Type typeOf(const std::string& name);

// bitsOf returns the width of a type; 1 for predicates.
uint32_t bitsOf(Type type);

inline bool isSigned(Type t) { return t >= Type::s8 && t <= Type::s64; }

// Opcode is "setp.lt.and.f32" taken apart.
struct Opcode {
    std::string text;
    std::vector<std::string> parts;  // "setp", "lt", "and", "f32"
    std::vector<Type> types;
    const std::string& base() const { return parts[0]; }
    bool has(const char* part) const { return std::find(parts.begin() + 1, parts.end(), part) != parts.end(); }
    Type type(size_t n = 0) const { return n < types.size() ? types[n] : Type::none; }
};

// Selected is what an opcode alone says about its instruction.
struct Selected {
    Execute execute = nullptr;
    uint8_t mode = 0, combine = 0;
    Type to = Type::none;             // of d[0]; none: the first type
    std::vector<Type> from;           // of the inputs; those beyond the list: the first type
    bool anyWidth = false;            // operands may be wider than their types
    uint32_t inputs = 0;
};

// Each selector fills s if it knows the opcode; otherwise it returns false.
bool selectInteger(const Opcode& op, Selected& s);
bool selectBits(const Opcode& op, Selected& s);
bool selectFloat(const Opcode& op, Selected& s);
bool selectCompare(const Opcode& op, Selected& s);
bool selectConvert(const Opcode& op, Selected& s);

// What decode.cpp gives to instructions with operands of a form of their own.
void moveRegister(Warp&, const Instruction&, uint32_t active);
void moveMask(Warp&, const Instruction&, uint32_t active);
void pack(Warp&, const Instruction&, uint32_t active);
void unpack(Warp&, const Instruction&, uint32_t active);
void addressToWindow(Warp&, const Instruction&, uint32_t active);
void addressFromWindow(Warp&, const Instruction&, uint32_t active);
void loadParameter(Warp&, const Instruction&, uint32_t active);
void loadGlobal(Warp&, const Instruction&, uint32_t active);
void storeGlobal(Warp&, const Instruction&, uint32_t active);
void loadShared(Warp&, const Instruction&, uint32_t active);
void storeShared(Warp&, const Instruction&, uint32_t active);
void loadGeneric(Warp&, const Instruction&, uint32_t active);
void storeGeneric(Warp&, const Instruction&, uint32_t active);
void copyAsync(Warp&, const Instruction&, uint32_t active);
void copyCommit(Warp&, const Instruction&, uint32_t active);
void copyWait(Warp&, const Instruction&, uint32_t active);
void loadMatrix(Warp&, const Instruction&, uint32_t active);
void multiplyBf16(Warp&, const Instruction&, uint32_t active);
void multiplyF16(Warp&, const Instruction&, uint32_t active);
void multiplyTf32(Warp&, const Instruction&, uint32_t active);
void shuffle(Warp&, const Instruction&, uint32_t active);
void vote(Warp&, const Instruction&, uint32_t active);
void reduce(Warp&, const Instruction&, uint32_t active);
void activeMask(Warp&, const Instruction&, uint32_t active);
void warpSync(Warp&, const Instruction&, uint32_t active);
void nothing(Warp&, const Instruction&, uint32_t active);
void trap(Warp&, const Instruction&, uint32_t active);

}  // namespace sim
