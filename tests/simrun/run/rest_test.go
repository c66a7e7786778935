package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tikvx/tikvx/app"
	"github.com/tikvx/tikvx/core/sm"
)

func TestExcesses(t *testing.T) {
	short, usual := sm.DefaultKnobs(), sm.DefaultKnobs()
	short.RegionTTL, short.TxnStatusEntries = time.Second, 4
	require.Empty(t, excesses(app.Usage{Txns: 4}, &short))
	require.Empty(t, excesses(app.Usage{Regions: 9, Txns: 5}, &usual))
	require.Len(t, excesses(app.Usage{Regions: 1, Txns: 5}, &short), 2)
}
