package arch

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// pkg is one package of the tree. Files of tests are parsed but not type-checked.
type pkg struct {
	path         string // relative to the module, "." being the root
	layer        *layer
	files, tests []*file
	types        *types.Package
	info         *types.Info
	fset         *token.FileSet
}

// file is one Go file.
type file struct {
	path  string // relative to the module
	lines int
	// wide are the numbers of the lines that are too long.
	wide []int
	ast  *ast.File
}

// fault is one broken rule.
type fault struct {
	pos  token.Position
	text string
}

func (f fault) String() string { return fmt.Sprintf("%s:%d: %s", f.pos.Filename, f.pos.Line, f.text) }

// at makes a fault out of the place of a node.
func (p *pkg) at(n ast.Node, format string, args ...any) fault { return p.on(n.Pos(), format, args...) }

func (p *pkg) on(pos token.Pos, format string, args ...any) fault {
	return fault{p.fset.Position(pos), fmt.Sprintf(format, args...)}
}

// rule is a name with the function that finds the faults of one package.
type rule struct {
	name  string
	check func(*pkg) []fault
}

var rules = []rule{
	{"imports", checkImports},
	{"pure", checkPure},
	{"state", checkState},
	{"api", checkAPI},
	{"quiet", checkQuiet},
	{"size", checkSize},
	{"names", checkNames},
}

// parseTree groups Go sources by folder. Keys are slash-separated paths relative to the module.
func parseTree(sources map[string][]byte) (map[string]*pkg, error) {
	pkgs, fset := map[string]*pkg{}, token.NewFileSet()
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		parsed, err := parser.ParseFile(fset, name, sources[name], parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		f := &file{
			path: name, ast: parsed, lines: strings.Count(string(sources[name]), "\n"), wide: wideLines(string(sources[name])),
		}
		dir := path.Dir(name)
		p := pkgs[dir]
		if p == nil {
			p = &pkg{path: dir, layer: layerOf(dir), fset: fset}
			pkgs[dir] = p
		}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, f)
		} else {
			p.files = append(p.files, f)
		}
	}
	return pkgs, nil
}

// checker type-checks packages in the order in which they import each other.
type checker struct {
	pkgs    map[string]*pkg
	foreign types.Importer
	// open are the packages whose check has begun and not ended.
	open map[string]bool
}

// typeCheck fills in types and info. Packages that are not in the tree come from exports, which maps an import path
// to the file with its export data.
func typeCheck(pkgs map[string]*pkg, exports map[string]string) error {
	open := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	}
	c := &checker{pkgs, importer.ForCompiler(token.NewFileSet(), "gc", open), map[string]bool{}}
	for _, dir := range slices.Sorted(maps.Keys(pkgs)) {
		if _, err := c.check(dir); err != nil {
			return err
		}
	}
	return nil
}

// Import implements types.Importer.
func (c *checker) Import(importPath string) (*types.Package, error) {
	if own, ok := ownPath(importPath); ok && c.pkgs[own] != nil {
		return c.check(own)
	}
	return c.foreign.Import(importPath)
}

func (c *checker) check(dir string) (*types.Package, error) {
	p := c.pkgs[dir]
	if p.types != nil || len(p.files) == 0 {
		return p.types, nil
	}
	if c.open[dir] {
		return nil, fmt.Errorf("import cycle through %s", dir)
	}
	c.open[dir] = true
	defer delete(c.open, dir)
	importPath := module
	if dir != "." {
		importPath += "/" + dir
	}
	var asts []*ast.File
	for _, f := range p.files {
		asts = append(asts, f.ast)
	}
	p.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
		// Selections tell a method call through a value from a qualified name.
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	var faults []error
	conf := types.Config{Importer: c, Error: func(err error) { faults = append(faults, err) }}
	p.types, _ = conf.Check(importPath, p.fset, asts, p.info)
	return p.types, errors.Join(faults...)
}

// judge applies every rule to every package, in order of position.
func judge(pkgs map[string]*pkg) []fault { return apply(rules, pkgs) }

// measure applies to sources that are not type-checked the rules that need no types.
func measure(pkgs map[string]*pkg) []fault {
	return apply([]rule{
		{"imports", checkImports}, {"pure", checkHidden}, {"size", checkSize}, {"names", checkNames},
	}, pkgs)
}

func apply(rules []rule, pkgs map[string]*pkg) []fault {
	var all []fault
	for _, p := range pkgs {
		for _, r := range rules {
			for _, f := range r.check(p) {
				f.text = r.name + ": " + f.text
				all = append(all, f)
			}
		}
	}
	slices.SortFunc(all, func(a, b fault) int { return strings.Compare(a.String(), b.String()) })
	return all
}
