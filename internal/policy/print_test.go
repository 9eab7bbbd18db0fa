package policy

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// prints are the calls by which a library would talk past the program. An
// empty list stands for the whole package.
var prints = map[string][]string{
	"fmt": {"Print", "Printf", "Println"},
	"os":  {"Stdout", "Stderr"},
	"log": {},
}

// TestPrint sees that only commands write to the terminal.
func TestPrint(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || strings.HasPrefix(s.path, "cmd/") {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				from, ok := n.X.(*ast.Ident)
				if !ok {
					break
				}
				if names, listed := prints[from.Name]; listed && (len(names) == 0 || slices.Contains(names, n.Sel.Name)) {
					t.Errorf("%s:%d: %s.%s outside cmd", s.path, s.line(n), from.Name, n.Sel.Name)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
					t.Errorf("%s:%d: %s outside cmd", s.path, s.line(n), f.Name)
				}
			}
			return true
		})
	}
}
