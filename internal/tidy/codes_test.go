// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/compat"
	"rocketd/internal/tidy/ledgertext"
)

// sentOnly are requests that servers send and never receive.
var sentOnly = []string{"CheckTransactionState", "NotifyConsumerIDsChanged", "ResetConsumerClientOffset", "GetConsumerStatusFromClient", "PushReplyMessageToClient"}

func TestEveryRequestCodeIsServedSentOrLedgered(t *testing.T) {
	files := sources(t)
	codes := requestCodes(t, files)
	covered := map[string]bool{}
	for _, name := range sentOnly {
		require.Contains(t, codes, name)
		covered[name] = true
	}
	for _, name := range registered(files) {
		require.Contains(t, codes, name, "a request table names a code that protocol/codes.go has not")
		covered[name] = true
	}
	ledgered := map[int32]string{}
	for _, e := range compat.Ledger {
		for _, code := range e.Codes {
			ledgered[code] = e.ID
		}
	}
	for name, value := range codes {
		_, inLedger := ledgered[value]
		switch {
		case covered[name] && inLedger:
			t.Errorf("%s (%d) is served or sent and still stands in the ledger as %s", name, value, ledgered[value])
		case !covered[name] && !inLedger:
			t.Errorf("%s (%d) is neither served nor sent nor in the ledger", name, value)
		}
	}
}

// requestCodes reads the constants of the first block of protocol/codes.go
// that is marked as the request codes.
func requestCodes(t *testing.T, files []goFile) map[string]int32 {
	t.Helper()
	codes := map[string]int32{}
	for _, f := range files {
		if f.path != "protocol/codes.go" {
			continue
		}
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST || !strings.Contains(gen.Doc.Text(), "Request codes") {
				continue
			}
			for _, spec := range gen.Specs {
				vs := spec.(*ast.ValueSpec)
				if lit, ok := vs.Values[0].(*ast.BasicLit); ok {
					n, err := strconv.ParseInt(lit.Value, 10, 32)
					require.NoError(t, err)
					codes[vs.Names[0].Name] = int32(n)
				}
			}
		}
	}
	require.Greater(t, len(codes), 150, "protocol/codes.go lists the request codes in const blocks whose comment says so")
	return codes
}

// registered lists the code names bound in the request tables.
func registered(files []goFile) []string {
	var names []string
	for _, f := range files {
		if filepath.Base(f.path) != "requests.go" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "protocol" {
				names = append(names, sel.Sel.Name)
			}
			return true
		})
	}
	return names
}

func TestLedger(t *testing.T) {
	ids := map[string]bool{}
	codes := map[int32]string{}
	for _, e := range compat.Ledger {
		require.NotEmpty(t, e.ID)
		require.False(t, ids[e.ID], "two ledger lines are called %s", e.ID)
		ids[e.ID] = true
		require.NotEmpty(t, e.What, e.ID)
		require.NotEmpty(t, e.Reason, e.ID)
		require.Contains(t, []compat.Status{compat.Open, compat.Deliberate}, e.Status, e.ID)
		for _, code := range e.Codes {
			require.Empty(t, codes[code], "code %d stands in %s and %s", code, codes[code], e.ID)
			codes[code] = e.ID
		}
	}
	page, err := os.ReadFile(filepath.Join(moduleRoot(t), "LEDGER.md"))
	require.NoError(t, err)
	require.Equal(t, ledgertext.Markdown(), string(page), "LEDGER.md is stale: go generate ./compat")
}
