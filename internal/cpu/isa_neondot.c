// NEON with dot products of bytes: Armv8.2 with DotProd, which is every 64-bit
// Arm core of servers and desktops since 2019.
#include "kernels.h"
#if defined(TACA_NEONDOT)
#if !defined(__ARM_FEATURE_DOTPROD)
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#define TACA_ISA_NEON
#define TACA_ISA_QUADS
#define TACA_TABLE taca_neondot
#define TACA_TABLE_NAME "neondot"
#include "table.h"
#endif
