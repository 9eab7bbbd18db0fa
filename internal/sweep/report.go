package sweep

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"taca/internal/atomicfile"
)

//go:embed page/report.html
var pageHTML string

//go:embed page/report.css
var pageCSS string

//go:embed page/report.js
var pageJS string

// page is what report.html shows. Times and nothing else depends on how fast
// the cells were.
type page struct {
	Title, Shared, Program string
	Cells, Size            int
	Gammas                 []string
	LastGamma, Plain       int // Plain is the place of γ = 1, -1 where there is none
	Prompts                []pagePrompt
	Times                  []pageTime
	Style                  template.CSS
	Script                 template.JS
}

type pagePrompt struct {
	Index                   int
	Text, Negative, Columns string
	Labelled                bool
	Rows                    []pageRow
	Plot                    template.HTML
}

type pageRow struct {
	Index int
	Label string
	Cells []pageCell
}

type pageCell struct {
	File, Alt     string
	Image         template.URL // none where the cell is not painted
	Width, Height int
	Difference    string // in words; none where there is nothing to compare
	differs       float64
}

type pageTime struct {
	Cell      int     `json:"cell"`
	Gamma     int     `json:"gamma"`
	Denoising float64 `json:"denoising"`
	Decoding  float64 `json:"decoding"`
	Total     float64 `json:"total"`
}

// plainGamma is the column that others are compared with.
const plainGamma = "1"

// differenceMetric is the root mean square difference of a cell's pixels, in
// steps of 255, to the cell beside it with γ = 1.
const differenceMetric = "rms_to_gamma_1"

// Report writes the contact sheets, the results with what can be told only of
// all cells together, and the page. It says what it wrote, the page last.
func (f *Folder) Report() ([]string, error) {
	g := f.Grid
	p := page{
		Title: "TACA sweep", Shared: g.Shared(), Program: g.Program, Cells: len(f.lines), Size: g.Size(),
		Gammas: g.Gammas, LastGamma: len(g.Gammas) - 1, Plain: slices.Index(g.Gammas, plainGamma),
		Style: template.CSS(pageCSS), Script: template.JS(pageJS),
	}
	if err := os.MkdirAll(f.in(sheetFolder), 0o777); err != nil {
		return nil, told("make", f.in(sheetFolder), err)
	}
	var written []string
	cells := g.Cells()
	perPrompt := len(cells) / len(g.Prompts)
	for i := range g.Prompts {
		shown, sheets, err := f.promptPage(cells[i*perPrompt : (i+1)*perPrompt])
		if err != nil {
			return nil, err
		}
		p.Prompts, written = append(p.Prompts, shown), append(written, sheets...)
	}
	p.Times = f.times(cells)
	if err := f.writeResults(); err != nil {
		return nil, err
	}
	parsed, err := template.New("report").Parse(pageHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, p); err != nil {
		return nil, err
	}
	return append(written, f.in(reportFile)), atomicfile.WriteBytes(f.in(reportFile), b.Bytes())
}

// times are those of the cells whose times are known.
func (f *Folder) times(cells []Cell) []pageTime {
	all := []pageTime{}
	for _, c := range cells {
		if s := f.lines[c.Index].Seconds; s != nil {
			all = append(all, pageTime{c.Index, c.Index % len(f.Grid.Gammas), s.Denoising, s.Decoding, s.Total})
		}
	}
	return all
}

// promptPage looks at the pictures of one prompt, and writes its contact sheets.
func (f *Folder) promptPage(cells []Cell) (pagePrompt, []string, error) {
	g, prompt := f.Grid, f.Grid.Prompts[cells[0].Prompt]
	shown := pagePrompt{Index: cells[0].Prompt, Text: prompt.Text, Negative: prompt.Negative, Columns: inWords(prompt.Columns)}
	sheet := &table{title: prompt.Text, shared: g.Shared()}
	for _, gamma := range g.Gammas {
		sheet.columns = append(sheet.columns, "γ "+gamma)
	}
	var written []string
	for at := 0; at < len(cells); at += len(g.Gammas) {
		row := pageRow{Index: at / len(g.Gammas), Label: g.Label(cells[at])}
		shown.Labelled = row.Label != ""
		pictures, err := f.row(&row, cells[at:at+len(g.Gammas)], side(min(len(cells), mostRows*len(g.Gammas))))
		if err != nil {
			return shown, nil, err
		}
		shown.Rows = append(shown.Rows, row)
		sheet.rows, sheet.pictures = append(sheet.rows, row.Label), append(sheet.pictures, pictures)
		if len(sheet.rows) < mostRows && at+len(g.Gammas) < len(cells) {
			continue
		}
		name, err := f.writeSheet(sheet, shown.Index, len(written))
		if err != nil {
			return shown, nil, err
		}
		written = append(written, name)
		sheet.rows, sheet.pictures = nil, nil
	}
	shown.Plot = differencePlot(g.Gammas, shown.Rows)
	return shown, written, nil
}

// writeSheet writes a prompt's contact sheet, the first or one that goes on.
func (f *Folder) writeSheet(sheet *table, prompt, n int) (string, error) {
	name := f.Grid.PromptFile(prompt)
	if n > 0 {
		name = fmt.Sprintf("%s-%d", name, n+1)
	}
	name = f.in(path.Join(sheetFolder, name+".png"))
	data, err := sheet.sheet()
	if err != nil {
		return name, err
	}
	return name, atomicfile.WriteBytes(name, data)
}

// row fills a row of the page, and returns its pictures for the sheet.
func (f *Folder) row(to *pageRow, cells []Cell, side int) ([]*image.NRGBA, error) {
	full := make([]*image.NRGBA, len(cells))
	var plain *image.NRGBA
	for i, c := range cells {
		if _, painted := f.lines[c.Index]; !painted {
			continue
		}
		var err error
		if full[i], err = readPicture(f.CellPath(c)); err != nil {
			return nil, err
		}
		if c.Gamma == plainGamma {
			plain = full[i]
		}
	}
	onSheet := make([]*image.NRGBA, len(cells))
	for i, c := range cells {
		cell := pageCell{File: path.Join(cellsFolder, f.Grid.File(c)), differs: -1}
		cell.Alt = strings.TrimSuffix(fmt.Sprintf("γ %s, %s", c.Gamma, to.Label), ", ")
		if full[i] != nil {
			thumb := fitted(full[i], thumbSide(f.Grid.Size()))
			data, err := asJPEG(thumb)
			if err != nil {
				return nil, err
			}
			cell.Image = template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(data))
			cell.Width, cell.Height = thumb.Bounds().Dx(), thumb.Bounds().Dy()
			onSheet[i] = fitted(full[i], side)
		}
		if full[i] != nil && plain != nil {
			d, err := difference(full[i], plain)
			if err != nil {
				return nil, err
			}
			line := f.lines[c.Index]
			line.Metrics = maps.Clone(line.Metrics)
			if line.Metrics == nil {
				line.Metrics = map[string]float64{}
			}
			line.Metrics[differenceMetric] = d
			f.lines[c.Index] = line
			cell.differs, cell.Difference = d, fmt.Sprintf("%.1f", d)
		}
		to.Cells = append(to.Cells, cell)
	}
	return onSheet, nil
}

// thumbSide keeps the page of a large sweep within what a browser opens.
func thumbSide(cells int) int {
	switch {
	case cells <= 500:
		return 256
	case cells <= 3000:
		return 128
	}
	return 64
}

// inWords is a prompt's columns in words.
func inWords(columns map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		parts = append(parts, name+": "+columns[name])
	}
	return strings.Join(parts, ", ")
}
