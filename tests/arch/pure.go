package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// pureStd are the packages that core may import, with the names that may be used of each; nil means all of them.
var pureStd = map[string][]string{
	"bytes": nil, "cmp": nil, "encoding/binary": nil, "errors": nil, "math": nil, "math/bits": nil,
	"slices": nil, "sort": nil, "strconv": nil, "strings": nil, "unicode/utf8": nil,
	"hash": nil, "hash/crc32": nil, "hash/crc64": nil, "hash/fnv": nil,
	"container/heap": nil,
	// Iterators that are functions, not those that are coroutines.
	"iter": {"Seq", "Seq2"},
	// The others of package maps iterate in random order.
	"maps": {"Clone", "Copy", "Equal", "EqualFunc"},
	// Formatting, not output.
	"fmt": {"Append", "Appendf", "Errorf", "Fprint", "Fprintf", "Sprint", "Sprintf", "Stringer"},
	// Instants are ports.Instant; only lengths of time come from package time.
	"time": {"Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"},
}

// driven are the interfaces of ports that only drivers call: core emits effects instead.
var driven = []string{"Network", "Oracle", "Placement", "Timers", "Observer", "Sink"}

// checkPure rejects what would make a state machine depend on anything but its events.
func checkPure(p *pkg) []fault {
	if p.layer == nil || !p.layer.pure {
		return nil
	}
	var faults []fault
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if why := impure(p, n); why != "" {
				faults = append(faults, p.at(n, "%s in core", why))
			}
			return true
		})
	}
	return faults
}

// checkHidden rejects files that a build constraint hides from the other rules.
func checkHidden(p *pkg) []fault {
	if p.layer == nil || !p.layer.pure {
		return nil
	}
	var faults []fault
	for _, f := range p.files {
		faults = append(faults, p.at(f.ast, "file excluded by a build constraint in core"))
	}
	return faults
}

// impure says what is wrong with one node, or nothing.
func impure(p *pkg, n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement"
	case *ast.SelectStmt:
		return "select statement"
	case *ast.ChanType:
		return "channel type"
	case *ast.SendStmt:
		return "channel send"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "channel receive"
		}
	case *ast.RangeStmt:
		return impureRange(p.info.TypeOf(n.X))
	case *ast.Ident:
		if obj := p.info.Uses[n]; obj != nil {
			return impureUse(obj)
		}
	}
	return ""
}

func impureRange(t types.Type) string {
	for _, u := range underlying(t) {
		switch u.(type) {
		case *types.Map:
			return "range over a map (its order differs from run to run)"
		case *types.Chan:
			return "range over a channel"
		}
	}
	return ""
}

// underlying returns the underlying types that a value of type t can have: more than one if t is a type parameter.
func underlying(t types.Type) []types.Type {
	param, ok := types.Unalias(t).(*types.TypeParam)
	if !ok {
		return []types.Type{t.Underlying()}
	}
	var all []types.Type
	constraint := param.Constraint().Underlying().(*types.Interface)
	for i := range constraint.NumEmbeddeds() {
		switch e := types.Unalias(constraint.EmbeddedType(i)).(type) {
		case *types.Union:
			for j := range e.Len() {
				all = append(all, e.Term(j).Type().Underlying())
			}
		default:
			all = append(all, e.Underlying())
		}
	}
	return all
}

// impureUse judges a use of something that another package declares, also through a value that came from elsewhere:
// a mutex does not become pure by being a field of somebody else's struct.
func impureUse(obj types.Object) string {
	if _, isName := obj.(*types.PkgName); isName || obj.Pkg() == nil {
		return ""
	}
	name, path := owner(obj), obj.Pkg().Path()
	if path == module+"/ports" && slices.Contains(driven, name) {
		return "driven interface ports." + name + " (machines emit effects)"
	}
	if name == "" || !isStd(path) {
		return ""
	}
	if names, ok := pureStd[path]; !ok || names != nil && !slices.Contains(names, name) {
		return path + "." + name
	}
	return ""
}

// owner is the package-level name that an object belongs to: its own, or that of a method's receiver. Other objects
// (fields, parameters, methods of unnamed interfaces) have none.
func owner(obj types.Object) string {
	if obj.Parent() == obj.Pkg().Scope() {
		return obj.Name()
	}
	if f, ok := obj.(*types.Func); ok && f.Signature().Recv() != nil {
		t := types.Unalias(f.Signature().Recv().Type())
		if ptr, ok := t.(*types.Pointer); ok {
			t = types.Unalias(ptr.Elem())
		}
		if named, ok := t.(*types.Named); ok {
			return named.Obj().Name()
		}
	}
	return ""
}
