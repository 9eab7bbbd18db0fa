// AVX2 with dot products of bytes: Alder Lake and later, Zen 5.
#if defined(__x86_64__)
#pragma GCC target("avxvnni,avx2,fma,f16c")
#define TACA_ISA_AVX2
#define TACA_ISA_AVXVNNI
#define TACA_ISA_QUADS
#define TACA_TABLE taca_avxvnni
#define TACA_TABLE_NAME "avxvnni"
#include "table.h"
#endif
