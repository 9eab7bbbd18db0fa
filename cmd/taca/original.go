package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/picture"
	"taca/internal/pipeline"
)

// original registers the picture to start from.
func (f *settingFlags) original(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "image", func(s *configs.Settings) *string { return &s.Image }, func(p *string) {
		fl.StringVar(p, "image", "", "PNG, JPEG or WebP `file` to start from, of at most 64 million pixels; - reads standard input")
	})
	flag(f, "strength", func(s *configs.Settings) *float64 { return &s.Strength }, func(p *float64) {
		fl.Float64Var(p, "strength", configs.Defaults().Strength, "`share` of the steps that run over --image, the last ones, above 0 to 1; gamma keeps to the whole schedule")
	})
	flag(f, "mask", func(s *configs.Settings) *string { return &s.Mask }, func(p *string) {
		fl.StringVar(p, "mask", "", "picture `file` of --image's proportions: white is painted anew, black and what is transparent stays")
	})
}

// source is a file that a picture was made of.
type source struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// original is the picture that --image names, and its mask.
type original struct {
	image   source
	mask    *source     // or nil
	picture *image.RGBA // as the file has it, upright; until into has run
	painted *image.RGBA // the mask's, or nil
}

// largestPicture bounds the files that are read, in bytes.
const largestPicture = 512 << 20

// readOriginal reads what s says to start from; nil where it says nothing. What a
// record names and no flag replaces must be what it was.
func (a *app) readOriginal(c *cobra.Command, s *configs.Settings, from *record) (*original, error) {
	given := c.Flags().Changed
	if s.Image == "" {
		switch {
		case given("strength"):
			return nil, usagef("--strength is of the noise over a picture: give --image FILE with it")
		case given("mask") && s.Mask != "":
			return nil, usagef("--mask says what of a picture is painted anew: give --image FILE with it")
		}
		s.Mask = ""
		return nil, nil
	}
	if s.Mask == "-" && s.Image == "-" || s.Prompt == "-" && (s.Mask == "-" || s.Image == "-") {
		return nil, usagef("standard input can be one of --prompt, --image and --mask")
	}
	if from == nil {
		from = &record{}
	}
	o := &original{}
	var err error
	if o.image, o.picture, err = a.readPicture(c, "image", s.Image, from.Image, color.White); err != nil || s.Mask == "" {
		return o, err
	}
	o.mask = &source{}
	if *o.mask, o.painted, err = a.readPicture(c, "mask", s.Mask, from.Mask, color.Black); err != nil {
		return nil, err
	}
	p, m := o.picture.Bounds().Size(), o.painted.Bounds().Size()
	if across := m.X*p.Y - m.Y*p.X; max(across, -across) > max(m.Y, p.Y) { // more than a pixel
		return nil, usagef("read --mask %s: it is %d×%d, which are not the proportions of --image, %d×%d", s.Mask, m.X, m.Y, p.X, p.Y)
	}
	return o, nil
}

// readPicture reads the file that --name gives. before is what a record says of
// it, or nil.
func (a *app) readPicture(c *cobra.Command, name, path string, before *source, behind color.Color) (source, *image.RGBA, error) {
	what, hint := fmt.Sprintf("read --%s %s", name, path), ""
	if before != nil && (c.Flags().Changed(name) || before.Path != path) {
		before = nil
	}
	if before != nil {
		what, hint = fmt.Sprintf("repeat with the %s %s", name, path), fmt.Sprintf(": give what it was, or another, with --%s", name)
		if path == "-" {
			return source{}, nil, usagef("%s: it was read from standard input%s", what, hint)
		}
	}
	data, err := a.readFile(c, path)
	if err != nil {
		return source{}, nil, usagef("%s: %w%s", what, cause(err), hint)
	}
	digest := sha256.Sum256(data)
	s := source{path, hex.EncodeToString(digest[:])}
	if path != "-" {
		s.Path = lasting(path)
	}
	if before != nil && before.SHA256 != s.SHA256 {
		return s, nil, usagef("%s: it has changed since%s", what, hint)
	}
	img, err := picture.Read(data, behind)
	if err != nil {
		return s, nil, usagef("%s: %w", what, err)
	}
	return s, img, nil
}

// readFile is a file, or standard input where path is -.
func (a *app) readFile(c *cobra.Command, path string) ([]byte, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = a.read(c.Context(), largestPicture+1)
	} else {
		var f *os.File
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, largestPicture+1))
	}
	if err == nil && len(data) > largestPicture {
		err = fmt.Errorf("it is larger than %d MiB", largestPicture>>20)
	}
	return data, err
}

// into moves the original into r, whose size is the model's own.
func (o *original) into(r *pipeline.Request, s configs.Settings, asked image.Point, unit int) error {
	size := fitted(o.picture.Bounds().Size(), asked, unit, r.Width*r.Height)
	r.Width, r.Height, r.Strength = size.X, size.Y, s.Strength
	if err := r.Check(unit); err != nil {
		return err
	}
	r.Original = &pipeline.Original{Picture: picture.Fit(o.picture, size.X, size.Y)}
	if o.painted != nil {
		r.Original.Mask = picture.Grey(picture.Fit(o.painted, size.X, size.Y))
	}
	o.picture, o.painted = nil, nil // a camera's take hundreds of megabytes
	return nil
}

// fitted is the size at which a picture is painted: what was asked for; of one
// side the other in proportion; or its own, in multiples of unit and with at most
// so many pixels.
func fitted(size, asked image.Point, unit, most int) image.Point {
	whole := func(side float64) int { return max(unit, int(math.Round(side/float64(unit)))*unit) }
	w, h := float64(size.X), float64(size.Y)
	switch {
	case asked.X != 0 && asked.Y != 0:
		return asked
	case asked.X != 0:
		return image.Pt(asked.X, whole(float64(asked.X)*h/w))
	case asked.Y != 0:
		return image.Pt(whole(float64(asked.Y)*w/h), asked.Y)
	}
	scale := math.Min(1, math.Sqrt(float64(most)/(w*h)))
	return image.Pt(whole(w*scale), whole(h*scale))
}

// idle tells where --strength leaves out all steps that gamma would act in.
func (g *generation) idle(r pipeline.Request) {
	steps, err := g.model.Steps(r)
	if err != nil || len(steps) == r.Steps || r.TACA.Gamma == 1 || acts(steps) {
		return
	}
	g.app.say("taca: gamma acts in no step: strength %g leaves out the first %d of %d, and the others begin at timestep %.0f", r.Strength, r.Steps-len(steps), r.Steps, 1000*steps[0].Sigma)
}
