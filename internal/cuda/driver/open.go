//go:build cuda

package driver

/*
#cgo LDFLAGS: -Wl,--as-needed -L${SRCDIR} -ldl
#include <stdlib.h>
const char *driver_open(const char *path);
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/mumax/3/cuda/cu"
)

// library is the driver's name for the loader.
const library = "libcuda.so.1"

// oldest is the first version of the driver that has all calls this program
// makes: CUDA 11.4, the R470 series (cuDeviceGetUuid_v2, graphs with flags).
const oldest = 11040

var opened = sync.OnceValue(open)

// Open finds the driver and starts it; a second call repeats the first one's
// answer. Without it every call of cu answers CUDA_ERROR_NO_DEVICE.
func Open() error { return opened() }

func open() error {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	if why := C.driver_open(name); why != nil {
		return fmt.Errorf("there is no NVIDIA driver on this machine (%s): install one, or use --device cpu", C.GoString(why))
	}
	version := 0
	if err := try("ask for the driver's version", func() { version = Version() }); err != nil {
		return err
	}
	if version < oldest {
		return fmt.Errorf("the NVIDIA driver is for CUDA %d.%d, and 11.4 (R470) is the oldest that this program works with: update it, or use --device cpu",
			version/1000, version%1000/10)
	}
	err := try("start the NVIDIA driver", func() { cu.Init(0) })
	var refused *Error
	if errors.As(err, &refused) && refused.Result == cu.ERROR_NO_DEVICE {
		return errors.New("the NVIDIA driver finds no card (is CUDA_VISIBLE_DEVICES set?): use --device cpu")
	}
	return err
}
