// Package opstest is the conformance suite of backends: one table of cases for
// every verb of tensor.Ops, the properties of TACA's attention, and three
// backends in plain Go to judge by.
//
// The judgement is that of flash-attention's tests: the error of a backend
// against float64 may be at most twice the error of naive arithmetic in the
// number format of the result. No tolerance is chosen by hand.
//
// A backend's test is:
//
//	func TestConformance(t *testing.T) {
//		opstest.Run(t, func(t *testing.T) tensor.Backend { return open(t) })
//	}
package opstest
