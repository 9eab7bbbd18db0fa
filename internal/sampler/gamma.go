package sampler

// GammaSchedule says how strongly visual queries look at text in a step at
// noise level sigma; 1 is plain attention.
type GammaSchedule func(step int, sigma float32) float32

// Off is plain attention throughout.
func Off() GammaSchedule { return func(int, float32) float32 { return 1 } }

// FirstSteps is gamma in the first n steps: TACA's official code, with 3 of 30.
func FirstSteps(n int, gamma float32) GammaSchedule {
	return func(step int, _ float32) float32 {
		if step < n {
			return gamma
		}
		return 1
	}
}

// AboveTimestep is gamma wherever the timestep, 1000·sigma, is at least t:
// TACA's paper, equation 6, with 970.
func AboveTimestep(t, gamma float32) GammaSchedule {
	return func(_ int, sigma float32) float32 {
		if sigma*1000 >= t {
			return gamma
		}
		return 1
	}
}
