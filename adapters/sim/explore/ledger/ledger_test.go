package ledger

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "states.tsv")
	table, err := Read(path)
	require.NoError(t, err, "a missing file is an empty table")
	require.Equal(t, "not in the table of states: add it with -update", table.Check("calm", 5, 1))

	table.Set("lose", 9, 2)
	table.Set("calm", 5, 1)
	require.NoError(t, table.Write(path))
	table, err = Read(path)
	require.NoError(t, err)
	require.Equal(t, []string{"lose", "calm"}, table.Names())
	require.Empty(t, table.Check("calm", 5, 1))
	require.Equal(t, 5, table.States("calm"))
	require.Zero(t, table.States("crash"))
	require.Equal(t, "4 states and 1 ends, the table says 5 and 1", table.Check("calm", 4, 1))
	require.Equal(t, "5 states and 2 ends, the table says 5 and 1", table.Check("calm", 5, 2))

	table.Set("calm", 5, 1)
	require.Empty(t, table.Check("calm", 5, 1), "nothing has changed")
	table.Set("calm", 4, 1)
	require.Equal(t, "4 states in place of 5: say why in the table", table.Check("calm", 4, 1))
	explained, err := Parse("calm\t4\t1\t5\tone round trip less\n")
	require.NoError(t, err)
	require.Empty(t, explained.Check("calm", 4, 1))
	require.Equal(t, header+"\ncalm\t4\t1\t5\tone round trip less\n", explained.String())
}

func TestBadTables(t *testing.T) {
	for text, want := range map[string]string{
		"calm\t4":                    "line 1: 2 columns, want 5",
		"calm\tmany\t1\t0\t":         `line 1: strconv.Atoi: parsing "many": invalid syntax`,
		header + "\ncalm\t1\tx\t0\t": `line 2: strconv.Atoi: parsing "x": invalid syntax`,
	} {
		_, err := Parse(text)
		require.EqualError(t, err, want)
	}
	_, err := Read(t.TempDir())
	require.Error(t, err)
	require.Error(t, (&Table{}).Write(t.TempDir()))
}
