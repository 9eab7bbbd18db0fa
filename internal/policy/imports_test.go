package policy

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "taca/"

// mayImport is which of our packages each package may import outside its
// tests. A name that ends in a slash stands for all packages below it. The
// seam imports nothing; models know no backend, backends no model.
var mayImport = map[string][]string{
	"internal/tensor":            {},
	"internal/tensor/opstest":    {"internal/tensor"},
	"internal/dry":               {"internal/tensor", "internal/mapping"},
	"internal/cpu":               {"internal/tensor", "internal/mapping", "internal/residency"},
	"internal/cuda":              {"internal/tensor", "internal/mapping", "internal/cuda/driver", "internal/residency", "kernels"},
	"internal/cuda/driver":       {},
	"internal/cuda/nvml":         {},
	"internal/residency":         {},
	"kernels":                    {},
	"internal/atomicfile":        {},
	"internal/mapping":           {},
	"internal/ram":               {},
	"internal/checkpoint":        {"internal/tensor", "internal/atomicfile", "internal/mapping", "internal/gguf"},
	"internal/gguf":              {"internal/tensor"},
	"internal/gguf/gguftest":     {"internal/tensor", "internal/gguf", "internal/checkpoint"},
	"internal/hub":               {"internal/checkpoint"},
	"internal/hub/hubtest":       {},
	"internal/fuzztest":          {},
	"internal/conditioning":      {"internal/atomicfile", "internal/checkpoint"},
	"internal/dialect":           {"internal/checkpoint"},
	"internal/assembly":          {"internal/checkpoint", "internal/dialect", "configs"},
	"internal/quantise":          {"internal/tensor", "internal/checkpoint"},
	"internal/convert":           {"internal/tensor", "internal/checkpoint", "internal/dialect", "internal/quantise", "internal/atomicfile", "internal/mapping"},
	"internal/trace":             {"internal/tensor", "internal/checkpoint"},
	"internal/model":             {"internal/tensor"},
	"internal/model/nn":          {"internal/tensor", "internal/checkpoint", "internal/model"},
	"internal/model/flux":        family,
	"internal/model/sd3":         family,
	"internal/model/clip":        family,
	"internal/model/t5":          family,
	"internal/model/vae":         family,
	"internal/model/modeltest":   forTests,
	"internal/model/encodertest": forTests,
	"internal/attention":         {"internal/tensor", "internal/model"},
	"internal/attention/report":  {"internal/tensor", "internal/model", "internal/attention", "internal/figure"},
	"internal/lora":              {"internal/tensor", "internal/checkpoint", "internal/dialect", "internal/model/nn", "internal/demo"}, // the last for its adapter
	"internal/sampler":           {"internal/tensor", "internal/model"},
	"internal/tokenizer":         {},
	"internal/picture":           {"internal/atomicfile"},
	"internal/demo":              {"internal/checkpoint"},
	"internal/checker":           {"internal/tensor", "internal/checkpoint", "internal/dry", "internal/model/nn"},
	"internal/sweep":             {"internal/atomicfile", "internal/figure"},
	"internal/figure":            {},
	"internal/compbench":         {"internal/atomicfile", "internal/sweep"},
	"internal/minibench":         {"internal/checker", "internal/demo", "internal/figure"},
	"internal/policy":            {"kernels"},
	"internal/pipeline": {
		"internal/tensor", "internal/checkpoint", "internal/dry", "internal/tokenizer",
		"internal/model", "internal/model/", "internal/lora", "internal/sampler", "internal/quantise", "internal/atomicfile",
		"internal/conditioning", "internal/attention", "internal/convert", "internal/mapping",
	},
	"internal/dialect/dialecttest": {"internal/checkpoint", "internal/dialect"},

	"configs":  {},
	"cmd/taca": {"internal/", "configs", "internal/tensor/opstest"}, // the last for selftest
}

var (
	family = []string{"internal/tensor", "internal/checkpoint", "internal/model", "internal/model/nn"}
	// forTests are packages that only tests import, so they may open devices.
	forTests = []string{
		"internal/tensor", "internal/tensor/opstest", "internal/dry", "internal/cpu", "internal/cuda", "internal/checkpoint",
		"internal/trace", "internal/model", "internal/model/nn", "internal/model/modeltest",
	}
)

// testPackages may be imported by tests, and by each other.
var testPackages = []string{"internal/tensor/opstest", "internal/model/modeltest", "internal/model/encodertest", "internal/dialect/dialecttest", "internal/gguf/gguftest", "internal/hub/hubtest", "internal/fuzztest"}

// devices are the packages of backends: everybody else speaks tensor.Ops.
var devices = []string{"internal/cpu", "internal/cuda", "internal/cuda/driver"}

// withC are the packages that hold C: the devices, and what must not crash in
// their C when a file's pages are gone.
var withC = append([]string{"internal/mapping"}, devices...)

// imported is the paths of s's imports.
func imported(t *testing.T, s source) []string {
	t.Helper()
	var paths []string
	for _, spec := range s.tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		allowed, known := mayImport[s.folder()]
		if !known {
			t.Errorf("%s: package %s has no row in mayImport: say what it may import", s.path, s.folder())
			continue
		}
		for _, p := range imported(t, s) {
			if ours, ok := strings.CutPrefix(p, module); ok && !allows(allowed, ours) {
				t.Errorf("%s: %s may not import %s", s.path, s.folder(), ours)
			}
		}
	}
}

func allows(rows []string, name string) bool {
	return slices.ContainsFunc(rows, func(row string) bool {
		return row == name || strings.HasSuffix(row, "/") && strings.HasPrefix(name, row) && !slices.Contains(testPackages, name)
	})
}

// openers is the files of the program that name devices: what all builds have,
// and what differs between them.
const openers = "cmd/taca/backend"

func TestOpenedInOnePlace(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || strings.HasPrefix(s.path, openers) || strings.HasPrefix(s.folder(), "internal/cuda") || slices.Contains(testPackages, s.folder()) {
			continue
		}
		for _, p := range imported(t, s) {
			if ours, ok := strings.CutPrefix(p, module); ok && slices.Contains(devices, ours) {
				t.Errorf("%s imports %s: only %s*.go opens devices", s.path, ours, openers)
			}
		}
	}
}

func TestC(t *testing.T) {
	for _, s := range sources(t) {
		if slices.Contains(imported(t, s), "C") && !slices.Contains(withC, s.folder()) {
			t.Errorf("%s imports C, which only %s may", s.path, strings.Join(withC, " and "))
		}
	}
}

// TestRows sees that mayImport has no row for a package that is gone.
func TestRows(t *testing.T) {
	there := map[string]bool{}
	for _, name := range committed(t) {
		there[path.Dir(name)] = true
	}
	for folder := range mayImport {
		if !there[folder] {
			t.Errorf("mayImport has a row for %s, which does not exist", folder)
		}
	}
}

func TestAllows(t *testing.T) {
	rows := []string{"internal/tensor", "internal/model/"}
	for name, want := range map[string]bool{
		"internal/tensor": true, "internal/tensor/opstest": false, "internal/model/flux": true,
		"internal/model": false, "internal/model/modeltest": false, "internal/cpu": false,
	} {
		if allows(rows, name) != want {
			t.Errorf("allows(%v, %s) is %v", rows, name, !want)
		}
	}
}
