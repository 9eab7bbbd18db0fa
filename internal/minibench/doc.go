// Package minibench measures how well the embedded model does what prompts ask,
// in four categories, and what a setting changes: shares with 95 % intervals,
// and paired differences, since all settings paint the same prompts from the
// same noise.
package minibench
