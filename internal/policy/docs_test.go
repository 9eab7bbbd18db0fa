package policy

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

// TestExportedNames sees that every name another package can use says what it
// is for.
func TestExportedNames(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.tree.Name.Name == "main" {
			continue
		}
		for _, d := range s.tree.Decls {
			for _, n := range undocumented(d) {
				t.Errorf("%s:%d: %s is exported and has no comment", s.path, s.line(n), n.Name)
			}
		}
	}
}

// undocumented are the exported names of a declaration that have no comment.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && receiverExported(d) && d.Doc == nil {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var all []*ast.Ident
		for _, spec := range d.Specs {
			all = append(all, undocumentedIn(spec, d.Doc != nil, d.Tok == token.TYPE)...)
		}
		return all
	}
	return nil
}

// undocumentedIn looks into one spec of a declaration. The comment of a group
// serves its constants and variables, but not its types.
func undocumentedIn(spec ast.Spec, group, types bool) []*ast.Ident {
	var all []*ast.Ident
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && !(group && types) {
			all = append(all, s.Name)
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && s.Doc == nil && s.Comment == nil && !group {
				all = append(all, n)
			}
		}
	}
	return all
}

// receiverExported is whether the type that a method belongs to is exported;
// true of functions.
func receiverExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	of := f.Recv.List[0].Type
	for {
		switch x := of.(type) {
		case *ast.StarExpr:
			of = x.X
		case *ast.IndexExpr:
			of = x.X
		case *ast.IndexListExpr:
			of = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// TestPackageComments sees that every package says in doc.go what it is; a
// program says it above main.
func TestPackageComments(t *testing.T) {
	said := map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		file, begins := "doc.go", "Package "+s.tree.Name.Name+" "
		if s.tree.Name.Name == "main" {
			file, begins = "main.go", "Command "
		}
		if path.Base(s.path) != file {
			if s.tree.Doc != nil && s.tree.Doc.Text() != "" {
				t.Errorf("%s has a package comment: its place is %s", s.path, file)
			}
			said[s.folder()] = said[s.folder()]
			continue
		}
		said[s.folder()] = true
		if !strings.HasPrefix(s.tree.Doc.Text(), begins) {
			t.Errorf("%s: the package comment does not begin with %q", s.path, begins)
		}
	}
	for folder, ok := range said {
		if !ok {
			t.Errorf("%s has no doc.go", folder)
		}
	}
}
