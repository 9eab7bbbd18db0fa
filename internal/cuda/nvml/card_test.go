//go:build cuda

package nvml

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestCards(t *testing.T) {
	api := machine(turing(), ada())
	got, err := Cards(api)
	if err != nil {
		t.Fatal(err)
	}
	idle := 0
	want := []Card{
		{Index: 0, UUID: "GPU-11111111-2222-3333-4444-555555555555", PCI: "00000000:3B:00.0", Name: "Tesla T4", Driver: "550.54.14", CUDA: 12040,
			Capability: 75, Memory: 15 * gib, Used: gib, Temperature: 38},
		{Index: 1, UUID: "GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", PCI: "00000000:65:00.0", Name: "NVIDIA GeForce RTX 4090", Driver: "550.54.14", CUDA: 12040,
			Capability: 89, Memory: 24 * gib, Used: 14 * gib, Power: 287.4, PowerLimit: 450, Temperature: 38, Utilization: &idle},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("cards are\n%+v, want\n%+v", got, want)
	}
	if opened, closed := len(api.InitCalls()), len(api.ShutdownCalls()); opened != 1 || closed != 1 {
		t.Errorf("NVML was opened %d times and closed %d times", opened, closed)
	}
}

// TestUnifiedMemory: a card that has no memory of its own is no error.
func TestUnifiedMemory(t *testing.T) {
	grace := ada()
	grace.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) { return nvml.Memory{Total: 1, Used: 1}, nvml.ERROR_NOT_SUPPORTED }
	cards, err := Cards(machine(grace))
	if err != nil {
		t.Fatal(err)
	}
	if c := cards[0]; c.Memory != 0 || c.Used != 0 || c.Trouble != "" || c.Power != 287.4 {
		t.Errorf("a card without memory of its own is %+v", c)
	}
}

// TestUnavailable: whatever keeps NVML from answering is one line that says
// what to do.
func TestUnavailable(t *testing.T) {
	uncounted := machine()
	uncounted.DeviceGetCountFunc = func() (int, nvml.Return) { return 0, nvml.ERROR_UNKNOWN }
	for _, c := range []struct {
		api    nvml.Interface
		reason nvml.Return
		says   string
	}{
		{broken(nvml.ERROR_LIBRARY_NOT_FOUND), nvml.ERROR_LIBRARY_NOT_FOUND, "install the NVIDIA driver"},
		{broken(nvml.ERROR_DRIVER_NOT_LOADED), nvml.ERROR_DRIVER_NOT_LOADED, "modprobe nvidia"},
		{broken(nvml.ERROR_LIB_RM_VERSION_MISMATCH), nvml.ERROR_LIB_RM_VERSION_MISMATCH, "restart the machine"},
		{broken(nvml.ERROR_NO_PERMISSION), nvml.ERROR_NO_PERMISSION, "/dev/nvidiactl"},
		{broken(nvml.ERROR_TIMEOUT), nvml.ERROR_TIMEOUT, "ERROR_TIMEOUT"},
		{uncounted, nvml.ERROR_UNKNOWN, "count the NVIDIA cards"},
	} {
		cards, err := Cards(c.api)
		var u *Unavailable
		if !errors.As(err, &u) || u.Reason != c.reason || !errors.Is(err, c.reason) || len(cards) != 0 {
			t.Errorf("%v: got %v and %v", c.reason, cards, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.says) || strings.Contains(text, "\n") {
			t.Errorf("%v: says %q, want one line with %q", c.reason, text, c.says)
		}
	}
	if n := len(uncounted.ShutdownCalls()); n != 1 {
		t.Errorf("NVML was closed %d times after a count that failed", n)
	}
}

// TestMissingLibrary asks the real loader for a library that is not there.
func TestMissingLibrary(t *testing.T) {
	_, err := Cards(nvml.New(nvml.WithLibraryPath("libno-such-thing.so.1")))
	var u *Unavailable
	if !errors.As(err, &u) || u.Reason != nvml.ERROR_LIBRARY_NOT_FOUND {
		t.Errorf("got %v", err)
	}
}

// TestTrouble: a card that does not answer is listed, and hides no other.
func TestTrouble(t *testing.T) {
	lost := ada()
	lost.GetMemoryInfoFunc = func() (nvml.Memory, nvml.Return) { return nvml.Memory{}, nvml.ERROR_GPU_IS_LOST }
	api := machine(lost, nil, turing())
	handle := api.DeviceGetHandleByIndexFunc
	api.DeviceGetHandleByIndexFunc = func(i int) (nvml.Device, nvml.Return) {
		if i == 1 {
			return nil, nvml.ERROR_NO_PERMISSION
		}
		return handle(i)
	}
	cards, err := Cards(api)
	if err != nil || len(cards) != 3 {
		t.Fatalf("got %v, %v", cards, err)
	}
	for i, says := range []string{"fallen off the bus", "may not use", ""} {
		if got := cards[i].Trouble; !strings.Contains(got, says) || says == "" && got != "" {
			t.Errorf("card %d has the trouble %q, want %q", i, got, says)
		}
	}
	if cards[0].Memory != 0 || cards[0].Name != "NVIDIA GeForce RTX 4090" || cards[1].Index != 1 || cards[2].Capability != 75 {
		t.Errorf("cards are %+v", cards)
	}
}
