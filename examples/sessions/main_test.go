package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), "", &out))
	require.Equal(t, "session/1 is ada\nsession/2 is gone: true\n"+
		"one leads: true\ntwo leads: false\ntwo leads: true\n", out.String())
}
