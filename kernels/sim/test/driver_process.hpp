// Tests of the simulated libraries run in processes of their own, since the
// libraries read their settings once.
#pragma once

#include <cuda.h>

#include <functional>
#include <map>
#include <string>

#include "harness.hpp"

using Settings = std::map<std::string, std::string>;

// inProcess runs body in a child process with settings, in which the simulated
// driver is open; it fails as the child fails.
void inProcess(const Settings& settings, const std::function<void()>& body);

// driverSymbol and productSymbol find functions of the two libraries.
void* driverSymbol(const char* name);
void* productSymbol(const char* name);

// CU(cuInit)(0) calls the simulated driver.
#define CU_(f) reinterpret_cast<decltype(&f)>(driverSymbol(#f))
#define CU(f) CU_(f)

// ok and gives check a result of the driver's.
void gives(CUresult got, CUresult wanted, const std::string& what);
inline void ok(CUresult got, const std::string& what = "call") { gives(got, CUDA_SUCCESS, what); }

// Session is a context with a stream and a loaded module.
struct Session {
    CUcontext context = nullptr;
    CUmodule module = nullptr;

    Session();  // context, and a module with the kernels below
    CUfunction function(const char* name) const;
    CUstream stream(unsigned flags = CU_STREAM_NON_BLOCKING) const;
    CUdeviceptr memory(size_t bytes) const;
    unsigned* pinned(size_t count) const;
};

// The kernels, each with 32 threads: add(p, n) adds n to 32 words, copy(to, from).
void launchAdd(const Session& s, CUstream stream, CUdeviceptr at, unsigned n);
void launchCopy(const Session& s, CUstream stream, CUdeviceptr to, CUdeviceptr from);

// word reads the first word at an address, after waiting for everything.
unsigned word(CUdeviceptr at);
// temporary is the path of a file for a report.
std::string temporary(const char* name);
std::string contents(const std::string& path);
