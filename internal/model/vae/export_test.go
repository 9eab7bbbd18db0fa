package vae

// SetBands makes bands of at least so many elements, so that tests see them in
// small pictures.
func (m *Decoder) SetBands(elements int) { m.bands = banding(elements) }

// SetBands is Decoder.SetBands of an encoder.
func (m *Encoder) SetBands(elements int) { m.bands = banding(elements) }
