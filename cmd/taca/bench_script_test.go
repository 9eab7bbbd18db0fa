package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stand is an interpreter that says where and how it was started, and writes
// what the evaluators of T2I-CompBench do.
const stand = `#!/bin/sh
echo "$(basename "$PWD") $*" >> "$LOG"
for a; do case $a in --out_dir=*|--outpath=*) out=${a#*=} ;; esac; done
for f in annotation_blip/blip_vqa_score.txt annotation_clip/score_avg.txt annotation_num/score.txt annotation_3_in_1/vqa_score.txt \
    labels/annotation_obj_detection_2d/avg_score.txt labels/annotation_obj_detection_3d/avg_result.txt; do
    mkdir -p "$out/$(dirname $f)"; echo "score of $f" > "$out/$f"
done
`

// TestCompBenchScript: each category gets its evaluators, with the flags their
// code takes, in their own folders; what is not finished is refused.
func TestCompBenchScript(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("python", stand, 0o777)
	put("out/compbench.json", "{}", 0o666)
	for _, folder := range []string{"BLIPvqa_eval", "UniDet_eval", "CLIPScore_eval", "3_in_1_eval"} {
		put("official/"+folder+"/BLIP_vqa.py", "", 0o666)
	}
	for _, c := range []string{"color", "complex", "spatial", "3d_spatial", "non_spatial", "numeracy"} {
		put("out/"+c+"/samples/x_000000.png", "", 0o666)
	}
	run := func(args ...string) (string, error) {
		c := exec.Command("../../scripts/compbench", args...)
		c.Env = append(os.Environ(), "PYTHON="+filepath.Join(dir, "python"), "LOG="+filepath.Join(dir, "log"))
		out, err := c.CombinedOutput()
		return string(out), err
	}
	official, pictures := filepath.Join(dir, "official"), filepath.Join(dir, "out")
	if out, err := run("-n", official, pictures+"/"); err != nil || strings.Count(out, "+ (cd ") != 9 || strings.Contains(out, "//") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); err == nil {
		t.Error("-n ran something")
	}
	out, err := run(official, pictures, "complex", "3d_spatial")
	if err != nil || !strings.HasSuffix(out, "complex: score of annotation_3_in_1/vqa_score.txt\n3d_spatial: score of labels/annotation_obj_detection_3d/avg_result.txt\n") {
		t.Errorf("%v: %s", err, out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	want := strings.NewReplacer("OUT", pictures, "OFFICIAL", official).Replace(`BLIPvqa_eval BLIP_vqa.py --out_dir=OUT/complex
UniDet_eval 2D_spatial_eval.py --outpath=OUT/complex --complex=True
CLIPScore_eval CLIP_similarity.py --outpath=OUT/complex --complex=True
3_in_1_eval 3_in_1.py --outpath=OUT/complex --data_path=OFFICIAL/examples/dataset
UniDet_eval 3D_spatial_eval.py --outpath=OUT/3d_spatial
`)
	if err != nil || string(log) != want {
		t.Errorf("it started\n%swant\n%s(%v)", log, want, err)
	}
	put("out/unfinished-0-of-1/lock", "", 0o666)
	if out, err := run(official, pictures); err == nil || !strings.Contains(out, "is not finished: give taca bench compbench the same command again") {
		t.Errorf("%v: %s", err, out)
	}
}
