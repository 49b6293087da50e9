// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rocketd/protocol"
)

// TestEveryServedCodeHasRows holds the tables of requests against the families.
func TestEveryServedCodeHasRows(t *testing.T) {
	for to, file := range map[server]string{toBroker: "broker/requests.go", toNames: "namesrv/requests.go"} {
		covered := map[string]bool{}
		for _, f := range slices.Concat(families, transactionRows) {
			if f.to == to {
				covered[plain(protocol.RequestName(f.code))] = true
			}
		}
		served := servedCodes(t, file)
		require.Greater(t, len(served), 20, file)
		for _, name := range served {
			if !covered[plain(name)] {
				t.Errorf("%s is served by the %s and has no rows", name, to)
			}
		}
	}
}

// plain makes Java's spelling of a code's name and ours the same.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// servedCodes reads the names of the codes that a table of requests binds.
func servedCodes(t *testing.T, file string) (names []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", filepath.FromSlash(file)), nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		fn, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || fn.Sel.Name != "Handle" {
			return true
		}
		if code, ok := call.Args[1].(*ast.SelectorExpr); ok {
			names = append(names, code.Sel.Name)
		}
		return true
	})
	return names
}
