package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"unicode"
)

// empty words say nothing about what a thing is; TiKV's nouns do.
var emptyWords = []string{"mgr", "helper", "helpers", "util", "utils", "impl", "base"}

// checkNames looks for empty words in the names of folders, files and exported identifiers.
func checkNames(p *pkg) []fault {
	var faults []fault
	for _, f := range append(p.files, p.tests...) {
		stem := strings.TrimSuffix(path.Base(f.path), ".go")
		for _, part := range append(strings.Split(path.Dir(f.path), "/"), stem) {
			if word := emptyWord(part); word != "" {
				faults = append(faults, p.at(f.ast, "%q in the path", word))
			}
		}
	}
	for _, f := range p.files {
		for _, id := range exported(f.ast) {
			if id.Name == "Helper" && p.layer != nil && p.layer.support {
				continue // the method of testing.TB
			}
			if word := emptyWord(id.Name); word != "" {
				faults = append(faults, p.at(id, "%q in the exported name %s", word, id.Name))
			}
		}
	}
	return faults
}

// exported returns what a file declares for others: package-level names, methods, fields and interface methods.
func exported(f *ast.File) []*ast.Ident {
	var ids []*ast.Ident
	add := func(id *ast.Ident) {
		if id.IsExported() {
			ids = append(ids, id)
		}
	}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			add(d.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					for _, id := range s.Names {
						add(id)
					}
				case *ast.TypeSpec:
					add(s.Name)
					members(s.Type, add)
				}
			}
		}
	}
	return ids
}

// members adds the named fields and methods of a type, those of nested literals included.
func members(t ast.Expr, add func(*ast.Ident)) {
	ast.Inspect(t, func(n ast.Node) bool {
		var list *ast.FieldList
		switch n := n.(type) {
		case *ast.StructType:
			list = n.Fields
		case *ast.InterfaceType:
			list = n.Methods
		default:
			return true
		}
		for _, field := range list.List {
			for _, id := range field.Names {
				add(id)
			}
		}
		return true
	})
}

// emptyWord returns the first empty word in a name in CamelCase or snake_case.
func emptyWord(name string) string {
	for _, word := range words(name) {
		if slices.Contains(emptyWords, strings.ToLower(word)) {
			return word
		}
	}
	return ""
}

// words splits a name before each capital that follows a small letter or precedes one, and at everything that is no
// letter: "HTTPBaseURL_impl" is HTTP, Base, URL, impl.
func words(name string) []string {
	var all []string
	runes := []rune(name)
	start := 0
	cut := func(end int) {
		if end > start {
			all = append(all, string(runes[start:end]))
		}
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			cut(i)
			start = i + 1
		case i > start && unicode.IsUpper(r) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			cut(i)
			start = i
		}
	}
	cut(len(runes))
	return all
}
