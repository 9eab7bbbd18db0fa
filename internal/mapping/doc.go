// Package mapping maps files into memory, read-only, tells the kernel which of
// their pages are wanted soon and which are not wanted any more, and finds out
// where a file is changed under it.
//
// Only pages that were mapped here, and still are, can be given back: memory of
// any other origin, which would lose what it holds, is not known to it.
package mapping
