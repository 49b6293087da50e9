// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

const (
	maxFileLines     = 600
	maxFunctionLines = 80
)

// ambient maps a package to the functions that reach for the machine's clock,
// randomness or identity instead of being handed them.
var ambient = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
	"context":      {"WithTimeout", "WithDeadline", "WithTimeoutCause", "WithDeadlineCause"},
	"math/rand":    {"Int", "Intn", "Int31", "Int31n", "Int63", "Int63n", "Float64", "Perm", "Shuffle", "Uint32"},
	"math/rand/v2": {"Int", "IntN", "Int32", "Int32N", "Int64", "Int64N", "Float64", "Perm", "Shuffle", "Uint32", "N"},
	"os":           {"Hostname", "Getpid"},
}

var ambientFree = []string{"remoting", "cmd", "conformance", "internal/testkit", "internal/yardstick"}

func TestClockAndRandomnessArePassedIn(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || under(f.dir, ambientFree...) {
			continue
		}
		names := map[string]string{}
		for _, spec := range f.ast.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			name := path[strings.LastIndex(path, "/")+1:]
			if path == "math/rand/v2" {
				name = "rand"
			}
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = path
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || pkg.Obj != nil {
				return true
			}
			for _, banned := range ambient[names[pkg.Name]] {
				if sel.Sel.Name == banned {
					t.Errorf("%s uses %s.%s: take it as a dependency", f.at(sel.Pos()), pkg.Name, banned)
				}
			}
			return true
		})
	}
}

func TestGoroutinesStartInOnePlace(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || under(f.dir, "internal/run", "remoting", "conformance", "cmd/mqtools", "internal/yardstick", "internal/testkit") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if stmt, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine: use internal/run", f.at(stmt.Pos()))
			}
			return true
		})
	}
}

func TestFilesAndFunctionsStayShort(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		if lines := strings.Count(f.text, "\n"); lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", f.path, lines, maxFileLines)
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line
			if lines > maxFunctionLines && !under(f.dir, "internal/yardstick") {
				t.Errorf("%s: %s has %d lines, more than %d", f.at(fn.Pos()), fn.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

var (
	vagueName = regexp.MustCompile(`(Manager|Processor|Helper|Utils?|Impl)$`)
	leftOver  = regexp.MustCompile(`\b(TODO|FIXME|XXX:)`)
)

func TestNamesSayWhatThingsAre(t *testing.T) {
	for _, f := range sources(t) {
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if ts, ok := spec.(*ast.TypeSpec); ok && vagueName.MatchString(ts.Name.Name) {
					t.Errorf("%s: type %s says too little", f.at(ts.Pos()), ts.Name.Name)
				}
			}
		}
	}
}

func TestEveryFileHasItsLicenceAndNoLeftOvers(t *testing.T) {
	for _, f := range sources(t) {
		if !strings.HasPrefix(f.text, "// SPDX-License-Identifier: Apache-2.0\n") {
			t.Errorf("%s does not start with its SPDX line", f.path)
		}
		if f.dir != "internal/tidy" && leftOver.MatchString(f.text) {
			t.Errorf("%s holds a left-over note: put it in the ledger", f.path)
		}
	}
}
