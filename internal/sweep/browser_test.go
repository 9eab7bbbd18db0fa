package sweep

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium that is spoken to in the DevTools protocol,
// over pipes.
type browser struct {
	t       *testing.T
	to      io.Writer
	from    *bufio.Reader
	session string
	last    int
	errors  []string // what the console and the network would have said
}

// startBrowser starts a Chromium, if there is one.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := os.Getenv("TACA_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		t.Skip("no Chromium was found: install chromium, or set TACA_CHROMIUM")
	}
	read, childWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	childRead, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1000,900",
		"--user-data-dir="+t.TempDir())
	c.ExtraFiles = []*os.File{childRead, childWrite}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = childRead.Close(), childWrite.Close()
	watchdog := time.AfterFunc(2*time.Minute, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		watchdog.Stop()
		_ = write.Close() // it ends when its pipe does
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = read.Close()
	})
	return &browser{t: t, to: write, from: bufio.NewReader(read)}
}

// call is one command of the protocol and its answer; what the page says
// meanwhile is kept.
func (b *browser) call(method string, params map[string]any) map[string]any {
	b.t.Helper()
	b.last++
	message := map[string]any{"id": b.last, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	data, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(data, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		answer, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: the browser has gone: %v", method, err)
		}
		var m struct {
			ID             int
			Method         string
			Params, Result map[string]any
			Error          *struct{ Message string }
		}
		if err := json.Unmarshal(answer[:len(answer)-1], &m); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case m.ID == b.last && m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		case m.ID == b.last:
			return m.Result
		default:
			b.note(m.Method, m.Params)
		}
	}
}

// note keeps what a page without faults never says.
func (b *browser) note(method string, params map[string]any) {
	switch method {
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		text, _ := json.Marshal(params)
		b.errors = append(b.errors, method+" "+string(text))
	case "Network.requestWillBeSent":
		url := fmt.Sprint(params["request"].(map[string]any)["url"])
		if !strings.HasPrefix(url, "data:") && !strings.HasSuffix(url, "/"+reportFile) {
			b.errors = append(b.errors, "it asked for "+url)
		}
	}
}

// open shows a file.
func (b *browser) open(path string) {
	b.t.Helper()
	target := b.call("Target.createTarget", map[string]any{"url": "about:blank"})["targetId"]
	b.session = fmt.Sprint(b.call("Target.attachToTarget", map[string]any{"targetId": target, "flatten": true})["sessionId"])
	for _, domain := range []string{"Runtime", "Log", "Network", "Page"} {
		b.call(domain+".enable", nil)
	}
	b.call("Page.navigate", map[string]any{"url": "file://" + path})
	for begun := time.Now(); b.eval("document.readyState + location.protocol") != "completefile:"; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			b.t.Fatal("the page was not there in a minute")
		}
	}
}

// eval is what a JavaScript expression gives, as text.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	r := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true})
	if wrong, thrown := r["exceptionDetails"]; thrown {
		b.t.Fatalf("%s: %v", expression, wrong)
	}
	return fmt.Sprint(r["result"].(map[string]any)["value"])
}

// press is a key as a keyboard sends it.
func (b *browser) press(key string) {
	b.t.Helper()
	codes := map[string]int{"ArrowLeft": 37, "ArrowRight": 39, "Tab": 9, "End": 35, "Home": 36, " ": 32, "Enter": 13}
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	if text := map[string]string{" ": " ", "Enter": "\r"}[key]; text != "" {
		down["text"] = text
	} else if len(key) == 1 {
		down["text"] = key
	}
	b.call("Input.dispatchKeyEvent", down)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]})
}

// expect compares what an expression gives.
func (b *browser) expect(what, expression, want string) {
	b.t.Helper()
	if got := b.eval(expression); got != want {
		b.t.Errorf("%s: %s is %q, want %q", what, expression, got, want)
	}
}

// What the test asks the page for.
const (
	gammaShown  = `document.querySelector("#gamma-value").textContent`
	promptShown = `[...document.querySelectorAll("section.prompt")].filter(s => s.offsetHeight > 0).map(s => s.dataset.prompt).join()`
	focused     = `document.activeElement.id || document.activeElement.textContent.trim()`
	// viewed is the cell whose picture the first figure that is visible shows.
	viewed = `(() => {
		const figure = [...document.querySelectorAll("figure")].find(f => f.offsetHeight > 0);
		const shown = figure.querySelector(".shown").src;
		const cell = [...document.querySelectorAll("td img")].find(i => i.src === shown && i.offsetHeight > 0);
		return cell ? decodeURIComponent(cell.closest("a").getAttribute("href")) : "none";
	})()`
)

// TestReportInABrowser works the page by keyboard.
func TestReportInABrowser(t *testing.T) {
	g := small()
	g.Gammas = []string{"1", "1.2", "1.4"}
	f := begin(t, t.TempDir(), g, Shard{0, 1})
	cells := g.Cells()
	fill(t, f, cells[:len(cells)-1])
	if _, err := f.Report(); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	path, err := filepath.Abs(f.in(reportFile))
	if err != nil {
		t.Fatal(err)
	}
	b.open(path)
	b.expect("at first", gammaShown, "γ 1")
	b.expect("at first", promptShown, "0")
	b.expect("at first", viewed, "cells/"+g.File(cells[0]))

	byKeyboard(b, g, cells)
	b.expect("a picture that is missing", `[...document.querySelectorAll("section:not([hidden]) figcaption")].at(-1).textContent`, g.Label(cells[len(cells)-1])+", γ 1.4: not painted")
	b.expect("pictures without words", `[...document.querySelectorAll("td img, figure .shown[src]")].filter(i => !i.alt).length`, "0")
	b.expect("controls without a name", `[...document.querySelectorAll("input, select")].filter(i => !i.labels.length).length`, "0")
	b.expect("times", `document.querySelectorAll("#times-plot tbody tr").length + " " + document.querySelector("#times-plot tbody td:nth-child(2)").textContent`, "3 32")

	light := b.eval(`getComputedStyle(document.body).backgroundColor`)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}})
	if dark := b.eval(`getComputedStyle(document.body).backgroundColor`); dark == light {
		t.Errorf("dark and light paper are both %s", dark)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": false})
	b.expect("wider than a narrow screen", `[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > 390).map(e => e.tagName + "." + e.className).join()`, "")
	for _, e := range b.errors {
		t.Errorf("the page said: %s", e)
	}
}

// byKeyboard goes through all controls.
func byKeyboard(b *browser, g *Grid, cells []Cell) {
	b.t.Helper()
	b.press("ArrowRight")
	b.expect("right", gammaShown, "γ 1.2")
	b.expect("right", viewed, "cells/"+g.File(cells[1]))
	b.press("ArrowRight")
	b.press("ArrowRight") // there is no more
	b.expect("right at the end", gammaShown, "γ 1.4")
	b.press("ArrowLeft")
	b.expect("left", gammaShown, "γ 1.2")
	b.expect("left", `document.querySelector("#gamma").getAttribute("aria-valuetext")`, "γ 1.2")
	b.press("n")
	b.expect("n", promptShown, "1")
	b.expect("n", viewed, "cells/"+g.File(cells[len(cells)/2+1]))
	b.press("p")
	b.expect("p", promptShown, "0")
	b.press("d")
	b.expect("d", `getComputedStyle(document.querySelector(".shown")).mixBlendMode + " " + (document.querySelector(".base").src === document.querySelectorAll("td img")[0].src)`, "difference true")
	b.press("d")
	b.expect("d again", `getComputedStyle(document.querySelector(".shown")).mixBlendMode`, "normal")

	for _, want := range []string{"prompt", "gamma", "difference"} {
		b.press("Tab")
		b.expect("Tab", focused, want)
		switch want {
		case "gamma":
			b.press("End")
			b.expect("the slider's end", gammaShown, "γ 1.4")
			b.press("ArrowLeft") // once, although the page has that key, too
			b.expect("the slider's left", gammaShown, "γ 1.2")
		case "difference":
			b.press(" ")
			b.expect("space", `document.body.className`, "differing")
			b.press(" ")
		}
	}
	b.press("Tab") // the table, which scrolls
	b.expect("Tab", `document.activeElement.getAttribute("role")`, "region")
	b.press("Tab")
	b.expect("Tab", focused, "γ 1")
	b.press("Enter")
	b.expect("a column's button", gammaShown, "γ 1")
	b.expect("a column's button", `document.activeElement.getAttribute("aria-pressed")`, "true")
	b.press("n")
	b.eval(`document.querySelector("#gamma").focus()`)
	b.press("End")
}
