package vae

// SetBands makes bands of at least so many elements, so that tests see them in
// small pictures.
func (m *Decoder) SetBands(elements int) { m.bands = banding(elements) }
