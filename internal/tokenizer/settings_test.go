package tokenizer

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"testing"
	"testing/fstest"
)

// configCases is what testdata/golden_configs.py writes. Want is null where the reference refuses the folder.
type configCases struct {
	Strings []string
	Lengths []int
	Cases   []struct {
		Base        string
		Files       map[string]json.RawMessage
		AddedTokens json.RawMessage `json:"added_tokens"`
		Want        []uint32
	}
}

// TestSmallFilesAreReadAsTheReferenceDoes puts random small files on top of the vocabularies of testdata.
func TestSmallFilesAreReadAsTheReferenceDoes(t *testing.T) {
	f, err := os.Open("testdata/configs.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var g configCases
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) < 200 {
		t.Fatalf("only %d cases", len(g.Cases))
	}
	for i, c := range g.Cases {
		t.Run(fmt.Sprintf("%d on %s", i, c.Base), func(t *testing.T) {
			folder := fstest.MapFS{}
			for name, file := range readFolder(t, "testdata", c.Base) {
				switch name {
				case configFile, specialMapFile, oldAddedFile:
				case tokenizerFile:
					folder[name] = &fstest.MapFile{Data: withAddedTokens(t, file.Data, c.AddedTokens)}
				default:
					folder[name] = file
				}
			}
			for name, content := range c.Files {
				folder[name] = &fstest.MapFile{Data: content}
			}
			var tok Tokenizer
			var err error
			if c.Base[0] == 'c' {
				tok, err = OpenCLIP(folder)
			} else {
				tok, err = OpenT5(folder)
			}
			if (err != nil) != (c.Want == nil) {
				t.Fatalf("error %v, while the reference has ids: %t; %s", err, c.Want != nil, c.Files)
			}
			for j, want := range c.Want {
				s, n := g.Strings[j/len(g.Lengths)], g.Lengths[j%len(g.Lengths)]
				e := tok.Encode(s, n)
				if crc32.ChecksumIEEE(appendIDs(nil, e.IDs)) != want {
					t.Errorf("%+q at %d: got %d, whose checksum is wrong\n%s\nadded tokens %s", s, n, e.IDs, c.Files, c.AddedTokens)
				}
			}
		})
	}
}

func withAddedTokens(t *testing.T, file, added []byte) []byte {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(file, &object); err != nil {
		t.Fatal(err)
	}
	object["added_tokens"] = added
	b, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
