// Package picture writes PNG files that remember how they were made, and reads
// that memory back.
package picture
