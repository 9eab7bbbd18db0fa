//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"fmt"

	"github.com/mumax/3/cuda/cu"
)

// Device is a card as the driver shows it.
type Device struct {
	Ordinal        int
	Name           string
	UUID           string // as nvidia-smi -L prints it
	Capability     int    // 86 is 8.6
	Memory         uint64 // bytes
	SharedPerBlock int    // bytes of shared memory a block may ask for
	Processors     int    // streaming multiprocessors
}

// Devices lists the cards. Open has succeeded.
func Devices() ([]Device, error) {
	var all []Device
	err := try("list the cards", func() {
		for i := range cu.DeviceGetCount() {
			d := cu.DeviceGet(i)
			major, minor := d.ComputeCapability()
			all = append(all, Device{
				Ordinal: i, Name: d.Name(), UUID: uuid(d), Capability: 10*major + minor, Memory: uint64(d.TotalMem()),
				SharedPerBlock: attribute(d, C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
				Processors:     attribute(d, C.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
			})
		}
	})
	return all, err
}

// Version is the CUDA that the driver is for: 12040 is 12.4.
func Version() int { return cu.Version() }

func attribute(d cu.Device, which C.CUdevice_attribute) int {
	var value C.int
	check(C.cuDeviceGetAttribute(&value, which, C.CUdevice(d)))
	return int(value)
}

func uuid(d cu.Device) string {
	var u C.CUuuid
	check(C.cuDeviceGetUuid_v2(&u, C.CUdevice(d)))
	b := make([]byte, len(u.bytes))
	for i, c := range u.bytes {
		b[i] = byte(c)
	}
	return fmt.Sprintf("GPU-%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// check panics as cu does.
func check(r C.CUresult) {
	if r != C.CUDA_SUCCESS {
		panic(cu.Result(r))
	}
}
