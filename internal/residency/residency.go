package residency

import "fmt"

// Mode is what the user asks for.
type Mode string

// The modes of --offload.
const (
	Auto   Mode = "auto"   // stream what does not fit
	None   Mode = "none"   // all weights stay, or it is an error
	Stream Mode = "stream" // all weights are streamed
)

// ParseMode finds the mode called name.
func ParseMode(name string) (Mode, error) {
	switch m := Mode(name); m {
	case Auto, None, Stream:
		return m, nil
	}
	return "", fmt.Errorf("offload %q is unknown: use auto, none or stream", name)
}

// Align is how far apart operands in weights start: the widest access of a
// kernel, and what matrix products like best.
const Align = 256

// Bytes is what weights of the given sizes take, one after the other.
func Bytes(weights []int) int {
	sum := 0
	for _, n := range weights {
		sum += Aligned(n)
	}
	return sum
}

// Aligned is n, rounded up.
func Aligned(n int) int { return (n + Align - 1) / Align * Align }

// Reserve is memory that is left to the driver (code, the stacks of kernels),
// to matrix products, and to what a verb needs for itself, such as weights
// converted to another format, in bytes.
const Reserve = 224<<20 + Workspace

// Workspace is what NVIDIA recommends to give to cuBLASLt on the newest cards;
// less makes fewer algorithms possible.
const Workspace = 32 << 20

// Text is bytes for people.
func Text(bytes int) string {
	if bytes < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30))
}

// Slots is how many streamed groups are in memory at once: one in use, one on
// its way.
const Slots = 2

// Group is weights that arrive and leave together.
type Group struct {
	Bytes  int
	Seldom bool // needed before many steps, and in none of them
}

// Placement is where each group of weights lives.
type Placement struct {
	Resident []bool
	Slot     int // bytes of each slot of the ring, 0 where nothing is streamed
	resident int
	streamed int // in every step
	seldom   int // before the steps
}

// TooSmall says that not even the slots of the ring fit.
type TooSmall struct{ Need, Budget int }

// Error gives both sizes in bytes.
func (e *TooSmall) Error() string {
	return fmt.Sprintf("%d bytes of device memory are needed for weights, %d are left", e.Need, e.Budget)
}

// Decide places groups, in the order they are used, within a budget of bytes.
// Where not all fit, those needed seldom are streamed first. What else has to be
// is spread evenly among what stays, so that each copy has as much computing as
// possible to hide behind.
func Decide(groups []Group, budget int, mode Mode) (Placement, error) {
	p := Placement{Resident: make([]bool, len(groups))}
	total, steady, largest, largestSeldom := 0, 0, 0, 0
	for _, g := range groups {
		total += g.Bytes
		largest = max(largest, g.Bytes)
		if g.Seldom {
			largestSeldom = max(largestSeldom, g.Bytes)
		} else {
			steady += g.Bytes
		}
	}
	if mode == None || mode == Auto && total <= budget {
		for i := range groups {
			p.Resident[i] = true
		}
		p.resident = total
		if total > budget {
			return p, &TooSmall{total, budget}
		}
		return p, nil
	}
	p.Slot = largestSeldom
	if mode == Stream || steady > budget-Slots*largestSeldom {
		p.Slot = largest
	}
	room := budget - Slots*p.Slot
	if room < 0 {
		return p, &TooSmall{Slots * p.Slot, budget}
	}
	if mode == Stream {
		room = 0
	}
	// Of each prefix of the groups, the share room/steady stays.
	share := min(1, float64(room)/float64(max(steady, 1)))
	passed := 0
	for i, g := range groups {
		switch {
		case g.Bytes == 0:
			p.Resident[i] = true
		case g.Seldom:
			p.seldom += g.Bytes
		default:
			passed += g.Bytes
			if p.Resident[i] = float64(p.resident+g.Bytes) <= share*float64(passed); p.Resident[i] {
				p.resident += g.Bytes
			} else {
				p.streamed += g.Bytes
			}
		}
	}
	return p, nil
}

// ResidentBytes is what stays in memory, without the ring.
func (p Placement) ResidentBytes() int { return p.resident }

// StreamedBytes is what is copied in every step.
func (p Placement) StreamedBytes() int { return p.streamed }

// SeldomBytes is what is copied before the steps.
func (p Placement) SeldomBytes() int { return p.seldom }

// DeviceBytes is what the groups take of the device's memory.
func (p Placement) DeviceBytes() int { return p.resident + Slots*p.Slot }
