// Package arch enforces the shape of the tree: which layer may import what, that core is pure, that nothing global is
// mutable, that no foreign type leaks into the public API, that the library prints nothing, and that files, functions
// and names stay within bounds. docs/DESIGN.md says why; this package says no.
//
// A rule is a function from a type-checked package to faults. To add one, write it, list it in [rules], and show in
// testdata what it rejects and what it must let pass: each archive there is a small tree whose lines say with a
// comment `want "…"` which fault they must raise, and every other line must raise none.
package arch
