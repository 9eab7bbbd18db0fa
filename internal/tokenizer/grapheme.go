package tokenizer

// graphemeKind is the Grapheme_Cluster_Break property (UAX #29), with two more kinds for what other properties add.
type graphemeKind uint8

const (
	anyKind graphemeKind = iota
	control
	extend
	pictographic // Extended_Pictographic
	consonant    // Indic_Conjunct_Break=Consonant
	hangulLKind
	hangulVKind
	hangulTKind
	hangulLV
	hangulLVT
	prepend
	regional
	spacingMark
	joiner
	carriageReturn
	lineFeed
)

// graphemeNames are the names of the kinds in unicode.txt.
var graphemeNames = []string{
	anyKind: "Any", control: "Control", extend: "Extend", pictographic: "Extended_Pictographic",
	consonant: "InCB_Consonant", hangulLKind: "L", hangulVKind: "V", hangulTKind: "T", prepend: "Prepend",
	regional: "Regional_Indicator", spacingMark: "SpacingMark", joiner: "ZWJ",
}

func (t *characterTables) graphemeKind(r rune) graphemeKind {
	switch {
	case r >= 0x20 && r < 0x7F:
		return anyKind
	case r == '\r':
		return carriageReturn
	case r == '\n':
		return lineFeed
	case r >= hangulS && r < hangulS+countL*countV*countT:
		if (r-hangulS)%countT == 0 {
			return hangulLV
		}
		return hangulLVT
	}
	return graphemeKind(t.grapheme.at(r))
}

// clusterLen is the length in bytes of the first extended grapheme cluster of text.
func (t *characterTables) clusterLen(text string) int {
	var s clusterState
	for i, r := range text {
		kind := t.graphemeKind(r)
		if i > 0 && s.breaks(kind) {
			return i
		}
		s.advance(kind, t.conjunctLinker.has(r), t.conjunctExtend.has(r))
	}
	return len(text)
}

// clusterState is what the rules need to know about the cluster so far.
type clusterState struct {
	last      graphemeKind
	regionals int  // regional indicators just before
	picture   bool // a pictograph, then only Extend
	joined    bool // a pictograph, then only Extend, then one joiner
	conjunct  bool // a consonant, then only linkers and conjunct extenders
	linked    bool // at least one linker among them
}

func (s *clusterState) advance(kind graphemeKind, linker, extender bool) {
	s.last = kind
	if kind == regional {
		s.regionals++
	} else {
		s.regionals = 0
	}
	s.joined = kind == joiner && s.picture
	s.picture = kind == pictographic || kind == extend && s.picture
	switch {
	case linker:
		s.linked = s.conjunct
	case extender:
	default:
		s.conjunct, s.linked = kind == consonant, false
	}
}

// breaks says whether a cluster ends before a character of this kind, by the rules of UAX #29.
func (s *clusterState) breaks(kind graphemeKind) bool {
	switch s.last {
	case carriageReturn:
		return kind != lineFeed // GB3, GB4
	case control, lineFeed:
		return true // GB4
	}
	switch kind {
	case control, carriageReturn, lineFeed:
		return true // GB5
	case extend, joiner, spacingMark:
		return false // GB9, GB9a
	}
	if s.last == prepend || s.hangulJoins(kind) {
		return false // GB9b, GB6-8
	}
	switch kind {
	case consonant:
		return !(s.conjunct && s.linked) // GB9c
	case pictographic:
		return !s.joined // GB11
	case regional:
		return s.regionals%2 == 0 // GB12, GB13
	}
	return true // GB999
}

func (s *clusterState) hangulJoins(kind graphemeKind) bool {
	switch s.last {
	case hangulLKind:
		return kind == hangulLKind || kind == hangulVKind || kind == hangulLV || kind == hangulLVT // GB6
	case hangulLV, hangulVKind:
		return kind == hangulVKind || kind == hangulTKind // GB7
	case hangulLVT, hangulTKind:
		return kind == hangulTKind // GB8
	}
	return false
}
