package demo

import (
	"embed"
	"io/fs"

	"taca/internal/checkpoint"
)

//go:embed model bench
var files embed.FS

// Folder is the embedded model as a diffusers folder.
func Folder() *checkpoint.Folder {
	model, err := fs.Sub(files, "model")
	if err != nil {
		panic(err) // the name above is a valid path
	}
	return checkpoint.NewFolder(model, "embedded model")
}

// Checker is the weights of the judge of the model's pictures.
func Checker() (*checkpoint.File, error) {
	return checkpoint.OpenBytes("embedded checker", bench("checker.safetensors"))
}

// Prompts is what the judge asks for: lines of a category, a tab, and a prompt.
func Prompts() string { return string(bench("prompts.txt")) }

func bench(name string) []byte {
	data, err := files.ReadFile("bench/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return data
}
