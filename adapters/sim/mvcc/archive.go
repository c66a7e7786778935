package mvcc

// archive is where an engine keeps byte strings, many in one piece: they are never changed, and few are ever let go of.
// The pieces begin small, since exhaustive searches copy engines of a few keys.
type archive struct{ piece []byte }

const largestPiece = 1 << 14

// keep copies b; nil stays nil.
func (a *archive) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	if len(b) > cap(a.piece)-len(a.piece) {
		a.piece = make([]byte, 0, max(len(b), min(2*cap(a.piece), largestPiece)))
	}
	start := len(a.piece)
	a.piece = append(a.piece, b...)
	return a.piece[start:len(a.piece):len(a.piece)]
}

func (a *archive) keepAll(list [][]byte) [][]byte {
	var kept [][]byte
	for _, b := range list {
		kept = append(kept, a.keep(b))
	}
	return kept
}
