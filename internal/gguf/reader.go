package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader takes a header apart. After the first error all it reads is 0.
type reader struct {
	data    []byte
	at      int
	limited bool // data is not the whole file
	err     error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// take is the next n bytes.
func (r *reader) take(n uint64) []byte {
	if left := uint64(len(r.data) - r.at); r.err == nil && n > left {
		if r.limited {
			r.fail("its header has more than %d bytes", largestHeader)
		} else {
			r.fail("it ends within its header, where %d bytes more should be", n-left)
		}
	}
	if r.err != nil {
		return nil
	}
	b := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

// number is the next n bytes as an integer.
func (r *reader) number(n uint64) uint64 {
	var all [8]byte
	copy(all[:], r.take(n))
	return binary.LittleEndian.Uint64(all[:])
}

func (r *reader) u32() uint32 { return uint32(r.number(4)) }
func (r *reader) u64() uint64 { return r.number(8) }

// mostName is the longest key there may be.
const mostName = 1<<16 - 1

// name is a key or a tensor's name, its length before it.
func (r *reader) name(what string) string {
	b := r.take(r.u64())
	if !utf8.Valid(b) || len(b) > mostName {
		r.fail("its header has %s of %d bytes that is no name", what, len(b))
		return ""
	}
	return string(b)
}

// The kinds of values.
const (
	boolKind, textKind, listKind = 7, 8, 9
	floatKind, doubleKind        = 6, 12
)

// widths is the bytes of numbers of each kind; 0 for what is none.
var widths = [...]uint64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// mostText is how much of a text is kept: nobody reads templates of chats.
const mostText = 1 << 10

// value reads a value of any kind, as text, and as integers if it is a short
// list of them.
func (r *reader) value() (text string, list []int) {
	kind := r.u32()
	switch {
	case int64(kind) >= int64(len(widths)):
		r.fail("its header has a value of the unknown kind %d", kind)
	case kind == textKind:
		if b := r.take(r.u64()); len(b) > mostText {
			text = fmt.Sprintf("%d bytes of text", len(b))
		} else {
			text = strings.ToValidUTF8(string(b), "?")
		}
	case kind == listKind:
		return r.list()
	default:
		text, _ = r.scalar(kind)
	}
	return text, nil
}

// scalar reads a number.
func (r *reader) scalar(kind uint32) (text string, n int) {
	width := widths[kind]
	v := r.number(width)
	switch kind {
	case boolKind:
		return strconv.FormatBool(v != 0), 0
	case floatKind:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v))), 'g', -1, 32), 0
	case doubleKind:
		return strconv.FormatFloat(math.Float64frombits(v), 'g', -1, 64), 0
	case 1, 3, 5, 11: // signed
		shift := 64 - 8*width
		s := int64(v<<shift) >> shift
		return strconv.FormatInt(s, 10), int(s)
	}
	return strconv.FormatUint(v, 10), int(min(v, math.MaxInt))
}

// list reads a list, of which only short ones of numbers are kept.
func (r *reader) list() (text string, list []int) {
	kind, n := r.u32(), r.u64()
	switch {
	case int64(kind) >= int64(len(widths)) || kind == listKind:
		r.fail("its header has a list of the unknown kind %d", kind)
		return "", nil
	case kind == textKind:
		for i := uint64(0); i < n && r.err == nil; i++ {
			r.take(r.u64())
		}
		return fmt.Sprintf("%d texts", n), nil
	case n > mostDims:
		if n > math.MaxInt64/8 {
			n = math.MaxInt64 / 8
		}
		r.take(n * widths[kind])
		return fmt.Sprintf("%d numbers", n), nil
	}
	list = []int{}
	for range n {
		_, v := r.scalar(kind)
		list = append(list, v)
	}
	return fmt.Sprint(list), list
}
