package sampler

// mersenne is the Mersenne twister MT19937 (Matsumoto and Nishimura, 1998), as
// torch's CPU generator has it: seeded with the low 32 bits of the seed.
type mersenne struct {
	state [624]uint32
	next  int
}

func newMersenne(seed uint64) *mersenne {
	m := &mersenne{next: len(mersenne{}.state)}
	m.state[0] = uint32(seed)
	for i := 1; i < len(m.state); i++ {
		before := m.state[i-1]
		m.state[i] = 1812433253*(before^before>>30) + uint32(i)
	}
	return m
}

func (m *mersenne) uint32() uint32 {
	if m.next == len(m.state) {
		m.twist()
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (m *mersenne) twist() {
	const n, shift = 624, 397
	for i := range m.state {
		y := m.state[i]&0x80000000 | m.state[(i+1)%n]&0x7fffffff
		m.state[i] = m.state[(i+shift)%n] ^ y>>1 ^ -(y&1)&0x9908b0df
	}
	m.next = 0
}

// uniform24 is in [0, 1), with the resolution of torch's f32 draws.
func (m *mersenne) uniform24() float32 { return float32(m.uint32()&(1<<24-1)) / (1 << 24) }

// uniform53 is in [0, 1), with the resolution of torch's f64 draws.
func (m *mersenne) uniform53() float64 {
	high := uint64(m.uint32())
	return float64((high<<32|uint64(m.uint32()))&(1<<53-1)) / (1 << 53)
}
