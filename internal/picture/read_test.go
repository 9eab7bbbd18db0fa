package picture_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/fuzztest"
	"taca/internal/picture"
)

// file is a picture in testdata, and what Pillow finds in it:
// scripts/golden/picture_files.py.
type file struct {
	data          []byte
	Width, Height int
	Tolerance     int
	Colours       string
}

func files(t testing.TB) map[string]file {
	t.Helper()
	all := map[string]file{}
	told, err := os.ReadFile("testdata/pixels.json")
	if err == nil {
		err = json.Unmarshal(told, &all)
	}
	for name, f := range all {
		if f.data, err = os.ReadFile(filepath.Join("testdata/files", name)); err != nil {
			break
		}
		all[name] = f
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}

func TestReadFindsWhatPillowFinds(t *testing.T) {
	for name, f := range files(t) {
		img, err := picture.Read(f.data, color.White)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if img.Bounds() != image.Rect(0, 0, f.Width, f.Height) {
			t.Errorf("%s: %v, want %d×%d", name, img.Bounds(), f.Width, f.Height)
			continue
		}
		want, err := hex.DecodeString(f.Colours)
		if err != nil {
			t.Fatal(err)
		}
		most := 0
		for i := range f.Width * f.Height {
			for c := range 3 {
				d := int(img.Pix[4*i+c]) - int(want[3*i+c])
				most = max(most, d, -d)
			}
			if img.Pix[4*i+3] != 255 {
				t.Fatalf("%s: it is not opaque", name)
			}
		}
		if most > f.Tolerance {
			t.Errorf("%s: a colour is off by %d, want at most %d", name, most, f.Tolerance)
		}
	}
}

// TestBackground: a mask lies before black.
func TestBackground(t *testing.T) {
	img, err := picture.Read(files(t)["rgba.png"].data, color.Black)
	if err != nil || img.RGBAAt(0, 0) != (color.RGBA{A: 255}) {
		t.Errorf("%v (%v), want black", img.At(0, 0), err)
	}
}

// TestCutShort: no part of a file is read as a picture, and there is one line to
// say so.
func TestCutShort(t *testing.T) {
	tail := map[string]int{".png": 16, ".jpg": 8, ".webp": 2} // bytes at the end that hold no pixels
	for name, f := range files(t) {
		for n := range len(f.data) {
			if n >= len(f.data)-tail[filepath.Ext(name)] || name == "turned.webp" && n >= len(f.data)-64 {
				break // the pixels are all there
			}
			img, err := picture.Read(f.data[:n], color.White)
			if err == nil {
				t.Errorf("%s: the first %d of %d bytes are read as a picture of %v", name, n, len(f.data), img.Bounds())
				break
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q", name, err)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	// sized is the PNG with another size in its header.
	sized := func(width, height uint32) []byte {
		data := bytes.Clone(files(t)["rgb.png"].data)
		binary.BigEndian.PutUint32(data[16:], width)
		binary.BigEndian.PutUint32(data[20:], height)
		binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
		return data
	}
	jpeg := bytes.Clone(files(t)["rgb.jpg"].data)
	frame := bytes.Index(jpeg, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(jpeg[frame+5:], 8000)
	binary.BigEndian.PutUint16(jpeg[frame+7:], 8000)
	damaged := bytes.Clone(files(t)["rgb.png"].data)
	damaged[50] ^= 1
	webp := bytes.Clone(files(t)["lossy.webp"].data)
	binary.LittleEndian.PutUint32(webp[4:], 1<<31)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":   {nil, "it is empty"},
		"text":      {[]byte("P6 1 1 255 abc"), "neither a PNG, a JPEG nor a WebP"},
		"huge":      {sized(20000, 20000), "it says that it is 20000×20000, and at most 64 million pixels are read"},
		"tiny":      {sized(8000, 8000), "the PNG file says that it is 8000×8000, for which its"},
		"tiny webp": {webp, "the WebP file says that it is"},
		"tiny jpeg": {jpeg, "the JPEG file says that it is 8000×8000, for which its"},
		"damaged":   {damaged, "the PNG file is damaged"},
		"cut":       {files(t)["rgb.jpg"].data[:300], "the JPEG file ends early"},
	} {
		var err error
		fuzztest.Bounded(t, 1<<20, 0, 0, func() { _, err = picture.Read(c.data, color.White) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q in it", name, err, c.want)
		}
	}
}

// FuzzRead: whatever the bytes, an error or an opaque picture. One that says that
// it is far larger than its bytes can be is refused before memory is taken.
func FuzzRead(f *testing.F) {
	for _, file := range files(f) {
		f.Add(file.data)
	}
	const slow = 1 << 20  // pixels
	const most = 8 * 1032 // of them in a byte, of a PNG of one bit each
	f.Fuzz(func(t *testing.T, data []byte) {
		constant := 1 << 20
		if c, kind, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
			switch pixels := c.Width * c.Height; {
			case pixels > slow && (kind == "webp" || pixels <= most*len(data)):
				t.Skip("it may be as large as it says, and takes its time")
			case pixels <= slow:
				constant += 32 * pixels // colours, coefficients of a JPEG in several scans, the picture, and turned
			}
		}
		var img *image.RGBA
		var err error
		fuzztest.Bounded(t, constant, 64, len(data), func() { img, err = picture.Read(data, color.White) })
		if err == nil && (img.Bounds().Empty() || !img.Opaque()) {
			t.Errorf("%v, opaque: %v", img.Bounds(), img.Opaque())
		}
	})
}
