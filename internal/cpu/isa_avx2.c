// AVX2 with FMA and half-precision loads: x86-64 since 2013.
#if defined(__x86_64__)
#pragma GCC target("avx2,fma,f16c")
#define TACA_ISA_AVX2
#define TACA_TABLE taca_avx2
#define TACA_TABLE_NAME "avx2"
#include "table.h"
#endif
