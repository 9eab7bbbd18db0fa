package demo

import (
	"embed"
	"io/fs"

	"taca/internal/checkpoint"
)

//go:embed model
var files embed.FS

// Folder is the embedded model as a diffusers folder.
func Folder() *checkpoint.Folder {
	model, err := fs.Sub(files, "model")
	if err != nil {
		panic(err) // the name above is a valid path
	}
	return checkpoint.NewFolder(model, "embedded model")
}
