// Package lora reads low-rank adapters of every trainer's spelling and hangs
// them on a model's layers, unmerged, behind one gate per file.
package lora
