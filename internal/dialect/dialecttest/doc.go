// Package dialecttest writes models in other programs' names, for tests: what
// package dialect reads, the other way round.
package dialecttest
