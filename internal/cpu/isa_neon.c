// NEON: every 64-bit Arm.
#if defined(__aarch64__)
#define TACA_ISA_NEON
#define TACA_TABLE taca_neon
#define TACA_TABLE_NAME "neon"
#include "table.h"
#endif
