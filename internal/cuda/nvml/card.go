//go:build cuda

package nvml

import (
	"fmt"
	"slices"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Card is one NVIDIA card of the machine, whether this process may compute on
// it or not. What the card does not report is zero.
type Card struct {
	Index       int    // NVML's, which nvidia-smi shows; the i of cuda:i may be another
	UUID        string // GPU-..., the same in NVML and CUDA
	PCI         string // domain:bus:device.function
	Name        string
	Driver      string  // version of the driver, such as 550.54.14
	CUDA        int     // newest CUDA the driver speaks; 12040 is 12.4
	Capability  int     // 89 is 8.9
	Memory      uint64  // bytes; not reported where card and processor share memory
	Used        uint64  // bytes, by all processes and the driver
	Power       float64 // watts drawn
	PowerLimit  float64 // watts at most
	Temperature int     // of the chip, degrees Celsius
	Utilization *int    // percent of the time that kernels ran; nil where not reported
	Trouble     string  // why the card does not answer, such as having fallen off the bus
}

// Library is the machine's own NVML, not opened yet.
func Library() nvml.Interface { return nvml.New() }

// Cards lists the machine's cards in NVML's order. A card that does not answer
// is listed with its trouble; an error is an *Unavailable.
func Cards(api nvml.Interface) ([]Card, error) {
	if r := api.Init(); r != nvml.SUCCESS {
		return nil, &Unavailable{r, "open NVML"}
	}
	defer api.Shutdown()
	count, r := api.DeviceGetCount()
	if r != nvml.SUCCESS {
		return nil, &Unavailable{r, "count the NVIDIA cards"}
	}
	driver, r := api.SystemGetDriverVersion()
	if r != nvml.SUCCESS {
		driver = ""
	}
	cuda, r := api.SystemGetCudaDriverVersion()
	if r != nvml.SUCCESS {
		cuda = 0
	}
	cards := make([]Card, count)
	for i := range cards {
		cards[i] = Card{Index: i, Driver: driver, CUDA: cuda}
		device, r := api.DeviceGetHandleByIndex(i)
		if r != nvml.SUCCESS {
			cards[i].Trouble = trouble(r)
			continue
		}
		cards[i].read(device)
	}
	return cards, nil
}

// read asks a card all there is to ask.
func (c *Card) read(device nvml.Device) {
	c.UUID = reported(c, device.GetUUID)
	c.Name = reported(c, device.GetName)
	c.PCI = busID(reported(c, device.GetPciInfo))
	memory := reported(c, device.GetMemoryInfo)
	c.Memory, c.Used = memory.Total, memory.Used
	c.Power = watts(reported(c, device.GetPowerUsage))
	c.PowerLimit = watts(reported(c, device.GetEnforcedPowerLimit))
	c.Temperature = int(reported(c, func() (uint32, nvml.Return) { return device.GetTemperature(nvml.TEMPERATURE_GPU) }))
	c.Capability = reported(c, func() (int, nvml.Return) {
		major, minor, r := device.GetCudaComputeCapability()
		return 10*major + minor, r
	})
	c.Utilization = reported(c, func() (*int, nvml.Return) {
		rates, r := device.GetUtilizationRates()
		percent := int(rates.Gpu)
		return &percent, r
	})
}

// reported is what ask answers, or zero where the card does not say. Any other
// refusal is the card's trouble.
func reported[T any](c *Card, ask func() (T, nvml.Return)) T {
	value, r := ask()
	if r == nvml.SUCCESS {
		return value
	}
	if c.Trouble == "" && !slices.Contains(silent, r) {
		c.Trouble = trouble(r)
	}
	var none T
	return none
}

// silent is how a healthy card says that it does not tell something.
var silent = []nvml.Return{
	nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION, nvml.ERROR_NO_DATA, nvml.ERROR_NOT_FOUND, nvml.ERROR_FUNCTION_NOT_FOUND,
}

func trouble(r nvml.Return) string {
	switch r {
	case nvml.ERROR_GPU_IS_LOST:
		return "the card has fallen off the bus: restart the machine"
	case nvml.ERROR_RESET_REQUIRED:
		return "the card must be reset: nvidia-smi --gpu-reset, or restart the machine"
	case nvml.ERROR_NO_PERMISSION:
		return "this user may not use the card"
	}
	return fmt.Sprintf("the card does not answer: %v", r)
}

func watts(milliwatts uint32) float64 { return float64(milliwatts) / 1000 }

// busID is the text in a PCI record, which C ends with a zero.
func busID(p nvml.PciInfo) string {
	var text []byte
	for _, c := range p.BusId {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return string(text)
}
