package mvcc

// Lock returns the lock on a transactional key, nil when there is none. It must not be kept or changed.
func (e *Engine) Lock(key []byte) *Lock {
	at := e.keys.get(key)
	if at == nil {
		return nil
	}
	return at.value.lock
}
