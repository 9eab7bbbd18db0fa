package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"taca/internal/checkpoint"
)

// indexFile names a pipeline's components.
const indexFile = "model_index.json"

// contents reads one of a repository's small files.
type contents func(path string) ([]byte, error)

// choice collects the files of a pipeline that taca reads, and what is amiss.
type choice struct {
	files   map[string]entry
	read    contents
	chosen  []entry
	missing []string
}

// choose is the files of a diffusers pipeline that taca reads: model_index.json
// and each component's configuration, tokenizer, and safetensors in the variant
// that checkpoint.Folder would open. class refuses pipelines.
func choose(r Reference, files map[string]entry, read contents, class func(string) error) ([]entry, error) {
	c := choice{files: files, read: read}
	if !c.take(indexFile) {
		return nil, noPipeline(r, files)
	}
	text, err := read(indexFile)
	if err != nil {
		return nil, err
	}
	components, name, err := readIndex(text)
	if err != nil {
		return nil, refuse(r.Repository, "is it a diffusers pipeline?", "%s: %v", indexFile, err)
	}
	if err := class(name); err != nil {
		return nil, refuse(r.Repository, "ORG/NAME/FILE pulls one file", "%v", err)
	}
	for _, component := range components {
		if err := c.component(component); err != nil {
			return nil, err
		}
	}
	if len(c.missing) > 0 {
		return nil, refuse(r.String(), "taca reads diffusers folders with safetensors", "it does not hold %s", strings.Join(c.missing, ", "))
	}
	return c.chosen, nil
}

// chooseTokenizers is the files of a repository's tokenizers: what single files
// of weights lack.
func chooseTokenizers(r Reference, files map[string]entry) ([]entry, error) {
	c := choice{files: files}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		folder, file, _ := strings.Cut(name, "/")
		if strings.HasPrefix(folder, "tokenizer") && !strings.Contains(file, "/") && ofTokenizer(file) {
			c.take(name)
		}
	}
	if len(c.chosen) == 0 {
		return nil, refuse(r.String(), "is it a diffusers pipeline?", "it holds no tokenizers")
	}
	return c.chosen, nil
}

// noPipeline is a repository of something else.
func noPipeline(r Reference, files map[string]entry) error {
	var weights []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if ext := path.Ext(name); (ext == ".safetensors" || ext == ".gguf") && plainName(name) {
			weights = append(weights, name)
		}
	}
	const most = 8
	hint := "it holds " + strings.Join(weights[:min(most, len(weights))], ", ")
	if len(weights) > most {
		hint += fmt.Sprintf(" and %d others", len(weights)-most)
	}
	if len(weights) == 0 {
		hint = "it holds no safetensors either"
	}
	return refuse(r.String(), hint, "it is no diffusers pipeline, having no %s: name the file you want, as %s/FILE", indexFile, r)
}

// readIndex is the components that a pipeline has, and its class.
func readIndex(text []byte) (components []string, class string, err error) {
	var index map[string]json.RawMessage
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(index["_class_name"], &class); err != nil {
		return nil, "", fmt.Errorf("_class_name: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(index)) {
		var origin []*string // library and class; null where a pipeline goes without
		if json.Unmarshal(index[name], &origin) == nil && len(origin) == 2 && origin[1] != nil {
			components = append(components, name)
		}
	}
	return components, printable(class), nil
}

// component chooses what taca reads of one component; nothing of those that it
// knows no use for.
func (c *choice) component(name string) error {
	switch {
	case name == "scheduler":
		c.want(name + "/scheduler_config.json")
	case name == "transformer", name == "vae":
		return c.weights(name, "diffusion_pytorch_model")
	case strings.HasPrefix(name, "text_encoder"):
		return c.weights(name, "model")
	case strings.HasPrefix(name, "tokenizer"):
		c.tokenizer(name)
	}
	return nil
}

// weights chooses a component's configuration and safetensors.
func (c *choice) weights(component, stem string) error {
	c.want(component + "/config.json")
	name, sharded, ok := checkpoint.FindWeights(stem, func(name string) bool {
		_, there := c.files[path.Join(component, name)]
		return there
	})
	if !ok {
		c.missing = append(c.missing, component+"/"+stem+".safetensors")
		return nil
	}
	index := path.Join(component, name)
	c.want(index)
	if !sharded {
		return nil
	}
	text, err := c.read(index)
	if err != nil {
		return err
	}
	var shards struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &shards); err != nil {
		c.missing = append(c.missing, index+" in JSON")
		return nil
	}
	for _, shard := range slices.Compact(slices.Sorted(maps.Values(shards.Map))) {
		if strings.Contains(shard, "/") {
			c.missing = append(c.missing, fmt.Sprintf("%q, which %s names, in its folder", printable(shard), index))
			continue
		}
		c.want(path.Join(component, shard))
	}
	return nil
}

// tokenizer chooses all files of a tokenizer: they are small, and which are read
// depends on which are there.
func (c *choice) tokenizer(component string) {
	found := false
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if path.Dir(name) == component && ofTokenizer(name) {
			found = c.take(name) || found
		}
	}
	if !found {
		c.missing = append(c.missing, component+"/tokenizer.json")
	}
}

// ofTokenizer reports whether a file of a tokenizer's folder may be read.
func ofTokenizer(name string) bool {
	ext := path.Ext(name)
	return ext == ".json" || ext == ".txt" || ext == ".model"
}

// take chooses a file if it is there.
func (c *choice) take(name string) bool {
	e, ok := c.files[name]
	if ok && plainName(name) {
		c.chosen = append(c.chosen, e)
		return true
	}
	return false
}

// want is take of a file that must be there.
func (c *choice) want(name string) {
	if !c.take(name) {
		c.missing = append(c.missing, printable(name))
	}
}
