#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct taca_range {
	_Atomic uintptr_t start, end; // both 0 where it is free
	atomic_int lost;
	taca_range *next; // never changes once others can see it
};

static _Atomic(taca_range *) ranges;
static struct sigaction before;
static uintptr_t page;

// replace makes zeros of the pages from at to the end of its range, if it is in
// one. All that follows is gone as well where a file was cut short, and a fault
// for each page would soon be more mappings than the kernel allows.
static int replace(uintptr_t at)
{
	for (taca_range *r = atomic_load(&ranges); r != NULL; r = r->next) {
		uintptr_t start = atomic_load(&r->start), end = atomic_load(&r->end);
		if (at < start || at >= end)
			continue;
		atomic_store(&r->lost, 1);
		at -= at % page;
		return mmap((void *)at, end - at, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
	}
	return 0;
}

// handle runs on the signal stack that Go gives each of its threads, with all
// signals blocked, and leaves to Go what is not ours.
static void handle(int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	int ours = info->si_code > 0 && replace((uintptr_t)info->si_addr); // else a process sent it
	errno = saved;
	if (!ours)
		before.sa_sigaction(signal, info, context);
}

// install comes before Go's handler, of which it has flags and mask.
static int install(void)
{
	if (page != 0)
		return 1;
	if (sigaction(SIGBUS, NULL, &before) != 0 || !(before.sa_flags & SA_SIGINFO))
		return 0;
	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	struct sigaction ours = before;
	ours.sa_sigaction = handle;
	ours.sa_flags |= SA_ONSTACK;
	return sigaction(SIGBUS, &ours, NULL) == 0;
}

taca_range *taca_guard(void *start, size_t bytes)
{
	if (!install())
		return NULL;
	taca_range *r = atomic_load(&ranges);
	while (r != NULL && atomic_load(&r->end) != 0)
		r = r->next;
	int fresh = r == NULL;
	if (fresh && (r = calloc(1, sizeof *r)) == NULL)
		return NULL;
	uintptr_t at = (uintptr_t)start;
	atomic_store(&r->lost, 0);
	atomic_store(&r->start, at);
	atomic_store(&r->end, at + (bytes + page - 1) / page * page);
	if (fresh) {
		r->next = atomic_load(&ranges);
		atomic_store(&ranges, r);
	}
	return r;
}

void taca_release(taca_range *range)
{
	atomic_store(&range->end, 0);
	atomic_store(&range->start, 0);
}

int taca_lost(const taca_range *range) { return atomic_load(&range->lost); }
