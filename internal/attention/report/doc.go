// Package report tells what was recorded of attention: as numbers, as curves
// over steps and blocks, and as maps of words over pictures.
package report
