// Package faults holds one fault for each check that the linters are trusted with.
package faults

// Kind is an enum; numKinds counts its constants and need not be listed.
type Kind uint8

// The kinds.
const (
	A Kind = iota
	B
	C
	numKinds
)

// Count is every kind there is.
const Count = int(numKinds)

// Missing lists two of three kinds and has no default.
func Missing(k Kind) int {
	switch k {
	case A:
		return 1
	case B:
		return 2
	}
	return 3
}

// Defaulted hides two kinds behind a default.
func Defaulted(k Kind) int {
	switch k {
	case A:
		return 1
	default:
		return 2
	}
}

// Complete is as it should be.
func Complete(k Kind) int {
	switch k {
	case A, B:
		return 1
	case C:
		return 2
	}
	return 3
}

func unused() {}
