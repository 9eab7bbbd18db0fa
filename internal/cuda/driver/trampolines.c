//go:build cuda

// Every function of the driver is defined here as a jump through a slot. The
// slots answer "no device" until driver_open has found the library, so that one
// binary starts with and without an NVIDIA driver, whatever the linker's flags
// (position independent or not, lazy binding or not).
#include <dlfcn.h>
#include <stddef.h>

enum { NO_DEVICE = 100, NOT_FOUND = 500 }; // as CUresult has them

static int no_driver(void) { return NO_DEVICE; }
static int not_found(void) { return NOT_FOUND; }

static const char *const names[] = {
#define SYMBOL(i, name) [i] = #name,
#include "symbols.h"
#undef SYMBOL
};

__attribute__((visibility("hidden"))) void *taca_driver_slot[SYMBOLS] = {[0 ... SYMBOLS - 1] = (void *)no_driver};

#if defined(__x86_64__)
#define SYMBOL(i, name)                                                                   \
    __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ",@function\n"     \
            #name ":\n endbr64\n jmp *taca_driver_slot+8*" #i "(%rip)\n"                  \
            ".size " #name ",.-" #name "\n");
#elif defined(__aarch64__)
#define SYMBOL(i, name)                                                                   \
    __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ",%function\n"     \
            #name ":\n adrp x16, taca_driver_slot+8*" #i                                  \
            "\n ldr x16, [x16, :lo12:taca_driver_slot+8*" #i "]\n br x16\n"               \
            ".size " #name ",.-" #name "\n");
#else
#error "NVIDIA has no driver for this architecture"
#endif
#include "symbols.h"
#undef SYMBOL

// driver_open finds the library. It returns NULL, or why it cannot.
const char *driver_open(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!library) return dlerror();
    for (size_t i = 0; i < SYMBOLS; i++) {
        void *found = dlsym(library, names[i]);
        taca_driver_slot[i] = found ? found : (void *)not_found;
    }
    return NULL;
}
