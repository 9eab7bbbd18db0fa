package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestKubernetesJob: the example is a job whose parts are as many as it says,
// and whose command sweep understands.
func TestKubernetesJob(t *testing.T) {
	text, err := os.ReadFile("../../scripts/sweep.k8s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Spec struct {
			CompletionMode string `yaml:"completionMode"`
			Completions    int
			Template       struct {
				Spec struct {
					Containers []struct {
						Command, Args []string
						Env           []struct{ Name, Value string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &job); err != nil {
		t.Fatal(err)
	}
	if job.Spec.CompletionMode != "Indexed" || job.Spec.Completions < 2 {
		t.Errorf("%s job of %d", job.Spec.CompletionMode, job.Spec.Completions)
	}
	container := job.Spec.Template.Spec.Containers[0]
	if strings.Join(container.Command, " ") != "taca sweep" {
		t.Errorf("it runs %v", container.Command)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prompts.csv"), []byte("prompt\na fox\na hen\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.ReplaceAll(strings.Join(container.Args, "\n"), "--device\ncuda", "--device\ncpu"), "\n")
	c := program(t, dir, append(append([]string{"sweep"}, args...), "--dry-run")...)
	c.Env = append(os.Environ(), "JOB_COMPLETION_INDEX=1")
	for _, e := range container.Env {
		c.Env = append(c.Env, e.Name+"="+e.Value)
	}
	out, err := c.CombinedOutput()
	if want := fmt.Sprintf("night/shard-1-of-%d/cells/p000-a-fox_s0_n28_c3.5_t970_g1.", job.Spec.Completions); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("it says %s (%v), want %s", out, err, want)
	}
}
