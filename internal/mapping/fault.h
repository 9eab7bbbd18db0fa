// Pages of mapped files that are gone when they are read.
#ifndef TACA_MAPPING_FAULT_H
#define TACA_MAPPING_FAULT_H

#include <stddef.h>

// taca_range is memory in which a page that cannot be read becomes zeros.
typedef struct taca_range taca_range;

// taca_guard begins to look after a range, or gives NULL where there is no
// memory for that. What it gives is valid for ever.
taca_range *taca_guard(void *start, size_t bytes);

// taca_release ends it, before the memory is given back.
void taca_release(taca_range *range);

// taca_lost is whether a page has become zeros.
int taca_lost(const taca_range *range);

#endif
