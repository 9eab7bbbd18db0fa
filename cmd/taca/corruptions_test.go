package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// damage is something that makes a file unusable, whatever the dice says: what
// might leave a file sound, if another one, is not among them. It gives nil where
// the file has nothing to be damaged so.
type damage struct {
	name string
	do   func(dice *rand.Rand, data []byte) []byte
}

// removed is what becomes of a file that is gone.
var removed []byte

// corrupt chooses one of the files and a damage.
func corrupt(dice *rand.Rand, files map[string][]byte, targets []string) (file, what string, damaged []byte) {
	for {
		file = targets[dice.IntN(len(targets))]
		var damages []damage
		switch path.Ext(file) {
		case ".safetensors":
			damages = append(slices.Clone(anyDamages), safetensorsDamages...)
		case ".gguf":
			damages = append(slices.Clone(anyDamages), ggufDamages...)
		default:
			damages = textDamages
		}
		d := damages[dice.IntN(len(damages))]
		if out := d.do(dice, bytes.Clone(files[file])); out != nil || d.name == "removed" {
			return file, d.name, out
		}
	}
}

// anyDamages are of weights in every format.
var anyDamages = []damage{
	{"removed", func(*rand.Rand, []byte) []byte { return removed }},
	{"empty", func(*rand.Rand, []byte) []byte { return []byte{} }},
	{"cut short", func(dice *rand.Rand, data []byte) []byte { return data[:dice.IntN(len(data)-64)] }}, // more than is padding
	{"longer", func(dice *rand.Rand, data []byte) []byte { return append(data, make([]byte, 64+dice.IntN(100))...) }},
	{"another file", func(dice *rand.Rand, _ []byte) []byte {
		return []byte([]string{"<!DOCTYPE html>\n<title>401</title>\n", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "PK\x03\x04\x00\x00\x00\x00\x00\x00", strings.Repeat("\x00", 1000)}[dice.IntN(4)])
	}},
	{"noise", func(dice *rand.Rand, data []byte) []byte {
		for i := range data[:min(len(data), 4096)] {
			data[i] = byte(dice.Uint32())
		}
		return data
	}},
}

// headed is a safetensors file with another header.
func headed(data []byte, header string) []byte {
	n := binary.LittleEndian.Uint64(data)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data[8+n:]...)
}

// header is that of a safetensors file.
func header(data []byte) string { return string(data[8 : 8+binary.LittleEndian.Uint64(data)]) }

// said is what a header says of a tensor: its name, its format, its shape and
// its offsets.
var said = regexp.MustCompile(`"([^"]+)":\{"data_offsets":\[(\d+),(\d+)\],"dtype":"(\w+)","shape":\[([\d,]*)\]\}`)

// tensorDamage changes what the header says of one tensor that counts: VAEs
// have encoders, which nobody asks for.
func tensorDamage(name string, change func(dice *rand.Rand, tensor map[string]any)) damage {
	return damage{name, func(dice *rand.Rand, data []byte) []byte {
		text := header(data)
		all := slices.DeleteFunc(said.FindAllStringSubmatchIndex(text, -1), func(m []int) bool { return strings.Contains(text[m[2]:m[3]], "encoder.") })
		if len(all) == 0 {
			return nil
		}
		at := all[dice.IntN(len(all))]
		tensor := map[string]any{}
		value := text[at[3]+2 : at[1]]
		if json.Unmarshal([]byte(value), &tensor) != nil {
			return nil
		}
		change(dice, tensor)
		changed, err := json.Marshal(tensor)
		if err != nil || string(changed) == value {
			return nil
		}
		return headed(data, text[:at[3]+2]+string(changed)+text[at[1]:])
	}}
}

func pick[T any](dice *rand.Rand, values ...T) T { return values[dice.IntN(len(values))] }

// safetensorsDamages are of safetensors alone.
var safetensorsDamages = []damage{
	{"header's length", func(dice *rand.Rand, data []byte) []byte {
		n := binary.LittleEndian.Uint64(data)
		binary.LittleEndian.PutUint64(data, pick(dice, n+1+dice.Uint64N(100), n-1-dice.Uint64N(100), 1<<20, 100<<20, 1<<40, 1<<62, math.MaxUint64, 0))
		return data
	}},
	{"a bit of the header", func(dice *rand.Rand, data []byte) []byte {
		told := regexp.MustCompile(`"(dtype|shape|data_offsets)":("\w*"|\[[\d,]*\])`).FindAllStringIndex(header(data), -1)
		at := told[dice.IntN(len(told))]
		data[8+at[0]+dice.IntN(at[1]-at[0])] ^= 1 << dice.IntN(8)
		return data
	}},
	{"not UTF-8", func(dice *rand.Rand, data []byte) []byte {
		names := regexp.MustCompile(`\w+\.weight`).FindAllStringIndex(header(data), -1)
		data[8+names[dice.IntN(len(names))][0]] = byte(pick(dice, 0xff, 0xc0, 0x80))
		return data
	}},
	{"nesting", func(dice *rand.Rand, data []byte) []byte {
		return headed(data, pick(dice, strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<18), `{"a":`+strings.Repeat("[", 1<<19)+strings.Repeat("]", 1<<19)+"}"))
	}},
	{"a name twice", func(dice *rand.Rand, data []byte) []byte {
		text := header(data)
		all := said.FindAllString(text, -1)
		return headed(data, "{"+all[dice.IntN(len(all))]+","+text[1:])
	}},
	{"many tensors", func(_ *rand.Rand, data []byte) []byte {
		var b strings.Builder
		for i := range 5_000 {
			b.WriteString(`"` + strconv.Itoa(i) + `":{"data_offsets":[0,0],"dtype":"F32","shape":[0]},`)
		}
		return headed(data, "{"+b.String()+header(data)[1:])
	}},
	tensorDamage("offsets", func(dice *rand.Rand, tensor map[string]any) {
		at := tensor["data_offsets"].([]any)
		lo, hi := at[0].(float64), at[1].(float64)
		tensor["data_offsets"] = pick(dice, []any{lo - 4, hi - 4}, []any{lo + 4, hi + 4}, []any{lo, hi + 4}, []any{hi + 1, lo}, []any{-hi - 1, lo}, []any{lo}, []any{lo, 1 << 62}, []any{1 << 62, 1<<62 + hi - lo}, []any{lo, nil}, nil)
	}),
	tensorDamage("format", func(dice *rand.Rand, tensor map[string]any) {
		tensor["dtype"] = pick(dice, "X32", "", "f32", "F128", "I64", "C64", "BOOL", "Q4_K")
	}),
	tensorDamage("shape", func(dice *rand.Rand, tensor map[string]any) {
		shape := tensor["shape"].([]any)
		tensor["shape"] = pick(dice, append(slices.Clone(shape), 1, 1, 1), append(slices.Clone(shape), 0), append(slices.Clone(shape), 1<<40), []any{1 << 31, 1 << 31}, []any{-1}, []any{1 << 62, 4}, []any{1.5}, nil)
	}),
	{"a tensor is lost", func(dice *rand.Rand, data []byte) []byte {
		text := header(data)
		all := said.FindAllStringSubmatch(text, -1)
		last := slices.IndexFunc(all, func(m []string) bool { return m[3] == strconv.Itoa(len(data)-8-len(text)) && m[2] != m[3] })
		if last < 0 || strings.Contains(all[last][1], "encoder.") {
			return nil
		}
		lo, _ := strconv.Atoi(all[last][2])
		text = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, all[last][0]+",", ""), ","+all[last][0], ""), all[last][0], "")
		return headed(data[:8+len(header(data))+lo], text)
	}},
}

// ggufDamages are of GGUF alone, of a file without metadata.
var ggufDamages = []damage{
	{"magic", func(dice *rand.Rand, data []byte) []byte {
		data[dice.IntN(4)] ^= 1 << dice.IntN(8)
		return data
	}},
	{"version", func(dice *rand.Rand, data []byte) []byte {
		binary.LittleEndian.PutUint32(data[4:], pick[uint32](dice, 0, 1, 4, 3<<24, math.MaxUint32))
		return data
	}},
	{"counts", func(dice *rand.Rand, data []byte) []byte {
		at := pick(dice, 8, 16)
		n := binary.LittleEndian.Uint64(data[at:])
		binary.LittleEndian.PutUint64(data[at:], pick(dice, n+1, n+1000, 1<<40, 1<<62, math.MaxUint64))
		return data
	}},
	ggufDamage("name's length", func(dice *rand.Rand, data []byte, name, _, _ int) {
		n := binary.LittleEndian.Uint64(data[name:])
		binary.LittleEndian.PutUint64(data[name:], pick(dice, n+1, n-1, 0, 1<<16, 1<<40, 1<<62, math.MaxUint64))
	}),
	ggufDamage("not UTF-8", func(dice *rand.Rand, data []byte, name, _, _ int) { data[name+8] = 0xff }),
	ggufDamage("sizes", func(dice *rand.Rand, data []byte, _, dims, _ int) {
		binary.LittleEndian.PutUint32(data[dims:], pick[uint32](dice, 0, 5, 9, 1<<31, math.MaxUint32))
	}),
	ggufDamage("size", func(dice *rand.Rand, data []byte, _, dims, _ int) {
		n := binary.LittleEndian.Uint64(data[dims+4:])
		binary.LittleEndian.PutUint64(data[dims+4:], pick(dice, 0, 2*n, n+32, 1<<30, 1<<40, 1<<63, math.MaxUint64))
	}),
	ggufDamage("format", func(dice *rand.Rand, data []byte, _, _, kind int) {
		now := binary.LittleEndian.Uint32(data[kind:])
		others := slices.DeleteFunc([]uint32{0, 2, 3, 4, 5, 9, 13, 16, 24, 99, math.MaxUint32}, func(k uint32) bool { return k == now })
		binary.LittleEndian.PutUint32(data[kind:], pick(dice, others...))
	}),
	ggufDamage("offset", func(dice *rand.Rand, data []byte, _, _, kind int) {
		at := binary.LittleEndian.Uint64(data[kind+4:])
		binary.LittleEndian.PutUint64(data[kind+4:], pick(dice, at+1, at+32, at+1<<20, 1<<40, 1<<63, math.MaxUint64-31))
	}),
}

// ggufDamage changes the entry of one tensor: its name's length, its number of
// sizes, and its format lie at these places.
func ggufDamage(what string, change func(dice *rand.Rand, data []byte, name, dims, kind int)) damage {
	return damage{what, func(dice *rand.Rand, data []byte) []byte {
		le := binary.LittleEndian
		at := 24
		for left := dice.IntN(int(le.Uint64(data[8:]))); ; left-- {
			dims := at + 8 + int(le.Uint64(data[at:]))
			kind := dims + 4 + 8*int(le.Uint32(data[dims:]))
			if left == 0 {
				before := bytes.Clone(data)
				if change(dice, data, at, dims, kind); bytes.Equal(before, data) {
					return nil
				}
				return data
			}
			at = kind + 12
		}
	}}
}

// sized are the numbers of configurations that weights are held against.
var sized = regexp.MustCompile(`"(num_layers|num_single_layers|attention_head_dim|num_attention_heads|joint_attention_dim|pooled_projection_dim|in_channels|hidden_size|intermediate_size|num_hidden_layers|max_position_embeddings|vocab_size|d_model|d_ff|num_heads|latent_channels|layers_per_block|caption_projection_dim)": *(-?\d+)`)

// textDamages are of configurations, indexes and tokenizers.
var textDamages = []damage{
	{"removed", func(*rand.Rand, []byte) []byte { return removed }},
	{"empty", func(*rand.Rand, []byte) []byte { return []byte{} }},
	{"cut short", func(dice *rand.Rand, data []byte) []byte { return data[:1+dice.IntN(bytes.LastIndexByte(data, '}')-1)] }},
	{"not UTF-8", func(dice *rand.Rand, data []byte) []byte { return append([]byte("\xff\xfe"), data...) }},
	{"nesting", func(dice *rand.Rand, _ []byte) []byte {
		return []byte(pick(dice, strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<18), strings.Repeat("[", 1<<19)+strings.Repeat("]", 1<<19)))
	}},
	{"another kind", func(dice *rand.Rand, _ []byte) []byte {
		return []byte(pick(dice, "null", "[]", "3", `"text"`, "{}", "<html>", "{\"_class_name\": \"\\u001b[2J\\n\"}"))
	}},
	{"size", func(dice *rand.Rand, data []byte) []byte {
		all := sized.FindAllSubmatchIndex(data, -1)
		if len(all) == 0 {
			return nil
		}
		at := all[dice.IntN(len(all))]
		to := pick(dice, "0", "-1", "200", "255", "32768", "1000000", "1000000000000", "9223372036854775807", "1e400", `"many"`, "[1]", "1.5")
		return slices.Concat(data[:at[4]], []byte(to), data[at[5]:])
	}},
	{"shards", func(dice *rand.Rand, data []byte) []byte {
		if !bytes.Contains(data, []byte("1-of-2")) {
			return nil
		}
		to := pick(dice, "3-of-2.safetensors", "../1-of-2.safetensors", "/dev/zero", "..", "", ".", "config.json", `\u0000`, `a\nb\u001b[2J`)
		return bytes.Replace(data, []byte("1-of-2.safetensors"), []byte(to), 1+dice.IntN(3))
	}},
}

func asJSONText(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
