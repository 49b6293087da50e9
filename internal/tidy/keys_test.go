// SPDX-License-Identifier: Apache-2.0

package tidy

import (
	"go/ast"
	"reflect"
	"strconv"
	"testing"
)

// TestEveryKeyHasAMeaning: a key that nothing reads belongs to those that the log calls ignored, not to the
// configuration, where the tools list it and offer to change it.
func TestEveryKeyHasAMeaning(t *testing.T) {
	fields, read := map[string]string{}, map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				if key := confKey(n); key != "" && len(n.Names) == 1 {
					fields[n.Names[0].Name] = f.at(n.Pos()) + ": " + key
				}
			case *ast.SelectorExpr:
				read[n.Sel.Name] = true
			}
			return true
		})
	}
	if len(fields) == 0 {
		t.Error("no configuration keys found")
	}
	for name, place := range fields {
		if !read[name] {
			t.Errorf("%s: nothing reads it", place)
		}
	}
}

// confKey is the key that a struct's field is set by.
func confKey(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	tag, _ := strconv.Unquote(f.Tag.Value)
	return reflect.StructTag(tag).Get("conf")
}
