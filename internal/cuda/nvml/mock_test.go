//go:build cuda

package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
)

const gib = 1 << 30

// turing is an old card that reports neither power nor utilization.
func turing() *mock.Device {
	return &mock.Device{
		GetUUIDFunc: func() (string, nvml.Return) { return "GPU-11111111-2222-3333-4444-555555555555", nvml.SUCCESS },
		GetNameFunc: func() (string, nvml.Return) { return "Tesla T4", nvml.SUCCESS },
		GetPciInfoFunc: func() (nvml.PciInfo, nvml.Return) {
			return nvml.PciInfo{BusId: pci("00000000:3B:00.0")}, nvml.SUCCESS
		},
		GetMemoryInfoFunc: func() (nvml.Memory, nvml.Return) {
			return nvml.Memory{Total: 15 * gib, Free: 14 * gib, Used: gib}, nvml.SUCCESS
		},
		GetPowerUsageFunc:            func() (uint32, nvml.Return) { return 77, nvml.ERROR_NOT_SUPPORTED },
		GetEnforcedPowerLimitFunc:    func() (uint32, nvml.Return) { return 77, nvml.ERROR_NOT_SUPPORTED },
		GetTemperatureFunc:           func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 38, nvml.SUCCESS },
		GetCudaComputeCapabilityFunc: func() (int, int, nvml.Return) { return 7, 5, nvml.SUCCESS },
		GetUtilizationRatesFunc: func() (nvml.Utilization, nvml.Return) {
			return nvml.Utilization{Gpu: 77}, nvml.ERROR_NOT_SUPPORTED
		},
	}
}

// ada is a card that reports everything.
func ada() *mock.Device {
	d := turing()
	d.GetUUIDFunc = func() (string, nvml.Return) { return "GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", nvml.SUCCESS }
	d.GetNameFunc = func() (string, nvml.Return) { return "NVIDIA GeForce RTX 4090", nvml.SUCCESS }
	d.GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) {
		return nvml.PciInfo{BusId: pci("00000000:65:00.0")}, nvml.SUCCESS
	}
	d.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
		return nvml.Memory{Total: 24 * gib, Free: 10 * gib, Used: 14 * gib}, nvml.SUCCESS
	}
	d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 287_400, nvml.SUCCESS }
	d.GetEnforcedPowerLimitFunc = func() (uint32, nvml.Return) { return 450_000, nvml.SUCCESS }
	d.GetCudaComputeCapabilityFunc = func() (int, int, nvml.Return) { return 8, 9, nvml.SUCCESS }
	d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 0}, nvml.SUCCESS }
	return d
}

// machine is a library that knows these cards.
func machine(cards ...*mock.Device) *mock.Interface {
	return &mock.Interface{
		InitFunc:                       func() nvml.Return { return nvml.SUCCESS },
		ShutdownFunc:                   func() nvml.Return { return nvml.SUCCESS },
		SystemGetDriverVersionFunc:     func() (string, nvml.Return) { return "550.54.14", nvml.SUCCESS },
		SystemGetCudaDriverVersionFunc: func() (int, nvml.Return) { return 12040, nvml.SUCCESS },
		DeviceGetCountFunc:             func() (int, nvml.Return) { return len(cards), nvml.SUCCESS },
		DeviceGetHandleByIndexFunc:     func(i int) (nvml.Device, nvml.Return) { return cards[i], nvml.SUCCESS },
		DeviceGetHandleByUUIDFunc: func(uuid string) (nvml.Device, nvml.Return) {
			for _, c := range cards {
				if have, _ := c.GetUUIDFunc(); have == uuid {
					return c, nvml.SUCCESS
				}
			}
			return nil, nvml.ERROR_NOT_FOUND
		},
		DeviceGetHandleByPciBusIdFunc: func(bus string) (nvml.Device, nvml.Return) {
			for _, c := range cards {
				if have, _ := c.GetPciInfoFunc(); busID(have) == bus {
					return c, nvml.SUCCESS
				}
			}
			return nil, nvml.ERROR_NOT_FOUND
		},
	}
}

// broken is a library that cannot be opened.
func broken(why nvml.Return) *mock.Interface {
	return &mock.Interface{InitFunc: func() nvml.Return { return why }}
}

func pci(text string) (id [32]int8) {
	for i := range len(text) {
		id[i] = int8(text[i])
	}
	return id
}
