package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/adapters/sim"
	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/ports"
)

// The numbers of a plain key and of one that has a life.
const (
	plain  = 2
	mortal = rawMortal * perFamily
)

// at lets time pass in a world in which nothing else happens.
func at(v *rawValues, d time.Duration) ports.Instant {
	v.world.Run(ports.Instant(time.Second).Add(d), nil)
	return v.world.Now()
}

func newValues(t *testing.T) *rawValues {
	w, err := sim.New(sim.Config{})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	v := &rawValues{world: w, known: map[string]*rawValue{}}
	v.begin("applied", rawValue{key: plain, began: at(v, 1)})
	v.end("applied", app.Applied, at(v, 2))
	v.begin("refused", rawValue{key: plain, began: at(v, 1)})
	v.end("refused", app.NotApplied, at(v, 2))
	v.begin("open", rawValue{key: plain, began: at(v, 1)})
	v.begin("short", rawValue{key: mortal, life: 3 * time.Second, began: at(v, 1)})
	v.end("short", app.Applied, at(v, 2))
	return v
}

func TestRawValuesAccept(t *testing.T) {
	v := newValues(t)
	now := at(v, time.Second)
	for _, text := range []string{"", "applied", "open"} {
		v.saw(plain, text, now)
	}
	v.saw(mortal, "short", now)
	v.own(mortal, "short", now)
	v.left(mortal, 3*time.Second)
	v.own(mortal, "", at(v, 2*time.Second+2)) // stores count whole seconds
	v.saw(mortal, "", at(v, 4*time.Second))
	require.Empty(t, v.wrong())
}

func TestRawValuesReject(t *testing.T) {
	for what, wrong := range map[string]func(v *rawValues){
		"which nobody wrote":       func(v *rawValues) { v.saw(plain, "thin air", v.world.Now()) },
		"nobody wrote to it":       func(v *rawValues) { v.saw(mortal, "applied", v.world.Now()) },
		"told not to be applied":   func(v *rawValues) { v.saw(plain, "refused", v.world.Now()) },
		"whose life of 3s is over": func(v *rawValues) { v.saw(mortal, "short", at(v, 4*time.Second)) },
		"has lost \"short\"":       func(v *rawValues) { v.own(mortal, "", at(v, time.Second)) },
		"\"other\" instead of":     func(v *rawValues) { v.own(mortal, "other", v.world.Now()) },
		"4s left to live":          func(v *rawValues) { v.left(mortal, 4*time.Second) },
		"0s left to live":          func(v *rawValues) { v.left(mortal, 0) },
		"3s left of the 1s": func(v *rawValues) {
			v.begin("next", rawValue{key: mortal, life: time.Second})
			v.end("next", app.Applied, v.world.Now())
			v.left(mortal, 3*time.Second)
		},
		"seen, and told not to be ": func(v *rawValues) { v.saw(plain, "open", 1); v.end("open", app.NotApplied, 2) },
	} {
		v := newValues(t)
		wrong(v)
		require.NotEmpty(t, v.wrong(), what)
		require.Contains(t, v.wrong()[0], what)
	}
}

// What arrives in doubt may arrive after what is certain.
func TestRawValuesInDoubt(t *testing.T) {
	v := newValues(t)
	for _, outcome := range []app.Outcome{app.Unknown, app.Applied} {
		v.begin("next", rawValue{key: mortal, life: time.Second})
		v.end("next", outcome, v.world.Now())
		v.own(mortal, "short", v.world.Now())
		v.left(mortal, 3*time.Second)
	}
	require.Empty(t, v.wrong())
}

// A raw write that arrives twice may bring back what another has replaced; what nobody wrote is wrong all the same.
func TestRawValuesRepeated(t *testing.T) {
	v := newValues(t)
	v.world.Crash(1)
	v.own(mortal, "", v.world.Now())
	v.saw(plain, "thin air", v.world.Now())
	v.saw(mortal, "short", at(v, 4*time.Second))
	require.True(t, v.repeated())
	require.Len(t, v.wrong(), 1)
	v.saw(mortal, "short", at(v, 3*time.Second+belated+time.Second))
	require.Len(t, v.wrong(), 2)
	require.True(t, new(rawValues).repeated())
}

// An order need not explain what has no answer and was not seen, and cannot explain a deletion without one.
func TestDefiniteCalls(t *testing.T) {
	v := newValues(t)
	v.begin("lost", rawValue{key: plain + 1})
	v.saw(plain, "open", at(v, 3))
	write := func(key int, value string, unknown bool) RegisterOp {
		return RegisterOp{Register: key, Kind: RegisterWrite, New: value, Unknown: unknown}
	}
	read := RegisterOp{Register: plain, Found: "open"}
	seen := write(plain, "open", false)
	seen.Ended = v.world.Now()
	require.Equal(t, []RegisterOp{write(plain, "applied", false), seen, read}, v.definite([]RegisterOp{
		write(plain, "applied", false), write(plain, "open", true), read, write(plain+1, "lost", true),
		write(plain+2, "", true), {Register: plain + 2, Found: "x"}, write(mortal, "short", false),
	}))
}
