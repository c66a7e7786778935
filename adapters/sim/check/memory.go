package check

// memory is where what is kept until the end of a run lies, many things in one piece, since a run keeps a lot.
type memory struct {
	keys []byte
	txns []watched
}

const (
	keyPiece = 1 << 14
	txnPiece = 64
)

// key keeps a copy of a key.
func (m *memory) key(key []byte) []byte {
	if len(m.keys)+len(key) > cap(m.keys) {
		m.keys = make([]byte, 0, max(len(key), keyPiece))
	}
	start := len(m.keys)
	m.keys = append(m.keys, key...)
	return m.keys[start:len(m.keys):len(m.keys)]
}

func (m *memory) watched() *watched {
	if len(m.txns) == 0 {
		m.txns = make([]watched, txnPiece)
	}
	t := &m.txns[0]
	m.txns = m.txns[1:]
	return t
}
