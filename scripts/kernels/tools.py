"""NVIDIA's compiler and assembler, from pinned wheels: no driver, no card."""

import ctypes
import os
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "cuda-tools"
PYTHON = "--only-binary=:all: --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux_2_27_x86_64".split()

WHEELS = [
    "nvidia-cuda-nvrtc-cu12==12.9.86",
    "nvidia-nvfatbin-cu12==12.9.82",
    "nvidia-cuda-nvcc-cu12==12.9.86",
    "nvidia-cuda-runtime-cu12==12.9.79",
    "nvidia-cuda-cccl-cu12==12.9.27",
    "nvidia-cuda-cuobjdump==13.5.37",
    "nvidia-cuda-nvdisasm==13.5.37",
]


def fetch():
    """Unpacks the wheels once, and returns their common folder."""
    folder = CACHE / "nvidia"
    done = CACHE / "wheels.txt"
    if done.exists() and done.read_text() == "\n".join(WHEELS):
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *PYTHON, "--dest", CACHE, *WHEELS], check=True)
    for wheel in CACHE.glob("*.whl"):
        with zipfile.ZipFile(wheel) as z:
            z.extractall(CACHE, [n for n in z.namelist() if n.startswith("nvidia/")])
        wheel.unlink()
    for program in (folder / "cuda_nvcc/bin/ptxas", *folder.glob("cu13/bin/*")):
        program.chmod(0o755)
    done.write_text("\n".join(WHEELS))
    return folder


def check(library, name, status):
    if status:
        text = getattr(library, name)
        text.restype = ctypes.c_char_p
        sys.exit(f"build-kernels: {text(status).decode()}")


class Tools:
    """The compiler, the assembler, the disassembler and the linker of images."""

    def __init__(self):
        self.folder = fetch()

    def compile(self, source, includes):
        """PTX for compute_80 of a CUDA source."""
        ctypes.CDLL(next((self.folder / "cuda_nvrtc/lib").glob("libnvrtc-builtins.so.12*")), mode=ctypes.RTLD_GLOBAL)
        nvrtc = ctypes.CDLL(self.folder / "cuda_nvrtc/lib/libnvrtc.so.12")
        program = ctypes.c_void_p()
        check(nvrtc, "nvrtcGetErrorString", nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"taca.cu", 0, None, None))
        folders = [*includes, *(self.folder / part / "include" for part in ("cuda_runtime", "cuda_nvcc", "cuda_cccl"))]
        options = [b"--gpu-architecture=compute_80", b"-std=c++17", *(f"-I{f}".encode() for f in folders)]
        failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        log = self._read(nvrtc, program, "nvrtcGetProgramLog")
        if log.strip():
            print(log, file=sys.stderr)
        check(nvrtc, "nvrtcGetErrorString", failed)
        return self._read(nvrtc, program, "nvrtcGetPTX")

    @staticmethod
    def _read(nvrtc, program, what):
        size = ctypes.c_size_t()
        getattr(nvrtc, what + "Size")(program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, what)(program, buffer)
        return buffer.value.decode()

    def assemble(self, ptx, architecture, cubin):
        """Writes machine code, and returns what the assembler says of it."""
        done = subprocess.run([self.folder / "cuda_nvcc/bin/ptxas", "-v", f"-arch=sm_{architecture}", ptx, "-o", cubin],
                              capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"build-kernels: {done.stderr}")
        return done.stderr

    def disassemble(self, cubin):
        """The machine code as text."""
        programs = self.folder / "cu13/bin"
        env = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}")
        return subprocess.run([programs / "cuobjdump", "-sass", cubin], capture_output=True, text=True, env=env, check=True).stdout

    def bundle(self, cubins):
        """One image of several {architecture: cubin}."""
        library = ctypes.CDLL(self.folder / "nvfatbin/lib/libnvfatbin.so.12")
        handle, size = ctypes.c_void_p(), ctypes.c_size_t()
        # Not compressed: old drivers cannot unpack what this linker packs.
        options = (ctypes.c_char_p * 1)(b"-64")
        checked = lambda status: check(library, "nvFatbinGetErrorString", status)
        checked(library.nvFatbinCreate(ctypes.byref(handle), options, ctypes.c_size_t(1)))
        for architecture, cubin in sorted(cubins.items()):
            data = cubin.read_bytes()
            checked(library.nvFatbinAddCubin(handle, data, ctypes.c_size_t(len(data)), str(architecture).encode(), b"taca.cubin"))
        checked(library.nvFatbinSize(handle, ctypes.byref(size)))
        image = ctypes.create_string_buffer(size.value)
        checked(library.nvFatbinGet(handle, image))
        return image.raw
