// AVX-512 as servers have had it since 2017.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define TACA_ISA_AVX512
#define TACA_TABLE taca_avx512
#define TACA_TABLE_NAME "avx512"
#include "table.h"
#endif
