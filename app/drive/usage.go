package drive

// Usage is what a driver holds at a moment.
type Usage struct {
	// Operations run, those included that nobody waits for any more.
	Operations int
	// Regions and Txns are the entries of the region table, and of the cache of final transaction statuses.
	Regions, Txns int
}

// Usage returns what the driver holds now. Safe for concurrent use.
func (d *Driver) Usage() Usage {
	u := d.views.Load().usage
	u.Operations = int(d.live.Load())
	return u
}
