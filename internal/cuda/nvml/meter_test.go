//go:build cuda

package nvml

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

const (
	turingUUID = "GPU-11111111-2222-3333-4444-555555555555"
	adaUUID    = "GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	adaPCI     = "00000000:65:00.0"
)

// TestMeter: the card that is asked for is shown, whatever its index, and
// anew at most twice a second.
func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card, used := ada(), uint64(0)
		card.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
			used += gib
			return nvml.Memory{Total: 24 * gib, Used: used}, nvml.SUCCESS
		}
		api := machine(turing(), card)
		m := NewMeter(api, adaUUID)
		if got := m.Latest().String(); got != "" {
			t.Errorf("before the first look it shows %q", got)
		}
		synctest.Wait()
		if got := m.Latest().String(); got != "1.0/24.0 GiB 287 W" {
			t.Errorf("after the first look it shows %q", got)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if n := len(card.GetMemoryInfoCalls()); n != 21 {
			t.Errorf("%d looks in ten seconds, want the first and 20 more", n)
		}
		if got := m.Latest().String(); got != "21.0/24.0 GiB 287 W" {
			t.Errorf("after 21 looks it shows %q", got)
		}
		m.Close()
		m.Close()
		if n := len(api.ShutdownCalls()); n != 1 {
			t.Errorf("NVML was closed %d times", n)
		}
	})
}

// TestMeterSlow: a card that takes its time gets its pause all the same.
func TestMeterSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card, last := ada(), time.Time{}
		slow := 900 * time.Millisecond
		card.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
			if since := time.Since(last); !last.IsZero() && since < Period {
				t.Errorf("looked again after %v", since)
			}
			time.Sleep(slow)
			last, slow = time.Now(), 0 // only the first look is slow
			return nvml.Memory{Total: 24 * gib, Used: gib}, nvml.SUCCESS
		}
		m := NewMeter(machine(card), adaUUID)
		time.Sleep(5 * time.Second)
		m.Close()
		if n := len(card.GetMemoryInfoCalls()); n != 9 {
			t.Errorf("%d looks in five seconds, want 9", n)
		}
	})
}

// TestMeterFinds: by UUID or not at all.
func TestMeterFinds(t *testing.T) {
	for _, c := range []struct {
		name, uuid, want string
	}{
		{"UUID", turingUUID, "1.0/15.0 GiB"}, // and no power
		{"unknown UUID", "GPU-of-a-part", ""},
		{"no UUID", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := machine(turing(), ada())
				m := NewMeter(api, c.uuid)
				synctest.Wait()
				if got := m.Latest().String(); got != c.want {
					t.Errorf("shows %q, want %q", got, c.want)
				}
				m.Close()
				if n := len(api.ShutdownCalls()); n != 1 {
					t.Errorf("NVML was closed %d times", n)
				}
			})
		})
	}
}

// TestMeterUnavailable: without a driver the meter shows nothing and closes.
func TestMeterUnavailable(t *testing.T) {
	for _, why := range []nvml.Return{nvml.ERROR_LIBRARY_NOT_FOUND, nvml.ERROR_DRIVER_NOT_LOADED} {
		synctest.Test(t, func(t *testing.T) {
			m := NewMeter(broken(why), adaUUID)
			synctest.Wait()
			if got := m.Latest(); got != (Sample{}) {
				t.Errorf("%v: shows %v", why, got)
			}
			m.Close()
		})
	}
}

// TestMeterLost: a card that is lost while the run goes on is neither shown
// nor asked again.
func TestMeterLost(t *testing.T) {
	for name, lose := range map[string]func(*atomic.Bool) nvml.Interface{
		"memory": func(lost *atomic.Bool) nvml.Interface {
			card := ada()
			card.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
				if lost.Load() {
					return nvml.Memory{}, nvml.ERROR_GPU_IS_LOST
				}
				return nvml.Memory{Total: 24 * gib, Used: gib}, nvml.SUCCESS
			}
			return machine(card)
		},
		"power": func(lost *atomic.Bool) nvml.Interface {
			card := ada()
			card.GetPowerUsageFunc = func() (uint32, nvml.Return) {
				if lost.Load() {
					return 0, nvml.ERROR_GPU_IS_LOST
				}
				return 100_000, nvml.SUCCESS
			}
			return machine(card)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lost atomic.Bool
				m := NewMeter(lose(&lost), adaUUID)
				synctest.Wait()
				if m.Latest() == (Sample{}) {
					t.Error("shows nothing while the card is there")
				}
				lost.Store(true)
				time.Sleep(Period)
				synctest.Wait()
				if got := m.Latest(); got != (Sample{}) {
					t.Errorf("shows %v of a lost card", got)
				}
				select {
				case <-m.ended:
				default:
					t.Error("goes on asking a lost card")
				}
				m.Close()
			})
		})
	}
}

// TestMeterHangs: a driver that does not answer holds nobody up for long.
func TestMeterHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		card := ada()
		card.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) {
			<-answer
			return nvml.Memory{}, nvml.SUCCESS
		}
		m := NewMeter(machine(card), adaUUID)
		begun := time.Now()
		_ = m.Latest()
		if since := time.Since(begun); since != 0 {
			t.Errorf("asking for the latest sample took %v", since)
		}
		m.Close()
		if since := time.Since(begun); since != patience {
			t.Errorf("closing took %v, want %v", since, patience)
		}
		close(answer) // the goroutine ends by itself
	})
}
