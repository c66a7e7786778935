package wire

import (
	"encoding/binary"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"github.com/tikvx/tikvx/ports"
)

// Fields of BatchCommandsRequest and BatchCommandsResponse.
const (
	fieldCommands = 1
	fieldIDs      = 2
	fieldFeedback = 4
)

// AppendCommand appends one command, a request or a reply, to a frame of BatchCommands. A frame is all its commands and
// then, by [AppendIDs], their ids. A nil body of a reply is the answer to a command that the server does not know.
func AppendCommand(dst []byte, verb ports.Verb, body []byte) []byte {
	number := commandOf(verb).batch
	if number == 0 {
		return append(appendTag(dst, fieldCommands, typeBytes), 0)
	}
	inner := uvarintLen(uint64(number)<<3|typeBytes) + uvarintLen(uint64(len(body))) + len(body)
	dst = binary.AppendUvarint(appendTag(dst, fieldCommands, typeBytes), uint64(inner))
	return appendBytes(dst, number, body)
}

// AppendIDs ends a frame with the ids of its commands, in their order.
func AppendIDs(dst []byte, ids []uint64) []byte {
	n := 0
	for _, id := range ids {
		n += uvarintLen(id)
	}
	dst = binary.AppendUvarint(appendTag(dst, fieldIDs, typeBytes), uint64(n))
	for _, id := range ids {
		dst = binary.AppendUvarint(dst, id)
	}
	return dst
}

// Command is one command of a received frame. Its body is a part of the frame.
type Command struct {
	ID uint64
	// Known is false for a command that this package has no verb for.
	Known bool
	Verb  ports.Verb
	Body  []byte
}

// Empty reports whether the command is none at all: so a server answers what it does not know.
func (c *Command) Empty() bool { return !c.Known && c.Body == nil }

// Frame is a received frame of BatchCommands. Its memory is used again by the next Parse.
type Frame struct {
	Commands []Command
	// Feedback is what the store says of its own health, nil when it says nothing.
	Feedback *kvrpcpb.HealthFeedback
}

// Parse takes a frame of either direction apart. The error is [ErrMalformed].
func (fr *Frame) Parse(b []byte) error {
	fr.Commands, fr.Feedback = fr.Commands[:0], nil
	ids := 0
	var f field
	var ok bool
	for len(b) > 0 {
		if b, ok = f.next(b); !ok {
			return malformed("batch")
		}
		switch {
		case f.is(fieldCommands):
			c, err := parseCommand(f.bytes)
			if err != nil {
				return err
			}
			fr.Commands = append(fr.Commands, c)
		case f.is(fieldIDs):
			for list := f.bytes; len(list) > 0; {
				id, n := binary.Uvarint(list)
				if n <= 0 || !fr.name(&ids, id) {
					return malformed("ids of a batch")
				}
				list = list[n:]
			}
		case f.number == fieldIDs && f.kind == typeVarint:
			if !fr.name(&ids, f.value) {
				return malformed("ids of a batch")
			}
		case f.is(fieldFeedback):
			fr.Feedback = new(kvrpcpb.HealthFeedback)
			if fr.Feedback.Unmarshal(f.bytes) != nil {
				return malformed("health feedback")
			}
		case f.number <= fieldIDs:
			return malformed("batch")
		}
	}
	if ids != len(fr.Commands) {
		return malformed("ids of a batch")
	}
	return nil
}

// name gives the next command its id. Commands come before their ids: every encoder writes fields in their order.
func (fr *Frame) name(ids *int, id uint64) bool {
	if *ids >= len(fr.Commands) {
		return false
	}
	fr.Commands[*ids].ID = id
	*ids++
	return true
}

// parseCommand finds the one field of a command.
func parseCommand(b []byte) (Command, error) {
	var c Command
	var f field
	var ok bool
	for len(b) > 0 {
		if b, ok = f.next(b); !ok {
			return c, malformed("command")
		}
		if f.kind != typeBytes {
			continue
		}
		c.Body = f.bytes
		c.Verb, c.Known = verbOfField(f.number)
	}
	return c, nil
}
