// Package policy holds the house rules that a machine can check, as tests
// only: who imports whom, how long files and functions may be, what must be
// documented, who may print, and what no committed file may say.
package policy
