// The decoded form of PTX: kernels made of instructions whose operands are
// places in a warp's register file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sim {

struct Warp;
struct Instruction;

// Execute carries out one instruction for the active lanes of a warp.
using Execute = void (*)(Warp&, const Instruction&, uint32_t active);

// Kind tells the scheduler of lanes how to treat an instruction.
enum class Kind : uint8_t {
    plain,       // each lane for itself
    branch,      // to target
    exit,        // lanes end
    barrier,     // of the block: the whole warp arrives together
    collective,  // all 32 lanes together
    masked,      // the lanes of a mask together; last operand holds the mask
};

// Operand is a place in the register file. Registers of up to 32 bits have 32
// cells of 4 bytes, those of 64 bits cells of 8; a predicate is one word with
// a bit for each lane.
struct Operand {
    uint32_t at = 0;    // bytes from the beginning of the register file
    uint8_t cell = 4;   // 4 or 8; 0 is a predicate
    bool negated = false;
};

struct Instruction {
    Execute execute = nullptr;
    int64_t offset = 0;   // of an address
    int64_t offset2 = 0;  // of the source address of cp.async
    Operand d[4];
    Operand s[12];
    Operand predicate;
    bool predicated = false;
    Kind kind = Kind::plain;
    uint8_t outputs = 0, inputs = 0;
    uint8_t vector = 1;     // elements of a load or store, matrices of ldmatrix
    uint8_t bytes = 4;      // of one element
    uint8_t mode = 0;       // comparison, kind of shuffle, table of lop3, ...
    uint8_t combine = 0;    // and, or, xor of setp
    bool isSigned = false;  // a load extends the sign
    bool transposed = false;
    uint32_t target = 0;  // of a branch
    uint32_t line = 0;    // of the PTX text
    std::string text;
};

struct Parameter {
    std::string name;
    uint32_t bytes = 0, alignment = 0, offset = 0;
};

// Special is a register the machine fills in, such as %tid.x.
enum class Special : uint8_t {
    tidX, tidY, tidZ, ntidX, ntidY, ntidZ, ctaidX, ctaidY, ctaidZ, nctaidX, nctaidY, nctaidZ,
    lane, warp, warps, maskEq, maskLt, maskLe, maskGt, maskGe, dynamicShared, totalShared,
};

struct Kernel {
    std::string name;
    std::vector<Parameter> parameters;
    uint32_t parameterBytes = 0;
    uint32_t maxThreads = 0;    // 0: the launch may have any number
    uint32_t staticShared = 0;  // bytes; dynamic shared memory begins after them
    uint32_t registers = 0;     // PTX registers declared
    uint32_t registerBytes = 0; // of the register file of a warp
    uint32_t sharedGranule = 4; // smallest access to shared memory, at most 4
    uint32_t globalGranule = 16; // smallest access to global memory
    std::vector<Instruction> code;

    // What the register file begins with: immediates and special registers.
    struct Constant {
        Operand to;
        uint64_t value;
    };
    struct Filled {
        Operand to;
        Special what;
    };
    std::vector<Constant> constants;
    std::vector<Filled> specials;
};

// Module is one parsed PTX text.
struct Module {
    std::string version;  // "7.4"
    int target = 0;       // 80
    std::map<std::string, Kernel> kernels;
};

}  // namespace sim
