package simtest

import (
	"bytes"
	"io"
	"strings"
)

// story is the trace of a run on its way to whoever wants all of it; it keeps the lines that tell the story.
type story struct {
	to    [2]io.Writer
	part  []byte
	lines []string
}

// Write implements [io.Writer].
func (s *story) Write(p []byte) (int, error) {
	for _, w := range s.to {
		if w != nil {
			_, _ = w.Write(p)
		}
	}
	s.part = append(s.part, p...)
	for {
		line, rest, whole := bytes.Cut(s.part, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		s.keep(string(line))
		s.part = append(s.part[:0], rest...)
	}
}

// keep takes a line "t=1.0014s      !! reply-lost" if it is worth it.
func (s *story) keep(line string) {
	_, what, _ := strings.Cut(line, " ")
	what = strings.TrimSpace(what)
	if strings.HasPrefix(what, "!!") || strings.HasPrefix(what, "--") || strings.HasPrefix(what, "##") {
		s.lines = append(s.lines, line)
	}
}
