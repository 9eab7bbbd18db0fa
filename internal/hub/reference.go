package hub

import (
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// Reference names what to pull.
type Reference struct {
	Repository string // org/name
	Revision   string // a branch, a tag or a commit
	File       string // the one file that is meant; empty: what taca reads of a pipeline
}

// mainRevision is the branch that is meant where none is named.
const mainRevision = "main"

// syntax is how references are written, for messages.
const syntax = "write ORG/NAME, ORG/NAME/FILE or ORG/NAME@REVISION"

// repositoryName is what the hub allows, with a length that file systems can
// take.
var repositoryName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$`)

// ParseReference reads ORG/NAME[@REVISION][/FILE].
func ParseReference(text string) (Reference, error) {
	r := Reference{Revision: mainRevision}
	parts := strings.SplitN(text, "/", 3)
	if len(parts) < 2 {
		return r, fmt.Errorf("%q names no repository: %s", text, syntax)
	}
	name, revision, given := strings.Cut(parts[1], "@")
	rest := parts[2:]
	if given {
		r.Revision, rest = splitRevision(revision, rest)
	}
	r.Repository = parts[0] + "/" + name
	if len(rest) > 0 {
		r.File = rest[0]
	}
	switch {
	case !repositoryName.MatchString(r.Repository) || strings.Contains(r.Repository, "--") || strings.Contains(r.Repository, ".."):
		return r, fmt.Errorf("%q is no name of a repository: %s", text, syntax)
	case !plainName(r.Revision) || strings.HasSuffix(r.Revision, ".lock"):
		return r, fmt.Errorf("%q names no revision: give a branch, a tag or a commit after @", text)
	case len(rest) > 0 && !plainName(r.File):
		return r, fmt.Errorf("%q names no file of a repository: %s", text, syntax)
	}
	return r, nil
}

// splitRevision tells a revision from the file behind it. Slashes in a revision
// are written %2F, but in refs/pr/N and refs/convert/NAME as they are.
func splitRevision(revision string, rest []string) (string, []string) {
	if revision == "refs" && len(rest) > 0 {
		parts := strings.SplitN(rest[0], "/", 3)
		if len(parts) >= 2 && (parts[0] == "pr" || parts[0] == "convert") {
			return revision + "/" + parts[0] + "/" + parts[1], parts[2:]
		}
	}
	if plain, err := url.PathUnescape(revision); err == nil {
		revision = plain
	}
	return revision, rest
}

// bareRevision is a revision whose slashes need not be escaped.
var bareRevision = regexp.MustCompile(`^refs/(pr|convert)/[^/]+$`)

// String is the reference as ParseReference reads it.
func (r Reference) String() string {
	text := r.Repository
	switch {
	case r.Revision == mainRevision:
	case bareRevision.MatchString(r.Revision):
		text += "@" + r.Revision
	default:
		text += "@" + url.PathEscape(r.Revision)
	}
	if r.File != "" {
		text += "/" + r.File
	}
	return text
}

// plainName reports whether a name with slashes is one that every file system
// here can hold, below a folder and nowhere else.
func plainName(name string) bool {
	if !fs.ValidPath(name) || name == "." || len(name) > 1000 {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 200 {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}
