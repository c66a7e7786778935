package app

import "github.com/tikvx/tikvx/app/drive"

// Usage is what a client holds in memory at a moment, beside its connections. What it uses grows with what is asked of
// it, and comes back: an idle client runs no operations, and forgets regions that nobody has used for a while.
type Usage = drive.Usage

// Usage returns what the client holds now. Safe for concurrent use.
func (c *Client) Usage() Usage { return c.driver.Usage() }
