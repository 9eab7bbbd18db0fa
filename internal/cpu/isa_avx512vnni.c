// AVX-512 with dot products of bytes: Cascade Lake, Ice Lake.
#if defined(__x86_64__)
#pragma GCC target("avx512vnni,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define TACA_ISA_AVX512
#define TACA_ISA_QUADS
#define TACA_TABLE taca_avx512vnni
#define TACA_TABLE_NAME "avx512vnni"
#include "table.h"
#endif
