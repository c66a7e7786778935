package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// checkState rejects mutable package-level state in the library. What may stand at package level: interface
// assertions (var _ X = …), error sentinels, and unexported tables that nothing changes.
func checkState(p *pkg) []fault {
	if p.layer == nil || !p.layer.library {
		return nil
	}
	var faults []fault
	for _, f := range p.files {
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					faults = append(faults, variables(p, d)...)
				}
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					faults = append(faults, p.at(d, "init function (importing the library must do nothing)"))
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			faults = append(faults, mutations(p, n)...)
			return true
		})
	}
	return faults
}

// variables judges one package-level var declaration by what it declares.
func variables(p *pkg, d *ast.GenDecl) []fault {
	var faults []fault
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		for i, id := range s.Names {
			obj := p.info.Defs[id]
			if id.Name == "_" || obj == nil {
				continue
			}
			var value ast.Expr
			if i < len(s.Values) {
				value = s.Values[i]
			}
			switch {
			case value == nil:
				faults = append(faults, p.at(id, "variable %s without a value", id.Name))
			case isSentinel(id.Name, obj.Type()):
			case id.IsExported():
				faults = append(faults, p.at(id, "exported variable %s", id.Name))
			default:
				if why := mutable(p.info.TypeOf(value), nil); why != "" {
					faults = append(faults, p.at(id, "variable %s holds %s", id.Name, why))
				}
			}
		}
	}
	return faults
}

// isSentinel reports whether a variable is an error by type and by name.
func isSentinel(name string, t types.Type) bool {
	err := types.Universe.Lookup("error").Type().Underlying().(*types.Interface)
	return strings.HasPrefix(strings.ToLower(name), "err") && types.Implements(t, err)
}

// frozen are pointers to what nothing changes once it is made.
var frozen = []string{"*regexp.Regexp", "*hash/crc32.Table", "*hash/crc64.Table"}

// mutable says what part of a type can change without an assignment to the variable, or nothing.
func mutable(t types.Type, seen []types.Type) string {
	if slices.Contains(frozen, t.String()) || slices.Contains(seen, t) {
		return ""
	}
	seen = append(seen, t)
	if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Pkg() != nil {
		if path := named.Obj().Pkg().Path(); within(path, "sync") {
			return path + "." + named.Obj().Name()
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return "a pointer"
	case *types.Chan:
		return "a channel"
	case *types.Array:
		return mutable(u.Elem(), seen)
	case *types.Slice:
		return mutable(u.Elem(), seen)
	case *types.Map:
		return mutable(u.Elem(), seen)
	case *types.Struct:
		for i := range u.NumFields() {
			if why := mutable(u.Field(i).Type(), seen); why != "" {
				return why
			}
		}
	}
	return ""
}

// mutators change the slice or map that is their first argument.
var mutators = map[string][]string{
	"slices": {"Sort", "SortFunc", "SortStableFunc", "Reverse", "Delete", "DeleteFunc", "Insert", "Replace", "Compact",
		"CompactFunc"},
	"maps": {"Copy", "DeleteFunc", "Insert"},
	"sort": {"Ints", "Strings", "Float64s", "Slice", "SliceStable", "Sort", "Stable"},
}

// mutations finds where a node changes a package-level variable, of whatever package, or makes it changeable.
func mutations(p *pkg, n ast.Node) []fault {
	var faults []fault
	touched := func(how string, e ast.Expr) {
		if v := global(p, e); v != nil {
			faults = append(faults, p.at(e, "%s package-level variable %s", how, v.Name()))
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, left := range n.Lhs {
				touched("assignment to", left)
			}
		}
	case *ast.IncDecStmt:
		touched("assignment to", n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			touched("assignment to", n.Key)
			if n.Value != nil {
				touched("assignment to", n.Value)
			}
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			touched("address of", n.X)
		}
	case *ast.SliceExpr:
		if _, array := p.info.TypeOf(n.X).Underlying().(*types.Array); array {
			touched("slice of", n.X)
		}
	case *ast.SelectorExpr:
		if takesAddress(p, n) {
			touched("method with a pointer receiver on", n.X)
		}
	case *ast.CallExpr:
		if len(n.Args) > 0 && changesFirst(p, n.Fun) {
			touched("change of", n.Args[0])
		}
	}
	return faults
}

// global returns the package-level variable in which an expression is stored, reaching through fields, elements and
// pointers; nil if it is none, or blank.
func global(p *pkg, e ast.Expr) *types.Var {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			if p.info.Selections[x] == nil { // a qualified name of another package
				e = x.Sel
				continue
			}
			e = x.X
		case *ast.Ident:
			v, ok := p.info.Uses[x].(*types.Var)
			if !ok || v.Pkg() == nil || v.Parent() != v.Pkg().Scope() {
				return nil
			}
			return v
		default:
			return nil
		}
	}
}

// takesAddress reports whether a selector calls a method with a pointer receiver on a value, which takes its address.
func takesAddress(p *pkg, s *ast.SelectorExpr) bool {
	sel := p.info.Selections[s]
	if sel == nil || sel.Kind() != types.MethodVal {
		return false
	}
	_, wants := sel.Obj().(*types.Func).Signature().Recv().Type().(*types.Pointer)
	_, has := sel.Recv().Underlying().(*types.Pointer)
	return wants && !has
}

func changesFirst(p *pkg, fun ast.Expr) bool {
	switch f := ast.Unparen(fun).(type) {
	case *ast.Ident:
		b, ok := p.info.Uses[f].(*types.Builtin)
		return ok && slices.Contains([]string{"append", "clear", "copy", "delete"}, b.Name())
	case *ast.SelectorExpr:
		fn, ok := p.info.Uses[f.Sel].(*types.Func)
		return ok && fn.Pkg() != nil && slices.Contains(mutators[fn.Pkg().Path()], fn.Name())
	case *ast.IndexExpr: // with explicit type arguments
		return changesFirst(p, f.X)
	}
	return false
}
