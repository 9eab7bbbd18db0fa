package nn

import "taca/internal/tensor"

// sharp makes SiLU a ramp: SiLU(sharp·x) is sharp·max(x, 0) to 0.3, as the
// sigmoid is 0 or 1 everywhere but next to 0. Being a power of two it costs no
// digits.
const sharp = 1 << 20

// ReLU is dst = max(x, 0), to 3e-7. dst may be x; it should be F32.
func ReLU(o tensor.Ops, dst, x tensor.Tensor) {
	o.Mix(dst, sharp, x, 0, x)
	o.Activate(dst, dst, tensor.SiLU)
	o.Mix(dst, 1./sharp, dst, 0, dst)
}
