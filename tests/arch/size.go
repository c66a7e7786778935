package arch

import (
	"go/ast"
	"go/token"
	"strings"
	"unicode/utf8"
)

// A file or function that is longer holds more than one concept; a line that is wider is not read.
const (
	maxFileLines = 600
	maxFuncLines = 70
	maxLineRunes = 120
)

// wideLines returns the numbers of the lines with more characters than maxLineRunes, a tab being one.
func wideLines(text string) []int {
	var wide []int
	n := 0
	for line := range strings.Lines(text) {
		n++
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > maxLineRunes {
			wide = append(wide, n)
		}
	}
	return wide
}

// checkSize measures files, functions and lines, those of tests included; generated files (…_gen.go) are exempt.
func checkSize(p *pkg) []fault {
	var faults []fault
	for _, f := range append(p.files, p.tests...) {
		if strings.HasSuffix(f.path, "_gen.go") {
			continue
		}
		if f.lines > maxFileLines {
			faults = append(faults, p.on(f.ast.Package, "file of %d lines, at most %d", f.lines, maxFileLines))
		}
		for _, n := range f.wide {
			at := p.fset.File(f.ast.Package).LineStart(n)
			faults = append(faults, p.on(at, "line of more than %d characters", maxLineRunes))
		}
		for _, decl := range f.ast.Decls {
			faults = append(faults, longFuncs(p, decl)...)
		}
	}
	return faults
}

// longFuncs reports a declared function, or the function literals of a variable, once for each.
func longFuncs(p *pkg, decl ast.Decl) []fault {
	var faults []fault
	measure := func(what string, n ast.Node) {
		if lines := p.line(n.End()) - p.line(n.Pos()) + 1; lines > maxFuncLines {
			faults = append(faults, p.at(n, "%s of %d lines, at most %d", what, lines, maxFuncLines))
		}
	}
	if fn, ok := decl.(*ast.FuncDecl); ok {
		// Its doc comment is not part of it.
		measure("function "+fn.Name.Name, &ast.FuncDecl{Name: fn.Name, Type: fn.Type, Body: fn.Body, Recv: fn.Recv})
		return faults
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		_, literal := n.(*ast.FuncLit)
		if literal {
			measure("function literal", n)
		}
		return !literal
	})
	return faults
}

func (p *pkg) line(pos token.Pos) int { return p.fset.Position(pos).Line }
