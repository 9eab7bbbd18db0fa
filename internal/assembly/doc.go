// Package assembly makes a model folder of single files: what a file does not
// hold, tokenizers and settings that no shape tells, is lent by a folder or a
// preset.
package assembly
