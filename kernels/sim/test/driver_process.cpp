#include "driver_process.hpp"

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace {

// The libraries lie beside the program.
void* open(const char* name) {
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    std::string path(self, size_t(n < 0 ? 0 : n));
    path = path.substr(0, path.rfind('/') + 1) + name;
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) throw std::runtime_error(dlerror());
    return library;
}

const char* const kernels = R"(
.version 7.4
.target sm_80
.address_size 64
.visible .entry add(.param .u64 at, .param .u64 n) .maxntid 64, 1, 1
{ .reg .b64 %a, %n, %o; .reg .b32 %t, %v, %m;
  ld.param.u64 %a, [at]; ld.param.u64 %n, [n]; mov.u32 %t, %tid.x; mul.wide.u32 %o, %t, 4; add.u64 %a, %a, %o;
  cvt.u32.u64 %m, %n; ld.global.u32 %v, [%a]; add.u32 %v, %v, %m; st.global.u32 [%a], %v; ret; }
.visible .entry copy(.param .u64 to, .param .u64 from)
{ .reg .b64 %a, %b, %o; .reg .b32 %t, %v;
  ld.param.u64 %a, [to]; ld.param.u64 %b, [from]; mov.u32 %t, %tid.x; mul.wide.u32 %o, %t, 4;
  add.u64 %a, %a, %o; add.u64 %b, %b, %o; ld.global.u32 %v, [%b]; st.global.u32 [%a], %v; ret; }
)";

}  // namespace

void* driverSymbol(const char* name) {
    static void* library = open("libcuda.so.1");
    void* found = dlsym(library, name);
    if (!found) throw std::runtime_error(std::string("no ") + name);
    return found;
}

void* productSymbol(const char* name) {
    driverSymbol("cuInit");  // the driver is found by its name from now on
    static void* library = open("libcublasLt.so.12");
    void* found = dlsym(library, name);
    if (!found) throw std::runtime_error(std::string("no ") + name);
    return found;
}

void inProcess(const Settings& settings, const std::function<void()>& body) {
    int ends[2];
    if (pipe(ends)) throw std::runtime_error("pipe");
    fflush(nullptr);
    const pid_t child = fork();
    if (!child) {
        close(ends[0]);
        if (!freopen("/dev/null", "w", stderr)) _exit(2);  // faults that are wanted say so there
        unsetenv("TACASIM_STATS");
        unsetenv("TACASIM_SEED");
        for (auto& [name, value] : settings) setenv(name.c_str(), value.c_str(), 1);
        int status = 0;
        try {
            body();
        } catch (const std::exception& e) {
            status = write(ends[1], e.what(), strlen(e.what())) < 0 ? 3 : 1;
        }
        close(ends[1]);
        exit(status);
    }
    close(ends[1]);
    std::string said;
    char buffer[512];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, size_t(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (status) throw std::runtime_error(said.empty() ? "the process ended with " + std::to_string(status) : said);
}

void gives(CUresult got, CUresult wanted, const std::string& what) {
    expect(got == wanted, what + ": " + std::to_string(got) + " instead of " + std::to_string(wanted));
}

Session::Session() {
    CUdevice device = 0;
    ok(CU(cuInit)(0), "cuInit");
    ok(CU(cuDeviceGet)(&device, 0), "cuDeviceGet");
    ok(CU(cuCtxCreate)(&context, 0, device), "cuCtxCreate");
    ok(CU(cuModuleLoadData)(&module, kernels), "cuModuleLoadData");
}

CUfunction Session::function(const char* name) const {
    CUfunction f = nullptr;
    ok(CU(cuModuleGetFunction)(&f, module, name), name);
    return f;
}

CUstream Session::stream(unsigned flags) const {
    CUstream s = nullptr;
    ok(CU(cuStreamCreate)(&s, flags), "cuStreamCreate");
    return s;
}

CUdeviceptr Session::memory(size_t bytes) const {
    CUdeviceptr at = 0;
    ok(CU(cuMemAlloc)(&at, bytes), "cuMemAlloc");
    return at;
}

unsigned* Session::pinned(size_t count) const {
    void* at = nullptr;
    ok(CU(cuMemAllocHost)(&at, 4 * count), "cuMemAllocHost");
    return static_cast<unsigned*>(at);
}

static void launch(CUfunction f, CUstream stream, uint64_t a, uint64_t b) {
    void* parameters[] = {&a, &b};
    ok(CU(cuLaunchKernel)(f, 1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr), "cuLaunchKernel");
}

void launchAdd(const Session& s, CUstream stream, CUdeviceptr at, unsigned n) { launch(s.function("add"), stream, at, n); }
void launchCopy(const Session& s, CUstream stream, CUdeviceptr to, CUdeviceptr from) { launch(s.function("copy"), stream, to, from); }

unsigned word(CUdeviceptr at) {
    unsigned w = 0;
    ok(CU(cuCtxSynchronize)(), "cuCtxSynchronize");
    ok(CU(cuMemcpyDtoH)(&w, at, 4), "cuMemcpyDtoH");
    return w;
}

std::string temporary(const char* name) {
    const std::string path = "/tmp/tacasim-" + std::to_string(getpid()) + "-" + name;
    unlink(path.c_str());
    return path;
}

std::string contents(const std::string& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    unlink(path.c_str());
    return all.str();
}
