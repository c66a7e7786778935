package main

import (
	"context"
	"errors"
	"strings"

	"github.com/tikvx/tikvx"
	"github.com/tikvx/tikvx/adapters/pd"
)

// usageError is a command line that makes no sense.
type usageError string

// Error implements error.
func (e usageError) Error() string { return string(e) }

// explain returns an error's text with a hint for whoever typed the command, without the program's name, with which
// the library's errors begin, too, also inside of others. The cluster is simulated or a real one.
func explain(err error, simulated bool) string {
	text := strings.ReplaceAll(err.Error(), "tikvx: ", "")
	if hint := hintFor(err, simulated); hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

func hintFor(err error, simulated bool) string {
	var endpoint *pd.EndpointError
	switch {
	case errors.Is(err, tikvx.ErrNotFound):
		if simulated {
			return "without --pd the cluster is simulated and empty"
		}
	case errors.As(err, &endpoint):
		return "is PD running there? --pd takes host:port, or several with commas"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case tikvx.OutcomeOf(err) == tikvx.Unknown:
		return "the write may have happened: read before you try again"
	case errors.Is(err, tikvx.ErrUnavailable):
		return "are all stores up? a longer --timeout gives elections time"
	case errors.Is(err, tikvx.ErrUnsupported):
		return "another program left a lock of a kind that this version cannot resolve"
	case errors.As(err, new(usageError)), errors.Is(err, tikvx.ErrMisuse):
		return "see tikvx --help"
	}
	return ""
}
