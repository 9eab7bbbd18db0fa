package assembly

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
)

// archive is a folder in memory: one of the standard library's file systems.
// The first error counts.
type archive struct {
	data bytes.Buffer
	zip  *zip.Writer
	errs []error
}

func newArchive() *archive {
	a := &archive{}
	a.zip = zip.NewWriter(&a.data)
	return a
}

// file writes a file as it is.
func (a *archive) file(name string, data []byte, err error) {
	if err == nil {
		to, inZip := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err = inZip; err == nil {
			_, err = to.Write(data)
		}
	}
	a.errs = append(a.errs, err)
}

// json writes settings, unless they could not be read.
func (a *archive) json(name string, s settings, err error) {
	data, marshal := json.MarshalIndent(s, "", "  ")
	a.file(name, append(data, '\n'), errors.Join(err, marshal))
}

// folder copies the files of a folder.
func (a *archive) folder(name string, from fs.FS) {
	entries, err := fs.ReadDir(from, ".")
	a.errs = append(a.errs, err)
	for _, e := range entries {
		if !e.IsDir() {
			data, err := fs.ReadFile(from, e.Name())
			a.file(path.Join(name, e.Name()), data, err)
		}
	}
}

// open is the folder.
func (a *archive) open() (fs.FS, error) {
	if err := errors.Join(append(a.errs, a.zip.Close())...); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(a.data.Bytes()), int64(a.data.Len()))
}
