package arch

import (
	"maps"
	"slices"
)

// node is one package of the build as `go list` tells it.
type node struct {
	ImportPath string
	Dir        string
	Standard   bool
	Module     *struct{ Path string }
	Imports    []string
	Export     string
	// Files by kind; those of IgnoredGoFiles are excluded by a build constraint.
	GoFiles, CgoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
}

// graph is the build by import path.
type graph map[string]*node

// closure returns the packages that can be reached from those that match, themselves included.
func (g graph) closure(match func(*node) bool) map[string]*node {
	reached := map[string]*node{}
	var visit func(path string)
	visit = func(path string) {
		n := g[path]
		if n == nil || reached[path] != nil {
			return
		}
		reached[path] = n
		for _, next := range n.Imports {
			visit(next)
		}
	}
	for path, n := range g {
		if match(n) {
			visit(path)
		}
	}
	return reached
}

// foreignModules returns the modules other than ours of a set of packages.
func foreignModules(packages map[string]*node) []string {
	set := map[string]bool{}
	for _, n := range packages {
		if n.Module != nil && n.Module.Path != module {
			set[n.Module.Path] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// sponsors are the only modules that the library depends on by its own choice.
var sponsors = []string{kvproto, grpc, pdClient}

// uninvited returns the modules that users of the root package get and that the sponsors do not bring.
func uninvited(g graph) []string {
	all := g.closure(func(n *node) bool { return n.ImportPath == module })
	brought := graph(all).closure(func(n *node) bool {
		return n.Module != nil && slices.Contains(sponsors, n.Module.Path)
	})
	invited := foreignModules(brought)
	return slices.DeleteFunc(foreignModules(all), func(m string) bool { return slices.Contains(invited, m) })
}

// outsiders returns the foreign modules that ports, core and app depend on, which must be none.
func outsiders(g graph) []string {
	return foreignModules(g.closure(func(n *node) bool {
		own, ok := ownPath(n.ImportPath)
		return ok && slices.ContainsFunc([]string{"ports", "core", "app"}, func(l string) bool { return within(own, l) })
	}))
}
