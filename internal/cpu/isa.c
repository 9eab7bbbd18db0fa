// Which of the tables this machine can run.
#if defined(__linux__)
#define _GNU_SOURCE // syscall
#endif

#include "kernels.h"

extern const taca_kernels taca_portable;

#if defined(__x86_64__)
extern const taca_kernels taca_avx2, taca_avxvnni, taca_avx512, taca_avx512vnni, taca_avx512bf16, taca_amx;

// Tiles are off in every process until it asks: Linux,
// Documentation/arch/x86/xstate.rst.
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

static int tiles_allowed(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#else
static int tiles_allowed(void) { return 0; }
#endif
#endif

#if defined(__aarch64__)
extern const taca_kernels taca_neon, taca_neondot;

#if defined(TACA_NEONDOT)
#if defined(__linux__)
#include <sys/auxv.h>

static int dots(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#else
static int dots(void) { return 1; } // the compiler takes it for granted
#endif
#endif
#endif

const char *taca_compiler(void) {
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

int taca_machine(const taca_kernels *tables[TACA_TABLES]) {
    int n = 0;
#if defined(__x86_64__)
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    int vnni = avx512 && __builtin_cpu_supports("avx512vnni"), bf16 = vnni && __builtin_cpu_supports("avx512bf16");
    if (bf16 && __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") && __builtin_cpu_supports("amx-int8") && tiles_allowed()) {
        tables[n++] = &taca_amx;
    }
    if (bf16) {
        tables[n++] = &taca_avx512bf16;
    }
    if (vnni) {
        tables[n++] = &taca_avx512vnni;
    }
    if (avx512) {
        tables[n++] = &taca_avx512;
    }
    if (avx2 && __builtin_cpu_supports("avxvnni")) {
        tables[n++] = &taca_avxvnni;
    }
    if (avx2) {
        tables[n++] = &taca_avx2;
    }
#elif defined(__aarch64__)
#if defined(TACA_NEONDOT)
    if (dots()) {
        tables[n++] = &taca_neondot;
    }
#endif
    tables[n++] = &taca_neon;
#endif
    tables[n++] = &taca_portable;
    return n;
}
