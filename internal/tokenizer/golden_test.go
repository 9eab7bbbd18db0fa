package tokenizer

import (
	"compress/gzip"
	"encoding/json"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// golden is what scripts/golden_tokens.py writes.
type golden struct {
	Lengths  []int
	Contexts []string
	Block    int
	Strings  []string
	Folders  []struct {
		Name  string
		Kind  string
		IDs   [][]int32
		Fixed [][]uint32
		Sweep [][]uint32
	}
}

// roots are the directories that hold a golden.json.gz and the folders it is about. TACA_TOKENS names one more, for
// vocabularies too large to be kept here.
func roots() []string {
	if more := os.Getenv("TACA_TOKENS"); more != "" {
		return []string{"testdata", more}
	}
	return []string{"testdata"}
}

func readGolden(t *testing.T, root string) *golden {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "golden.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.NewDecoder(z).Decode(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// readFolder is a folder under root, its compressed files unpacked.
func readFolder(t testing.TB, root, name string) fstest.MapFS {
	t.Helper()
	folder := fstest.MapFS{}
	paths, err := filepath.Glob(filepath.Join(root, "folders", name, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s of %s: %v", name, root, err)
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		folder[strings.TrimSuffix(filepath.Base(path), ".gz")] = &fstest.MapFile{Data: b}
	}
	return folder
}

func open(t testing.TB, fsys fs.FS, kind string) Tokenizer {
	t.Helper()
	tok, err := map[string]func(fs.FS) (Tokenizer, error){"clip": OpenCLIP, "t5": OpenT5}[kind](fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// appendIDs writes ids as the golden script does before it takes a checksum.
func appendIDs(b []byte, ids []int32) []byte {
	for _, id := range ids {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return b
}

// all is the ids of text without padding and truncation.
func all(tok Tokenizer, text string) []int32 {
	p := tok.(*pipeline)
	ids := slices.Clone(p.begin)
	for _, t := range p.tokens(text) {
		ids = append(ids, t.id)
	}
	return append(ids, p.end...)
}

func TestIDsEqualReference(t *testing.T) {
	for _, root := range roots() {
		g := readGolden(t, root)
		if len(g.Strings) < 400 || len(g.Folders) == 0 {
			t.Fatalf("%s: only %d strings for %d folders", root, len(g.Strings), len(g.Folders))
		}
		for i, f := range g.Folders {
			t.Run(f.Name, func(t *testing.T) { compareFolder(t, g, i, open(t, readFolder(t, root, f.Name), f.Kind)) })
		}
	}
}

func compareFolder(t *testing.T, g *golden, folder int, tok Tokenizer) {
	f := g.Folders[folder]
	wrong := 0
	for i, s := range g.Strings {
		if got := all(tok, s); !slices.Equal(got, f.IDs[i]) {
			if wrong++; wrong <= 10 {
				t.Errorf("%+q:\n got %d\nwant %d", s, got, f.IDs[i])
			}
		}
		for j, n := range g.Lengths {
			e := tok.Encode(s, n)
			if got := crc32.ChecksumIEEE(appendIDs(nil, e.IDs)); got != f.Fixed[i][j] {
				if wrong++; wrong <= 10 {
					t.Errorf("%+q at %d: got %d, whose checksum is wrong", s, n, e.IDs)
				}
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d encodings differ", wrong, len(g.Strings)*(1+len(g.Lengths)))
	}
}

// TestAllOfUnicode compares every character, alone and among others.
func TestAllOfUnicode(t *testing.T) {
	if testing.Short() {
		t.Skip("takes about 10 s of CPU time")
	}
	blocks := 0
	g := readGolden(t, "testdata")
	for _, f := range g.Folders {
		blocks += len(f.Sweep)
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			tok := open(t, readFolder(t, "testdata", f.Name), f.Kind)
			for _, row := range f.Sweep {
				lo := int(row[0])
				for i, context := range g.Contexts {
					if got := sweepBlock(tok, lo, lo+g.Block, context); got != row[1+i] {
						t.Errorf("%U..%U in context %q: ids differ", lo, lo+g.Block-1, context)
					}
				}
			}
		})
	}
	if blocks == 0 {
		t.Error("the golden file has no sweep")
	}
}

func sweepBlock(tok Tokenizer, lo, hi int, context string) uint32 {
	var b []byte
	for c := lo; c < hi; c++ {
		if c < 0xD800 || c >= 0xE000 {
			b = appendIDs(b, all(tok, strings.ReplaceAll(context, "{}", string(rune(c)))))
		}
	}
	return crc32.ChecksumIEEE(b)
}
