// The statistics of attention with this instruction set: see table.h.
#define TACA_STATS_ALONE
#include "isa_avxvnni.c"
