package sweep

import (
	"fmt"
	"strings"
	"testing"
)

// small is a grid with two values on every axis but one.
func small() *Grid {
	k := int64(3)
	return &Grid{
		Common:  Common{Program: "taca test", Width: 128, Height: 64, DType: "f32"},
		Prompts: []Prompt{{Text: "A red cube, to the left of: a blue sphere! and something longer than names are"}, {Text: "x", Name: "Zweite Zeile"}},
		Seeds:   []int64{0, 7}, LoRAs: []string{Off, "models/taca.safetensors:1"}, Steps: []int{4}, Guidance: []string{"1", "3.5"},
		Whens: []string{When(nil, "970"), When(&k, "")}, Gammas: []string{"1", "1.2"},
	}
}

// TestCells: every combination once, with its own name, gammas next to each
// other, prompts apart.
func TestCells(t *testing.T) {
	g := small()
	cells := g.Cells()
	if len(cells) != 64 || g.Size() != 64 {
		t.Fatalf("%d cells, foretold %d, want 2·2·2·1·2·2·2", len(cells), g.Size())
	}
	names := map[string]bool{}
	rows := map[string]int{}
	for i, c := range cells {
		names[g.File(c)] = true
		label := fmt.Sprint(c.Prompt, g.Label(c))
		if row, seen := rows[label]; seen && row != g.Row(c) {
			t.Errorf("cell %d is in row %d, its like in row %d", i, g.Row(c), row)
		}
		rows[label] = g.Row(c)
		if c.Index != i || c.Prompt != i/32 || c.Gamma != g.Gammas[i%2] {
			t.Errorf("cell %d is %+v", i, c)
		}
	}
	if len(names) != 64 || len(rows) != 32 {
		t.Errorf("%d names and %d rows, want 64 and 32", len(names), len(rows))
	}
	for i, want := range map[int]string{
		0:  "p000-a-red-cube-to-the-left-of-a-blue-sphere_s0_n4_c1_nolora_t970_g1.png",
		11: "p000-a-red-cube-to-the-left-of-a-blue-sphere_s0_n4_c1_lora1_k3_g1.2.png",
		63: "p001-zweite-zeile_s7_n4_c3.5_lora1_k3_g1.2.png",
	} {
		if got := g.File(cells[i]); got != want {
			t.Errorf("cell %d is called %s, want %s", i, got, want)
		}
	}
	if got, want := g.Label(cells[11]), "seed 0, LoRA taca.safetensors:1, guidance 1, first 3 steps"; got != want {
		t.Errorf("label %q, want %q", got, want)
	}
	if got, want := g.Shared(), "the embedded model, 128×64, 4 steps, f32"; got != want {
		t.Errorf("shared %q, want %q", got, want)
	}
}

// TestSeedsApart: where prompts have seeds of their own, no two begin with the
// same noise, and the cells of one prompt do.
func TestSeedsApart(t *testing.T) {
	g := small()
	g.Apart, g.Seeds = true, []int64{5}
	for _, c := range g.Cells() {
		if c.Seed != 5+int64(c.Prompt) {
			t.Errorf("cell %+v, want seed %d", c, 5+c.Prompt)
		}
	}
}

func TestNamesOfPrompts(t *testing.T) {
	g := &Grid{Prompts: []Prompt{{Text: "红色的球 🔴"}, {Text: "…"}, {Text: strings.Repeat("x", 99)}, {Text: "../../etc/passwd"}}}
	for i, want := range []string{"p000-红色的球", "p001", "p002", "p003-etc-passwd"} {
		if got := g.PromptFile(i); got != want {
			t.Errorf("%q is called %q, want %q", g.Prompts[i].Text, got, want)
		}
	}
}

// TestShards: every cell is in one shard, shards are stretches, and their work
// differs by no more than a cell's.
func TestShards(t *testing.T) {
	cells := small().Cells()
	work := func(c Cell) float64 { return map[string]float64{"1": 1, "3.5": 2}[c.Guidance] }
	for _, count := range []int{1, 2, 3, 7, 64, 100} {
		next := 0
		for i := range count {
			sum := 0.0
			for _, c := range (Shard{i, count}).Of(cells, work) {
				if c.Index != next {
					t.Fatalf("shard %d of %d has cell %d where %d comes next", i, count, c.Index, next)
				}
				next, sum = next+1, sum+work(c)
			}
			if fair := 96 / float64(count); sum < fair-2 || sum > fair+2 {
				t.Errorf("shard %d of %d has work %v, its share is %v", i, count, sum, fair)
			}
		}
		if next != len(cells) {
			t.Errorf("%d shards have %d of %d cells", count, next, len(cells))
		}
	}
}

func TestShardFrom(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{"", "0/1 "},
		{"SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=4", "0/4 SLURM_ARRAY_TASK_ID"},
		{"SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=4", "3/4 SLURM_ARRAY_TASK_ID"},
		{"SLURM_ARRAY_TASK_ID=6 SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=3", "2/3 SLURM_ARRAY_TASK_ID"},
		{"SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=3", "error the array has gaps"},
		{"SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=3", "error not in steps of 2"},
		{"SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_COUNT=3", `error SLURM_ARRAY_TASK_ID is "x"`},
		{"JOB_COMPLETION_INDEX=2 TACA_SHARDS=8", "2/8 JOB_COMPLETION_INDEX"},
		{"JOB_COMPLETION_INDEX=2", "error set TACA_SHARDS"},
		{"JOB_COMPLETION_INDEX=8 TACA_SHARDS=8", "error task 8 of 8"},
		{"TACA_SHARDS=8", "0/1 "},
	} {
		env := map[string]string{}
		for _, pair := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		s, from, err := ShardFrom(func(name string) string { return env[name] })
		got := fmt.Sprintf("%d/%d %s", s.Index, s.Count, from)
		if err != nil {
			got = "error " + err.Error()
		}
		if wrong, _ := strings.CutPrefix(c.want, "error "); got != c.want && !(err != nil && strings.Contains(got, wrong) && wrong != c.want) {
			t.Errorf("%s: %s, want %s", c.env, got, c.want)
		}
	}
	for _, bad := range []string{"", "1", "2/2", "-1/2", "0/0", "a/b", "1/2/3"} {
		if s, err := ParseShard(bad); err == nil {
			t.Errorf("%q was read as %v", bad, s)
		}
	}
	if s, err := ParseShard("1/2"); err != nil || s != (Shard{1, 2}) {
		t.Errorf("1/2 is %v (%v)", s, err)
	}
}
