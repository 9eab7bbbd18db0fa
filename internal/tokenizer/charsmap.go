package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// charsmap is the normaliser that a sentencepiece model carries: a double-array trie (darts-clone) from character
// sequences to offsets of their NUL-terminated images.
type charsmap struct {
	trie   []uint32
	images string
}

// maxCluster is the length in bytes from which the reference looks at a cluster's characters one by one.
const maxCluster = 6

// parseCharsmap reads a precompiled charsmap: the trie's size in bytes as a little-endian uint32, the trie, the images.
func parseCharsmap(b []byte) (*charsmap, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("charsmap has %d bytes, too few for its header", len(b))
	}
	units := binary.LittleEndian.Uint32(b) / 4
	b = b[4:]
	if units == 0 {
		return nil, errors.New("charsmap has an empty trie")
	}
	if uint64(units)*4 > uint64(len(b)) {
		return nil, fmt.Errorf("charsmap declares a trie of %d units, but only %d bytes follow", units, len(b))
	}
	m := &charsmap{trie: make([]uint32, units)}
	for i := range m.trie {
		m.trie[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	b = b[4*units:]
	if !utf8.Valid(b) {
		return nil, errors.New("charsmap holds images that are not UTF-8")
	}
	m.images = string(b)
	return m, nil
}

// image is what chunk becomes. The reference takes the shortest entry that starts chunk and drops the rest of chunk.
func (m *charsmap) image(chunk string) (string, bool) {
	node := uint64(0)
	unit := m.trie[0]
	node ^= unitOffset(unit)
	for i := 0; i < len(chunk) && chunk[i] != 0; i++ {
		node ^= uint64(chunk[i])
		if node >= uint64(len(m.trie)) {
			return "", false
		}
		unit = m.trie[node]
		if unit&(1<<31|0xFF) != uint32(chunk[i]) {
			return "", false
		}
		node ^= unitOffset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if node >= uint64(len(m.trie)) {
			return "", false
		}
		start := m.trie[node] &^ (1 << 31)
		if uint64(start) > uint64(len(m.images)) {
			return "", false
		}
		image, _, _ := strings.Cut(m.images[start:], "\x00")
		return image, true
	}
	return "", false
}

// unitOffset is the distance to a unit's children.
func unitOffset(unit uint32) uint64 { return uint64(unit>>10) << (unit & (1 << 9) >> 6) }

// normalize maps each short grapheme cluster as a whole where the map has an entry for it, else its characters.
func (m *charsmap) normalize(a aligned) aligned {
	t := unicodeTables()
	var b alignedBuilder
	for i := 0; i < len(a.text); {
		n := t.clusterLen(a.text[i:])
		m.addCluster(&b, a.slice(i, i+n))
		i += n
	}
	return b.aligned()
}

func (m *charsmap) addCluster(b *alignedBuilder, cluster aligned) {
	if len(cluster.text) < maxCluster {
		if image, ok := m.image(cluster.text); ok {
			b.addString(image, cluster.at[0])
			return
		}
	}
	for i, r := range cluster.text {
		if image, ok := m.image(cluster.text[i : i+utf8.RuneLen(r)]); ok {
			b.addString(image, cluster.at[i])
		} else {
			b.add(r, cluster.at[i])
		}
	}
}
