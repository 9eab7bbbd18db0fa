package main

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/gguf/gguftest"
	"taca/internal/tensor"
)

// TestMain lets the test binary be the real program for the scripts. Nothing is
// kept in the caches of whoever runs the tests, nor found there.
func TestMain(m *testing.M) {
	if _, given := os.LookupEnv(conditioningVariable); !given {
		if err := os.Setenv(conditioningVariable, "off"); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){"taca": main})
}

// TestScripts runs testdata/*.txtar against the real program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			// No terminal, no caches and no presets of whoever runs the tests.
			e.Setenv("HF_HOME", filepath.Join(e.WorkDir, "hub"))
			for _, name := range []string{"TACA_MODELS", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"} {
				e.Setenv(name, "")
			}
			e.Setenv(conditioningVariable, "off")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fails":    fails,
			"model":    putModel,
			"single":   putSingle,
			"cut":      cut,
			"patch":    patch,
			"replace":  replace,
			"adapter":  putAdapter,
			"tensors":  putTensors,
			"nothing":  nothing,
			"readonly": readonly,
			"shared":   shared,
			"gguf":     toGGUF,
			"hub":      hubOf(t),

			"original.gguf": putOriginalGGUF,
			"scaled":        putScaled,
			"mask":          putMask,
			"jpeg":          asJPEG,
			"sample":        putSample,
			"without":       dropTensors,
		},
	})
}

// fails CODE COMMAND...: the command ends with that exit code.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("%s: %v, want exit code %d", strings.Join(args[1:], " "), err, want)
	}
}

// model DIR: the embedded model as a folder.
func putModel(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), demo.Folder().FS()))
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		return errors.Join(err, os.Chmod(path, 0o755))
	}))
}

// cut FILE BYTES: the file loses its last bytes.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-n))
}

// patch FILE OFFSET HEX: bytes are overwritten; a negative offset counts from
// the end.
func patch(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	bytes, err := hex.DecodeString(args[2])
	ts.Check(err)
	data, err := os.ReadFile(path)
	ts.Check(err)
	if at < 0 {
		at += len(data)
	}
	copy(data[at:], bytes)
	ts.Check(os.WriteFile(path, data, 0o644))
}

// replace FILE OLD NEW: the first OLD in the file becomes NEW, of the same
// length.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	old, new := args[1], args[2]
	if !strings.Contains(string(data), old) || strings.HasSuffix(path, ".safetensors") && len(old) != len(new) {
		ts.Fatalf("%s: no %q to replace by as many bytes", args[0], old)
	}
	ts.Check(os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o644))
}

// adapter FILE MODULE: a LoRA of rank 2 for one 256×256 layer.
func putAdapter(ts *testscript.TestScript, _ bool, args []string) {
	const rank, width = 2, 256
	down, up := make([]float32, rank*width), make([]float32, width*rank)
	for i := range down {
		down[i], up[i] = float32(i%7-3)/8, float32(i%5-2)/8
	}
	ts.Check(checkpoint.Write(ts.MkAbs(args[0]), []checkpoint.Tensor{
		checkpoint.FromFloats(args[1]+".lora_A.weight", []int{rank, width}, down),
		checkpoint.FromFloats(args[1]+".lora_B.weight", []int{width, rank}, up),
	}, nil))
}

// gguf DIR FORMAT: the safetensors file in a folder becomes a GGUF file of that
// format, Q8_0 or Q4_K.
func toGGUF(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.safetensors"))
	ts.Check(err)
	file, err := checkpoint.OpenFile(found[0])
	ts.Check(err)
	d, _ := tensor.ParseDType(args[1])
	blocks, err := gguftest.Convert(file, d)
	ts.Check(err)
	ts.Check(os.WriteFile(strings.TrimSuffix(found[0], "safetensors")+"gguf", gguftest.File(blocks, nil), 0o644))
	ts.Check(file.Close())
	ts.Check(os.Remove(found[0]))
}

// tensors FILE NAME=ROWSxCOLS...: a safetensors file of F32; a shape without
// numbers is a scalar's.
func putTensors(ts *testscript.TestScript, _ bool, args []string) {
	var tensors []checkpoint.Tensor
	for _, arg := range args[1:] {
		name, sizes, _ := strings.Cut(arg, "=")
		var shape []int
		n := 1
		for _, size := range strings.FieldsFunc(sizes, func(r rune) bool { return r == 'x' }) {
			d, err := strconv.Atoi(size)
			ts.Check(err)
			shape, n = append(shape, d), n*d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32((i*i+len(name))%9-3) / 8
		}
		tensors = append(tensors, checkpoint.FromFloats(name, shape, values))
	}
	ts.Check(checkpoint.Write(ts.MkAbs(args[0]), tensors, nil))
}

// nothing GLOB: no such file exists, not even a temporary one.
func nothing(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) > 0 {
		ts.Fatalf("left behind: %v", found)
	}
}

// readonly DIR: a folder nobody can write in, root included.
func readonly(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Symlink("/proc/self", ts.MkAbs(args[0])))
}

// shared GLOB MODE: the files exist and have that mode.
func shared(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	want, err := strconv.ParseUint(args[1], 8, 32)
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("no %s", args[0])
	}
	for _, path := range found {
		info, err := os.Stat(path)
		ts.Check(err)
		if info.Mode().Perm() != fs.FileMode(want) {
			ts.Fatalf("%s: mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}
