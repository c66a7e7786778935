// Package wire maps the vocabulary of ports to TiKV's protocol and back. The transport encodes requests and decodes
// replies, the simulator's server decodes requests and encodes replies; frames of the BatchCommands stream are handled
// in both directions.
//
// Requests are filled into kvproto messages that an [Encoder] uses again and again, and marshalled by kvproto's own
// code. Replies are read field by field without a message in between: a value that TiKV sends is a part of the received
// bytes, and what the client has no use for (execution details) is skipped. Rare parts, such as region errors and key
// errors, go through kvproto on the way in as well. A property test holds both ways against each other.
//
// Nothing here panics on what it is given: what cannot be decoded is [ErrMalformed].
package wire

import (
	"errors"
	"fmt"
)

// ErrMalformed reports bytes that are not what the protocol says.
var ErrMalformed = errors.New("malformed message")

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }
