package sweep

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"taca/internal/fuzztest"
)

// FuzzReadPrompts: whatever a file of prompts is called and holds, an error, or
// prompts whose pictures have names of their own in one folder. What was read of
// a file of text is read again from JSON lines.
func FuzzReadPrompts(f *testing.F) {
	f.Add("p.csv", []byte("\ufeffprompt,negative_prompt,name, category\n\"a red cube, matte\",,,colour\r\n"))
	f.Add("p.tsv", []byte("prompt\tprompt\ta\nx\ty\tz\n"))
	f.Add("p.jsonl", []byte(`{"prompt": "a cone", "weight": [1e999], "name": "../../x"}`+"\n\n"+`{"prompt": null}`))
	f.Add("p", []byte("a fox\r\n\x00\n"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		var prompts []Prompt
		var err error
		fuzztest.Bounded(t, 1<<16, 1<<10, len(name)+len(content), func() { prompts, err = ReadPrompts(name, content) })
		if err != nil {
			return
		}
		g := &Grid{Prompts: prompts, Seeds: []int64{0}, Steps: []int{1}, Guidance: []string{"1"}, Whens: []string{""}, Gammas: []string{"1"}}
		named := map[string]bool{}
		for _, c := range g.Cells() {
			file := g.File(c)
			if named[file] || filepath.Base(file) != file || len(file) > 255 {
				t.Errorf("prompt %q is painted into %q", prompts[c.Prompt].Text, file)
			}
			named[file] = true
		}
		if !utf8.Valid(content) {
			return
		}
		var lines bytes.Buffer
		for _, p := range prompts {
			columns := map[string]string{promptColumn: p.Text}
			for key, value := range p.Columns {
				columns[key] = value
			}
			for key, value := range map[string]string{negativeColumn: p.Negative, nameColumn: p.Name} {
				if value != "" {
					columns[key] = value
				}
			}
			if err := json.NewEncoder(&lines).Encode(columns); err != nil {
				t.Fatal(err)
			}
		}
		if again, err := ReadPrompts("x.jsonl", lines.Bytes()); err != nil || !reflect.DeepEqual(prompts, again) {
			t.Errorf("%+v became %+v (%v)", prompts, again, err)
		}
	})
}

// FuzzDecimals: whatever an axis says, an error, or different decimals that stay
// what they are when they are read again.
func FuzzDecimals(f *testing.F) {
	f.Add("1:1.6:0.2,2")
	f.Add("0:1e30:1")
	f.Add("-.5:+000.5:00.1,7.")
	f.Add("0:999999999999999999999999999999:0.000000000000000000000000000001")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<10 {
			return
		}
		var values []string
		var err error
		fuzztest.Bounded(t, 64<<20, 1<<10, len(text), func() { values, err = Decimals(text) }) // mostValues of thirty digits each
		if err != nil {
			return
		}
		if len(values) == 0 || len(values) > mostValues {
			t.Errorf("%q is %d values", text, len(values))
		}
		again, err := Decimals(strings.Join(values, ","))
		if err != nil || !slices.Equal(values, again) {
			t.Errorf("%q became %q (%v)", values, again, err)
		}
	})
}

// FuzzResults: whatever lies in a folder as results and as its grid, results are
// lines that are written and read again as they were, and another grid than ours
// is refused as such.
func FuzzResults(f *testing.F) {
	f.Add([]byte(`{"index":0,"file":"cells/x.png","seed":1,"guidance":1.5,"metrics":{"rms_to_gamma_1":0.1},"settings":{"a":[1]},"seconds":{"total":3}}`), []byte(`{"program":"taca","prompts":[{"prompt":"x"}]}`))
	f.Add([]byte("{\"index\":1,\"fi"), []byte(`{"program":{"a":1},"a":2,"program":[]}`))
	f.Fuzz(func(t *testing.T, results, grid []byte) {
		fuzztest.Bounded(t, 1<<16, 1<<9, len(results)+len(grid), func() {
			found := readResults(results)
			for index, r := range found {
				line, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				again, err := json.Marshal(readResults(line)[index])
				if err != nil || !bytes.Equal(line, again) {
					t.Errorf("%s became %s (%v)", line, again, err)
				}
			}
			err := SameSettings("x", grid, []byte(`{"program":"taca","prompts":[{"prompt":"x"}]}`))
			if _, refused := err.(*Refused); err != nil && !refused {
				t.Errorf("error %v of another kind", err)
			}
		})
	})
}
