package hub

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// expect is nil for an answer that brings what was asked for; else it says what
// the hub refuses, and what to do.
func (c *client) expect(r Reference, resp *http.Response) error {
	if resp.StatusCode < 400 {
		return nil
	}
	said := printable(resp.Header.Get("X-Error-Message"))
	page := c.config.Endpoint.JoinPath(r.Repository).String()
	switch code := resp.Header.Get("X-Error-Code"); {
	case code == "GatedRepo":
		return c.gated(r, page)
	case code == "RevisionNotFound":
		return refuse(r.Repository, "see "+page+"/tree/main for what there is", "it has no revision %s", r.Revision)
	case code == "EntryNotFound":
		return refuse(r.String(), "see "+page+"/tree/"+r.Revision, "the repository has no such file")
	case resp.StatusCode == http.StatusUnauthorized && strings.HasPrefix(said, "Invalid credentials"):
		return refuse(r.Repository, "make another at "+c.tokens(), "the hub does not know the token in %s (any more)", c.config.TokenFrom)
	case code == "RepoNotFound", resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound:
		return refuse(r.Repository, "is the name spelt right? see "+page+"; for a private one "+c.giveToken(), "the hub has no such repository, or none that it shows %s", c.whom())
	case resp.StatusCode == http.StatusForbidden, resp.StatusCode == http.StatusUnavailableForLegalReasons:
		return refuse(r.Repository, "see "+page, "the hub refuses it: %s", orStatus(said, resp))
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode >= 500:
		return temporary{fmt.Errorf("%s answers %s", resp.Request.URL.Host, orStatus("", resp)), retryAfter(resp.Header, time.Now())}
	}
	return fmt.Errorf("%s answers %s", resp.Request.URL.Host, orStatus(said, resp))
}

// gated tells what to click.
func (c *client) gated(r Reference, page string) error {
	if c.config.Token == "" {
		return refuse(r.Repository, fmt.Sprintf("accept its licence at %s, then %s", page, c.giveToken()), "the repository is gated")
	}
	return refuse(r.Repository, fmt.Sprintf("accept its licence at %s with the account of the token; a fine-grained token must also be allowed to read public gated repositories (%s)",
		page, c.tokens()), "the repository is gated, and the token in %s has no access to it", c.config.TokenFrom)
}

// tokens is where tokens are made.
func (c *client) tokens() string { return c.config.Endpoint.JoinPath("settings/tokens").String() }

// giveToken is how a token is given.
func (c *client) giveToken() string {
	return fmt.Sprintf("give a token (%s) in $HF_TOKEN or in the file %s", c.tokens(), c.config.TokenFile)
}

// whom is for whom the hub takes us.
func (c *client) whom() string {
	if c.config.Token == "" {
		return "without a token"
	}
	return "for the token in " + c.config.TokenFrom
}

// orStatus is what a server said, or else the words of its status.
func orStatus(said string, resp *http.Response) string {
	if said != "" {
		return said
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
}

// rateLimit is how the hub words for how long nothing is left (draft 9 of the
// IETF's RateLimit header).
var rateLimit = regexp.MustCompile(`;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)`)

// retryAfter is how long a server asks to wait, in seconds or until a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if m := rateLimit.FindStringSubmatch(h.Get("RateLimit")); text == "" && m != nil {
		text = m[1]
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
