package pipeline_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// TestEncodersVersion: where this program's encoders give other bits than the
// program did that is told in testdata/encoders.json, results that users have
// on disk are not what would come out now. They must not be found any more:
// raise encodersVersion, and write what TACA_RECORD=1 does. Arithmetic that the
// file does not know, such as another compiler's, is not compared. The encoders
// are random ones, both CLIPs and T5 with heads of 64: no training changes them.
func TestEncodersVersion(t *testing.T) {
	const path = "testdata/encoders.json"
	const model = "sd35-large"
	folder, err := checkpoint.OpenFolder(openGolden(t, model).planned(t, model))
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]string{}
	for _, isa := range cpu.Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			s := setting{folder: folder, cache: t.TempDir(), isa: isa, config: pipeline.Config{DType: d}}
			arithmetic := ""
			s.use(t, func(p *pipeline.Pipeline, b *binder) {
				arithmetic = b.Arithmetic() + ", " + d.String()
				r := recalled()
				r.Guidance = 1 // one prompt
				if _, err := p.Read(t.Context(), r, nil); err != nil {
					t.Fatal(err)
				}
			})
			now[arithmetic] = numbers(t, s.cache)
		}
	}
	if os.Getenv("TACA_RECORD") != "" {
		text, err := json.MarshalIndent(now, "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var recorded map[string]string
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &recorded)
	}
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for arithmetic, digest := range now {
		if want, known := recorded[arithmetic]; known && want != digest {
			t.Errorf("%s: the encoders' bits are others: raise encodersVersion in recall.go, then TACA_RECORD=1 go test -run EncodersVersion ./internal/pipeline", arithmetic)
		} else if known {
			compared++
		}
	}
	t.Logf("%d of %d compared", compared, len(now))
}

// numbers is a digest of what the one entry of a cache holds, whatever its name.
func numbers(t *testing.T, cache string) string {
	t.Helper()
	entries := kept(t, cache)
	all := sha256.New()
	for name, data := range entries {
		f, err := checkpoint.OpenBytes(name, data)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d entries (%v)", len(entries), err)
		}
		for _, tensor := range f.Names() {
			raw, _ := f.Tensor(tensor)
			all.Write(raw.Bytes)
		}
	}
	return hex.EncodeToString(all.Sum(nil))
}
