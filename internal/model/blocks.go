package model

import (
	"fmt"
	"strconv"
	"strings"
)

// Blocks is some of a transformer's blocks, counted from 0 in the order they
// run, FLUX's single blocks after the double ones. The empty one is all of
// them.
type Blocks []blockRange

// blockRange is the blocks from first to last, both included.
type blockRange struct{ first, last int }

// ParseBlocks reads ranges such as "0-18,30".
func ParseBlocks(text string) (Blocks, error) {
	var all Blocks
	if text == "" {
		return all, nil
	}
	next := 0
	for _, part := range strings.Split(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 16)
		last, errLast := strconv.ParseUint(to, 10, 16)
		r := blockRange{int(first), int(last)}
		if err != nil || errLast != nil || r.last < r.first || r.first < next {
			return nil, fmt.Errorf("blocks %q: write ranges that rise, counted from 0, such as 0-18,30", text)
		}
		all, next = append(all, r), r.last+1
	}
	return all, nil
}

// Has reports whether block i is one of them.
func (b Blocks) Has(i int) bool {
	for _, r := range b {
		if r.first <= i && i <= r.last {
			return true
		}
	}
	return len(b) == 0
}

// Last is the highest block that is named, -1 where none is.
func (b Blocks) Last() int {
	if len(b) == 0 {
		return -1
	}
	return b[len(b)-1].last
}
