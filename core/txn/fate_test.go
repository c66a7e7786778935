package txn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFate is the table of what a history of the critical request means.
func TestFate(t *testing.T) {
	for _, c := range []struct {
		name    string
		history []evidence
		want    fateKind
		doubt   bool
	}{
		{"nothing was submitted", nil, impossible, false},
		{"under way", []evidence{submitted}, maybe, false},
		{"not sent", []evidence{submitted, unapplied}, impossible, false},
		{"a region error", []evidence{submitted, unapplied, submitted, unapplied}, impossible, false},
		{"lost", []evidence{submitted, lost}, maybe, true},
		{"lost, then not sent", []evidence{submitted, lost, submitted, unapplied}, maybe, true},
		{"lost, then a region error, then lost", []evidence{submitted, lost, submitted, unapplied, submitted, lost},
			maybe, true},
		{"lost, then under way", []evidence{submitted, lost, submitted}, maybe, true},
		{"refused", []evidence{submitted, refused}, impossible, false},
		{"a key error after a loss proves nothing", []evidence{submitted, lost, submitted, refused}, maybe, true},
		{"success", []evidence{submitted, applied}, committed, false},
		{"late success", []evidence{submitted, lost, submitted, unapplied, submitted, applied}, committed, false},
		{"rolled back", []evidence{submitted, gone}, aborted, false},
		{"rolled back, found out after a loss", []evidence{submitted, lost, submitted, gone}, aborted, false},
		{"timestamp refused", []evidence{submitted, expired}, impossible, false},
		{"timestamp refused after a loss", []evidence{submitted, lost, submitted, expired}, impossible, false},
		{"lost again at the new timestamp", []evidence{submitted, lost, submitted, expired, submitted, lost}, maybe, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f fate
			for _, e := range c.history {
				f = f.fold(e)
			}
			require.Equal(t, c.want, f.kind, fateKinds[f.kind])
			require.Equal(t, c.doubt, f.doubt)
		})
	}
}

// TestFateIsFinal: what is proven stays, whatever is heard later.
func TestFateIsFinal(t *testing.T) {
	for _, proof := range []evidence{applied, gone} {
		f := fate{}.fold(submitted).fold(proof)
		for e := submitted; e <= applied; e++ {
			require.Equal(t, f, f.fold(e))
		}
	}
}
