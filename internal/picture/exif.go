package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

const exifHead = "Exif\x00\x00"

// exifOfPNG is the data of the eXIf chunk (PNG, third edition, 11.3.4.5).
func exifOfPNG(data []byte) []byte {
	for data = data[len(signature):]; len(data) >= 12; {
		size := uint64(binary.BigEndian.Uint32(data))
		if size+12 > uint64(len(data)) {
			return nil
		}
		if string(data[4:8]) == "eXIf" {
			return data[8 : 8+size]
		}
		data = data[size+12:]
	}
	return nil
}

// exifOfJPEG is the data of the APP1 segment that holds Exif. Segments come
// before the scan.
func exifOfJPEG(data []byte) []byte {
	const app1, scan, end = 0xe1, 0xda, 0xd9
	for data = data[2:]; len(data) >= 4 && data[0] == 0xff; {
		kind, size := data[1], int(binary.BigEndian.Uint16(data[2:]))
		switch {
		case kind == 0xff: // a filling byte
			data = data[1:]
			continue
		case kind == scan || kind == end || size < 2 || size+2 > len(data):
			return nil
		}
		if block, ok := bytes.CutPrefix(data[4:size+2], []byte(exifHead)); ok && kind == app1 {
			return block
		}
		data = data[size+2:]
	}
	return nil
}

// exifOfWebP is the data of the EXIF chunk, before which some programs put the
// head that only JPEG asks for.
func exifOfWebP(data []byte) []byte {
	for data = data[12:]; len(data) >= 8; {
		size := uint64(binary.LittleEndian.Uint32(data[4:]))
		if size+8 > uint64(len(data)) {
			return nil
		}
		if string(data[:4]) == "EXIF" {
			return bytes.TrimPrefix(data[8:8+size], []byte(exifHead))
		}
		data = data[min(size+size%2+8, uint64(len(data))):]
	}
	return nil
}

// orientation is where the first line and column of a picture belong, 1 to 8 as
// Exif counts (CIPA DC-008, tag 0x0112). A block that is absent or damaged says 1:
// as they lie.
func orientation(exif []byte) int {
	const tag, short, entry = 0x0112, 3, 12
	if len(exif) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(exif[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(exif[4:]))
	if order.Uint16(exif[2:]) != 42 || at+2 > uint64(len(exif)) {
		return 1
	}
	fields := exif[at+2:]
	for range order.Uint16(exif[at:]) {
		if len(fields) < entry {
			break
		}
		if order.Uint16(fields) == tag && order.Uint16(fields[2:]) == short {
			if v := int(order.Uint16(fields[8:])); v >= 1 && v <= 8 {
				return v
			}
		}
		fields = fields[entry:]
	}
	return 1
}

// upright turns a picture of that orientation.
func upright(img *image.RGBA, orientation int) *image.RGBA {
	if orientation == 1 {
		return img
	}
	size := img.Bounds().Size()
	sideways, right, bottom := orientation >= 5, size.X-1, size.Y-1
	if sideways {
		size.X, size.Y = size.Y, size.X
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			u, v := x, y // where in img
			if sideways {
				u, v = y, x
			}
			switch orientation {
			case 2, 3, 7, 8:
				u = right - u
			}
			switch orientation {
			case 3, 4, 6, 7:
				v = bottom - v
			}
			copy(out.Pix[out.PixOffset(x, y):][:4], img.Pix[img.PixOffset(u, v):])
		}
	}
	return out
}
