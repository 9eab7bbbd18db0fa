// Package residency decides which weights stay in a device's memory and which
// are streamed through it, block by block, in every step. A backend acts on
// the decision; a plan foretells it.
package residency
