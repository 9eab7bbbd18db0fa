// Package lora reads low-rank adapters and hangs them on a model's layers,
// unmerged, behind one gate per file.
package lora
