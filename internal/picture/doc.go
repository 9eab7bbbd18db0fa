// Package picture writes PNG files that remember how they were made, and reads
// that memory back; and it reads the pictures that others begin with.
package picture
