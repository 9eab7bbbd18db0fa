package sweep

import (
	"fmt"
	"strconv"
	"strings"
)

// Shard is a part of a sweep's cells: the Index-th, from 0, of Count.
type Shard struct {
	Index int `json:"index"`
	Count int `json:"count"`
}

// Whole reports whether the shard is all of the sweep.
func (s Shard) Whole() bool { return s.Count == 1 }

// Folder is where a shard lies inside the sweep's folder; the whole is the
// folder itself.
func (s Shard) Folder() string {
	if s.Whole() {
		return "."
	}
	return fmt.Sprintf("%s%d-of-%d", shardPrefix, s.Index, s.Count)
}

const shardPrefix = "shard-"

// CountVariable says how many tasks there are where the engine does not.
const CountVariable = "TACA_SHARDS"

// ParseShard reads "i/n", with i from 0.
func ParseShard(text string) (Shard, error) {
	index, count, _ := strings.Cut(text, "/")
	i, err := strconv.Atoi(index)
	n, errCount := strconv.Atoi(count)
	if err != nil || errCount != nil || i < 0 || n < 1 || i >= n {
		return Shard{}, fmt.Errorf("shard %q: write i/n, the i-th of n from 0, such as 0/4", text)
	}
	return Shard{i, n}, nil
}

// ShardFrom is the shard that the engine which started the program means:
// a task of a Slurm array, or a pod of a Kubernetes indexed job. Without one it
// is the whole. from says which variable decided.
func ShardFrom(getenv func(string) string) (s Shard, from string, err error) {
	const slurm, kubernetes = "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"
	number := func(name string, otherwise int) int {
		text := getenv(name)
		if text == "" {
			return otherwise
		}
		n, bad := strconv.Atoi(text)
		if bad != nil && err == nil {
			err = fmt.Errorf("%s is %q, no number: give --shard i/n", name, text)
		}
		return n
	}
	switch {
	case getenv(slurm) != "":
		from = slurm
		id, first, step := number(slurm, 0), number("SLURM_ARRAY_TASK_MIN", 0), max(number("SLURM_ARRAY_TASK_STEP", 1), 1)
		s = Shard{(id - first) / step, number("SLURM_ARRAY_TASK_COUNT", number(CountVariable, 0))}
		if err == nil && (id-first)%step != 0 {
			err = fmt.Errorf("%s %d is not in steps of %d from %d: give --shard i/n", slurm, id, step, first)
		}
	case getenv(kubernetes) != "":
		from = kubernetes
		s = Shard{number(kubernetes, 0), number(CountVariable, 0)}
	default:
		return Shard{0, 1}, "", nil
	}
	if err == nil && s.Count < 1 {
		err = fmt.Errorf("%s is set, but not how many tasks there are: set %s to the job's completions, or give --shard i/n", from, CountVariable)
	}
	if err == nil && (s.Index < 0 || s.Index >= s.Count) {
		err = fmt.Errorf("%s makes this task %d of %d: the array has gaps; give --shard i/n", from, s.Index, s.Count)
	}
	return s, from, err
}

// Of is the shard's cells. Shards are stretches of about equal work, so that
// each reads few prompts; work is what a cell takes, in any unit.
func (s Shard) Of(cells []Cell, work func(Cell) float64) []Cell {
	total := 0.0
	for _, c := range cells {
		total += work(c)
	}
	var mine []Cell
	before := 0.0
	for _, c := range cells {
		w := work(c)
		middle := (before + w/2) / total // a cell belongs where its middle lies
		if at := min(int(middle*float64(s.Count)), s.Count-1); at == s.Index {
			mine = append(mine, c)
		}
		before += w
	}
	return mine
}
