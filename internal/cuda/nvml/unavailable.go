//go:build cuda

package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Unavailable is why nothing can be said about cards. Its text is one line
// that says what to do.
type Unavailable struct {
	Reason nvml.Return // nvml.ERROR_LIBRARY_NOT_FOUND, nvml.ERROR_DRIVER_NOT_LOADED, ...
	Doing  string      // what was tried
}

// Error says what is wrong and what to do.
func (u *Unavailable) Error() string {
	if why, known := reasons[u.Reason]; known {
		return fmt.Sprintf("%s: %s", u.Doing, why)
	}
	return fmt.Sprintf("%s: %v; see what nvidia-smi says", u.Doing, u.Reason)
}

// Unwrap gives the library's own error.
func (u *Unavailable) Unwrap() error { return u.Reason }

var reasons = map[nvml.Return]string{
	nvml.ERROR_LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 is not on this machine: install the NVIDIA driver; in a container, ask for the driver capability utility",
	nvml.ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is installed and not loaded: load it (modprobe nvidia), or restart the machine",
	nvml.ERROR_LIB_RM_VERSION_MISMATCH: "the NVIDIA driver that is loaded and its libraries are of different versions, as after an update: " +
		"restart the machine",
	nvml.ERROR_NO_PERMISSION: "this user may not talk to the NVIDIA driver: see who may open /dev/nvidiactl",
}
