// Portable C with GCC's vector extension: runs on any processor.
#define TACA_TABLE taca_portable
#define TACA_TABLE_NAME "portable"
#include "table.h"
