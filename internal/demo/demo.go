package demo

import (
	"embed"
	"io/fs"

	"taca/internal/checkpoint"
)

//go:embed model bench lora.safetensors
var files embed.FS

// Folder is the embedded model as a diffusers folder.
func Folder() *checkpoint.Folder {
	model, err := fs.Sub(files, "model")
	if err != nil {
		panic(err) // the name above is a valid path
	}
	return checkpoint.NewFolder(model, "embedded model")
}

// LoRA is an adapter of rank 16 for the model, trained to be active where gamma is
// 1.2.
func LoRA() (*checkpoint.File, error) {
	return checkpoint.OpenBytes("embedded LoRA", LoRABytes())
}

// LoRABytes is the file of LoRA.
func LoRABytes() []byte { return embedded("lora.safetensors") }

// Checker is the weights of the judge of the model's pictures.
func Checker() (*checkpoint.File, error) {
	return checkpoint.OpenBytes("embedded checker", embedded("bench/checker.safetensors"))
}

// Prompts is what the judge asks for: lines of a category, a tab, and a prompt.
func Prompts() string { return string(embedded("bench/prompts.txt")) }

func embedded(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return data
}
