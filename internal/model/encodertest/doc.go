// Package encodertest holds text encoders and image decoders against goldens
// of the reference: tiny models whose every module's output scripts/golden
// recorded.
package encodertest
