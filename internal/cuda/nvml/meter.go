//go:build cuda

package nvml

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// Period is the shortest time between two looks at a card.
const Period = 500 * time.Millisecond

// patience is how long Close waits for a driver that does not answer.
const patience = time.Second

// Meter looks at the memory and power of one card while a run uses it. It does
// so on a goroutine of its own: the driver may take its time.
type Meter struct {
	latest atomic.Pointer[Sample]
	stop   func()
	ended  chan struct{}
}

// Sample is one look at a card. What the card does not report is zero.
type Sample struct {
	Memory, Used uint64  // bytes
	Power        float64 // watts
}

// NewMeter begins to look at the card with this UUID. It returns at once.
// Where there is nothing to see the meter shows nothing: it is an ornament of
// a run, and no reason for one to fail.
func NewMeter(api nvml.Interface, uuid string) *Meter {
	stopped := make(chan struct{})
	m := &Meter{stop: sync.OnceFunc(func() { close(stopped) }), ended: make(chan struct{})}
	go m.run(api, uuid, stopped)
	return m
}

// Latest is the last look at the card; zero before the first one and after the
// card was lost.
func (m *Meter) Latest() Sample {
	if s := m.latest.Load(); s != nil {
		return *s
	}
	return Sample{}
}

// Close ends the looking and closes NVML. A driver that hangs is left behind
// after a second. Closing twice is allowed.
func (m *Meter) Close() {
	m.stop()
	select {
	case <-m.ended:
	case <-time.After(patience):
	}
}

// String is the sample as the progress line shows it, such as
// "14.2/23.6 GiB 287 W"; empty where nothing is known.
func (s Sample) String() string {
	var parts []string
	if s.Memory > 0 {
		parts = append(parts, fmt.Sprintf("%.1f/%.1f GiB", float64(s.Used)/(1<<30), float64(s.Memory)/(1<<30)))
	}
	if s.Power > 0 {
		parts = append(parts, fmt.Sprintf("%.0f W", s.Power))
	}
	return strings.Join(parts, " ")
}

// run looks until it is stopped or the card is gone. Each pause begins after a
// look, so that slow answers do not come in bursts.
func (m *Meter) run(api nvml.Interface, uuid string, stopped <-chan struct{}) {
	defer close(m.ended)
	if api.Init() != nvml.SUCCESS {
		return
	}
	defer api.Shutdown()
	device, r := api.DeviceGetHandleByUUID(uuid)
	for found := r == nvml.SUCCESS; found; {
		var s Sample
		if s, found = look(device); !found {
			m.latest.Store(nil)
			return
		}
		m.latest.Store(&s)
		select {
		case <-stopped:
			return
		case <-time.After(Period):
		}
	}
}

// look reports false where the card is lost; what it does not report, or not
// this time, is left out.
func look(device nvml.Device) (s Sample, there bool) {
	memory, r := device.GetMemoryInfo()
	switch r {
	case nvml.SUCCESS:
		s.Memory, s.Used = memory.Total, memory.Used
	case nvml.ERROR_GPU_IS_LOST:
		return Sample{}, false
	}
	power, r := device.GetPowerUsage()
	switch r {
	case nvml.SUCCESS:
		s.Power = watts(power)
	case nvml.ERROR_GPU_IS_LOST:
		return Sample{}, false
	}
	return s, true
}
