// AVX-512 with dot products of bfloat16 pairs and of bytes: Zen 4, Cooper Lake.
#if defined(__x86_64__)
#pragma GCC target("avx512bf16,avx512vnni,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define TACA_ISA_AVX512
#define TACA_ISA_BF16
#define TACA_ISA_QUADS
#define TACA_TABLE taca_avx512bf16
#define TACA_TABLE_NAME "avx512bf16"
#include "table.h"
#endif
