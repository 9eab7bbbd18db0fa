package sweep

import (
	"reflect"
	"strings"
	"testing"
)

func TestReadPrompts(t *testing.T) {
	rows := []Prompt{
		{Text: "a red cube, matte", Columns: map[string]string{"category": "colour", "weight": "2"}},
		{Text: "a \"big\" cone", Negative: "fog", Name: "cone", Columns: map[string]string{"category": "shape", "weight": ""}},
	}
	for file, content := range map[string]string{
		"p.csv": "\ufeffprompt,negative_prompt,name, category,weight\n\"a red cube, matte\",,,colour,2\r\n\"a \"\"big\"\" cone\",fog,cone,shape,\n",
		"p.TSV": "weight\tcategory\tprompt\tname\tnegative_prompt\n2\tcolour\ta red cube, matte\t\t\n\tshape\t\"a \"\"big\"\" cone\"\tcone\tfog\n",
		"p.jsonl": `{"prompt": "a red cube, matte", "category": "colour", "weight": 2}

{"prompt": "a \"big\" cone", "negative_prompt": "fog", "name": "cone", "category": "shape", "weight": ""}`,
	} {
		if got, err := ReadPrompts(file, []byte(content)); err != nil || !reflect.DeepEqual(got, rows) {
			t.Errorf("%s: %+v (%v), want %+v", file, got, err, rows)
		}
	}
	got, err := ReadPrompts("colour_val.txt", []byte("a red cube, matte\r\n\n  a \"big\" cone\n"))
	if err != nil || !reflect.DeepEqual(got, []Prompt{{Text: "a red cube, matte"}, {Text: `a "big" cone`}}) {
		t.Errorf("lines: %+v (%v)", got, err)
	}
	for _, c := range []struct{ file, content, want string }{
		{"a.txt", "\n \n", "no prompts"}, {"a.csv", "", "no column is called prompt"}, {"a.csv", "text\nx\n", "no column is called prompt"},
		{"a.csv", "prompt,b\nx\n", "wrong number of fields"}, {"a.csv", "prompt\n", "no prompts"},
		{"a.jsonl", "{}\n", `line 1: it has no "prompt"`}, {"a.jsonl", "{\"prompt\":\"x\"}\nnonsense", "line 2: "},
	} {
		if got, err := ReadPrompts(c.file, []byte(c.content)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %+v (%v), want an error that says %q", c.file, c.content, got, err, c.want)
		}
	}
}
