// AVX-512 with matrix tiles of bfloat16 and int8: Sapphire Rapids and later.
#if defined(__x86_64__)
#pragma GCC target("amx-tile,amx-bf16,amx-int8,avx512bf16,avx512vnni,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
#define TACA_ISA_AVX512
#define TACA_ISA_BF16
#define TACA_ISA_QUADS
#define TACA_ISA_AMX
#define TACA_TABLE taca_amx
#define TACA_TABLE_NAME "amx"
#include "table.h"
#endif
