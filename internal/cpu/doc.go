// Package cpu is the backend in C SIMD: Go owns threads and memory, C owns
// arithmetic.
//
// A verb is cut into units (rows, or tiles of the result); standing goroutines
// claim ranges of units from an atomic counter and make one cgo call for each.
// C functions are leaves: no threads, no allocation, no globals, no errors.
// Each source (*.inc) is written once over the vector vocabulary of vec.h and
// compiled by one isa_*.c per instruction set; each yields a table of function
// pointers, of which one is chosen at start (TACA_ISA overrides). What is used
// seldom is compiled apart, in stats_*.c, so that no other kernel's code depends
// on it.
package cpu
