package policy

import (
	"go/ast"
	"testing"
)

// The most lines there may be.
const (
	inFile     = 400
	inTest     = 600
	inFunction = 60
)

// longer are the exceptions, by file or by file and function, each with a
// reason.
var longer = map[string]string{}

func TestFileLength(t *testing.T) {
	for _, s := range sources(t) {
		most := inFile
		if s.isTest() {
			most = inTest
		}
		if n := s.set.File(s.tree.Pos()).LineCount(); n > most && longer[s.path] == "" {
			t.Errorf("%s has %d lines, at most %d are allowed: make it two, by concept", s.path, n, most)
		}
	}
}

func TestFunctionLength(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.lines(f); n > inFunction && longer[s.path+" "+f.Name.Name] == "" {
				t.Errorf("%s:%d: %s has %d lines, at most %d are allowed", s.path, s.line(f), f.Name.Name, n, inFunction)
			}
		}
	}
}

// TestNoInit sees that nothing happens before main does.
func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s:%d: func init: call it from where it is needed", s.path, s.line(f))
			}
		}
	}
}

// TestExceptions sees that each is still needed.
func TestExceptions(t *testing.T) {
	needed := map[string]bool{}
	for _, s := range sources(t) {
		n := s.set.File(s.tree.Pos()).LineCount()
		needed[s.path] = n > inTest || n > inFile && !s.isTest()
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.lines(f) > inFunction {
				needed[s.path+" "+f.Name.Name] = true
			}
		}
	}
	for name, reason := range longer {
		if !needed[name] || reason == "" {
			t.Errorf("the exception for %s is not needed any more, or has no reason", name)
		}
	}
}
