//go:build cuda

package driver

import (
	"fmt"

	"github.com/mumax/3/cuda/cu"
)

// Error is a call of the driver that failed.
type Error struct {
	Result cu.Result
	Doing  string
}

// Error names the result, and says what to do where that is known.
func (e *Error) Error() string {
	name := e.Result.String()
	if newer, ok := names[e.Result]; ok {
		name = newer
	}
	return fmt.Sprintf("%s: %s%s", e.Doing, name, advice[e.Result])
}

// Results that cu has no names for.
const (
	invalidPTX      cu.Result = 218
	unsupportedPTX  cu.Result = 222
	illegalAddress  cu.Result = 700
	captureRefused  cu.Result = 900
	versionMismatch cu.Result = 803
)

// pageLocked is a result of ours: the host has no memory left to lock.
const pageLocked cu.Result = -2

var names = map[cu.Result]string{
	pageLocked:      "CUDA_ERROR_OUT_OF_MEMORY",
	invalidPTX:      "CUDA_ERROR_INVALID_PTX",
	unsupportedPTX:  "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
	illegalAddress:  "CUDA_ERROR_ILLEGAL_ADDRESS",
	captureRefused:  "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
	versionMismatch: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
}

// OutOfMemory reports whether the device had no room.
func (e *Error) OutOfMemory() bool { return e.Result == cu.ERROR_OUT_OF_MEMORY }

var advice = map[cu.Result]string{
	cu.ERROR_OUT_OF_MEMORY:           ": no room on the card; use --offload stream or a smaller picture",
	pageLocked:                       ": this machine's own memory cannot be locked for copies; see free and ulimit -l",
	cu.ERROR_NO_DEVICE:               ": the driver finds no card",
	cu.ERROR_ECC_UNCORRECTABLE:       ": the card's memory is defective; see nvidia-smi -q",
	illegalAddress:                   ": a kernel reached past its memory; this is a bug, taca selftest --device cuda may show where",
	cu.ERROR_LAUNCH_FAILED:           ": a kernel failed on the card; dmesg may have an Xid that says why",
	cu.ERROR_LAUNCH_OUT_OF_RESOURCES: ": a kernel wants more than the card has; this is a bug",
	cu.ERROR_LAUNCH_TIMEOUT:          ": the card also drives a display, whose watchdog ended the kernel",
	cu.ERROR_NO_BINARY_FOR_GPU:       ": there is no code in this program for the card",
	cu.ERROR_OPERATING_SYSTEM:        ": the operating system refused; in a container, is the card passed through?",
	cu.ERROR_INVALID_VALUE:           "; this is a bug",
	unsupportedPTX:                   ": the driver is too old to compile this program's kernels: update it",
	versionMismatch:                  ": the driver's library and its kernel module are of different versions: restart the machine",
	cu.ERROR_UNKNOWN:                 ": the driver does not say more; dmesg may",
}

// try runs f, and turns cu's panic into an error.
func try(doing string, f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			result, ok := r.(cu.Result)
			if !ok {
				panic(r)
			}
			err = &Error{result, doing}
		}
	}()
	f()
	return nil
}

// Try is for calls that may fail in the middle of work on a thread.
func Try(f func()) error { return try("call the driver", f) }
