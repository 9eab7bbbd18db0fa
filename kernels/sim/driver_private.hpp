// What the simulated cuBLASLt asks the simulated driver, from within a host
// function: of the device whose work is being done.
#pragma once

#include <cstdint>

extern "C" {
// 1 if bytes at an address may be read: allocated and, if checks are on, written.
int tacasim_readable(uint64_t at, uint64_t bytes);
// 1 if bytes at an address may be written; from then on they count as written.
int tacasim_writable(uint64_t at, uint64_t bytes);
// counts a product.
void tacasim_product(double flops);
// ends the context of the work with a message.
void tacasim_break(const char* why);
// capability of the device, 80 and so on.
int tacasim_capability();
}
