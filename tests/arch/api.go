package arch

import (
	"go/types"
	"slices"
	"strings"
)

// checkAPI rejects types of other modules, and of our adapters, in what a package exports.
func checkAPI(p *pkg) []fault {
	if p.layer == nil || !p.layer.api || p.types == nil {
		return nil
	}
	var faults []fault
	scope := p.types.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		w := &apiWalk{own: p.types, seen: map[types.Type]bool{}}
		if tn, ok := obj.(*types.TypeName); ok && !tn.IsAlias() {
			w.declared(tn.Type().(*types.Named))
		} else {
			w.walk(obj.Type())
		}
		if len(w.foreign) > 0 {
			slices.Sort(w.foreign)
			names := strings.Join(slices.Compact(w.foreign), ", ")
			faults = append(faults, p.on(obj.Pos(), "exported %s mentions %s", name, names))
		}
	}
	return faults
}

// apiWalk collects the foreign types that can be seen through one exported identifier.
type apiWalk struct {
	own     *types.Package
	seen    map[types.Type]bool
	foreign []string
}

// declared walks what a type shows: its type parameters, exported fields, and exported methods.
func (w *apiWalk) declared(t *types.Named) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	w.typeParams(t.TypeParams())
	w.walk(t.Underlying())
	methods := types.NewMethodSet(types.NewPointer(t))
	for i := range methods.Len() {
		if m := methods.At(i).Obj(); m.Exported() {
			w.walk(m.Type())
		}
	}
}

func (w *apiWalk) typeParams(list *types.TypeParamList) {
	for i := range list.Len() {
		w.walk(list.At(i).Constraint())
	}
}

func (w *apiWalk) walk(t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		w.name(t.Obj())
		w.walk(types.Unalias(t))
	case *types.Named:
		w.name(t.Obj())
		for i := range t.TypeArgs().Len() {
			w.walk(t.TypeArgs().At(i))
		}
		// Exported types are walked for themselves, by the package that declares them.
		if t.Obj().Pkg() == w.own && !t.Obj().Exported() {
			w.declared(t)
		}
	case *types.Signature:
		w.typeParams(t.TypeParams())
		w.tuple(t.Params())
		w.tuple(t.Results())
	case *types.Struct:
		for i := range t.NumFields() {
			if f := t.Field(i); f.Exported() || f.Embedded() {
				w.walk(f.Type())
			}
		}
	case *types.Interface:
		for i := range t.NumExplicitMethods() {
			w.walk(t.ExplicitMethod(i).Type())
		}
		for i := range t.NumEmbeddeds() {
			w.walk(t.EmbeddedType(i))
		}
	case *types.Union:
		for i := range t.Len() {
			w.walk(t.Term(i).Type())
		}
	case *types.Map:
		w.walk(t.Key())
		w.walk(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		w.walk(t.Elem())
	}
}

func (w *apiWalk) tuple(t *types.Tuple) {
	for i := range t.Len() {
		w.walk(t.At(i).Type())
	}
}

// name judges the package that a type's name belongs to.
func (w *apiWalk) name(obj *types.TypeName) {
	if obj.Pkg() == nil || isStd(obj.Pkg().Path()) {
		return
	}
	if own, ok := ownPath(obj.Pkg().Path()); ok {
		if l := layerOf(own); l != nil && l.api {
			return
		}
	}
	w.foreign = append(w.foreign, obj.Pkg().Path()+"."+obj.Name())
}
