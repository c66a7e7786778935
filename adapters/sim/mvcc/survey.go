package mvcc

// Pessimistic reports whether a key of the extent has a pessimistic lock.
func (e *Engine) Pessimistic(x Extent) bool {
	for at := e.keys.seekFunc(x.txnStart); ; at = e.keys.next(at) {
		entry := e.keys.at(at)
		if entry == nil || x.txnEnd(entry.key) {
			return false
		}
		if entry.value.locked && entry.value.lock.pessimistic() {
			return true
		}
	}
}
