// SPDX-License-Identifier: Apache-2.0

package invariant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	Check(true, "holds")
	if On {
		require.PanicsWithValue(t, "invariant violated: end 3 before 4", func() { Check(false, "end %d before %d", 3, 4) })
	} else {
		require.NotPanics(t, func() { Check(false, "not checked") })
	}
}
