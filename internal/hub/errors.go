package hub

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Kind is why a pull failed, as far as what to do about it differs.
type Kind int

const (
	// Refused is a repository, revision or file that is missing, gated, or not
	// what the hub lists: the same command will fail again.
	Refused Kind = iota
	// Unreachable is a hub that cannot be reached or gives no sensible answer:
	// the same command may go on later.
	Unreachable
	// Disk is a cache that cannot be written, such as a full one: when there is
	// room the same command goes on.
	Disk
)

// Error is a pull that failed: of what, why, and what to do.
type Error struct {
	Kind    Kind
	What    string // ORG/NAME, with the file where it is about one
	Problem string
	Hint    string // may be empty
}

// Error is all of it on one line.
func (e *Error) Error() string {
	text := "pull " + e.What + ": " + e.Problem
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// refuse is an error of kind Refused.
func refuse(what, hint, format string, args ...any) *Error {
	return &Error{Refused, what, fmt.Sprintf(format, args...), hint}
}

// temporary is a failure that trying again may mend, not before so long.
type temporary struct {
	error
	after time.Duration
}

// Unwrap gives the reason.
func (t temporary) Unwrap() error { return t.error }

// onDisk tells that the cache could not be written. What has come is kept.
func onDisk(what, cache string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &Error{Disk, what, fmt.Sprintf("no space is left in %s", cache), roomHint + "; then the same command goes on where it stopped"}
	}
	return &Error{Disk, what, err.Error(), "is " + cache + " a folder that you may write? HF_HOME names another place"}
}

// roomHint is what to do where a disk is full.
const roomHint = "free some, or set HF_HOME to a folder on another disk"

// printable is what a server said, fit for a terminal and not too long.
func printable(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return strings.TrimSpace(text)
}

// Text is a number of bytes for people, in the units of disks and downloads.
func Text(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
