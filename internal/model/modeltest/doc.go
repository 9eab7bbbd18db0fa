// Package modeltest holds transformers against goldens of the reference: tiny
// models whose every block's output scripts/golden recorded.
package modeltest
