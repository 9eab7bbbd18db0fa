// Package fuzztest holds what fuzz targets assert of every parser of foreign
// bytes.
package fuzztest
