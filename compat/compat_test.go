// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestHashString(t *testing.T) {
	for s, want := range map[string]int32{ // as Java prints them
		"": 0, "a": 97, "TagA": 2598919, "TagB": 2598920, "中文": 646394, "😀x": 54959989, "TopicTest#key-1": 204089217,
		"polygenelubricants": -2147483648, "\x01": 1, "café": 3045921,
	} {
		require.Equal(t, want, HashString(s), "%q", s)
	}
	require.Equal(t, HashString("a\ufffdb"), HashString("a\xffb"))
}

func TestVersionName(t *testing.T) {
	for v, want := range map[int32]string{
		0: "V3_0_0_SNAPSHOT", 37: "V3_0_11", 121: "V3_4_9", 232: "V4_1_0_SNAPSHOT", 409: "V4_9_8", 479: "V5_3_3",
		Version: "V5_5_0", 611: "V5_9_9", 612: "HIGHER_VERSION", 613: "HIGHER_VERSION", -1: "HIGHER_VERSION",
	} {
		require.Equal(t, want, VersionName(v), "%d", v)
	}
}

func TestParseBool(t *testing.T) {
	for s, want := range map[string]bool{"true": true, "TRUE": true, "True": true, "": false, " true": false, "1": false, "yes": false} {
		require.Equal(t, want, ParseBool(s), "%q", s)
	}
}

func mustParse(t *testing.T, text string) []Property {
	t.Helper()
	properties, err := ParseProperties([]byte(text))
	require.NoError(t, err)
	return properties
}

// The file holds what Java made of the same texts.
func TestParsePropertiesLikeJava(t *testing.T) {
	recorded, err := os.ReadFile("testdata/properties.txt")
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(recorded)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		words := unquoteAll(t, line)
		properties, err := ParseProperties([]byte(words[0]))
		if len(words) == 2 && words[1] == "ERR" {
			require.Error(t, err, line)
			continue
		}
		require.NoError(t, err, line)
		got := words[:1:1]
		for _, p := range properties {
			got = append(got, p.Key, p.Value)
		}
		require.Equal(t, words, got, line)
	}
}

func unquoteAll(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimSpace(line); line != "" && line != "ERR"; line = strings.TrimSpace(line) {
		quoted, err := strconv.QuotedPrefix(line)
		require.NoError(t, err, line)
		word, err := strconv.Unquote(quoted)
		require.NoError(t, err, line)
		words, line = append(words, word), line[len(quoted):]
	}
	if line != "" {
		words = append(words, line)
	}
	return words
}

func TestParsePropertiesLines(t *testing.T) {
	require.Equal(t, []Property{
		{"a", "1", 2, 2}, {"b", "23", 4, 6}, {"c", "", 9, 9},
	}, mustParse(t, "# x\na=1\r\n\r\nb=2\\\r\n  \\\n3\n\n! y \\\nc"))
	_, err := ParseProperties([]byte("a=1\nb=\\uzz"))
	require.EqualError(t, err, "line 2: malformed \\uxxxx encoding")
}

// Java would read the bytes of UTF-8 one by one; people write UTF-8 and mean it.
func TestParsePropertiesTakesUTF8(t *testing.T) {
	require.Equal(t, []Property{{"名", "中文", 1, 1}}, mustParse(t, "名=中文"))
}

func TestAppendEscapedProperty(t *testing.T) {
	for _, p := range []Property{
		{Key: "a", Value: "b"}, {Key: "a b=c:d#e!f\\", Value: "  x = y #z\\ \t\n\r\f"}, {Key: "", Value: ""}, {Key: "名", Value: "é😀"}, {Key: "#k", Value: "\tv"},
	} {
		text := string(AppendEscapedProperty(nil, p.Key, p.Value))
		p.Line, p.LastLine = 1, 1
		require.Equal(t, []Property{p}, mustParse(t, text), text)
		require.NotContains(t, text, "\n")
	}
	require.Equal(t, `storePathRootDir=C:\\store dir\u00E9`, string(AppendEscapedProperty(nil, "storePathRootDir", `C:\store diré`)))
	require.Equal(t, "a=b=c\n", string(AppendProperty(nil, "a", "b=c")))
}

// FuzzProperties: no text makes ParseProperties panic; line numbers grow; what was read is read again when it is written.
func FuzzProperties(f *testing.F) {
	for _, seed := range []string{"a=b", "a\\\n b : c", "# x\n\\u00e9=\\", "\xff=\xfe", "a=\\ud83d\\ude00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		properties, err := ParseProperties(text)
		if err != nil {
			return
		}
		line := 0
		for _, p := range properties {
			require.Less(t, line, p.Line)
			require.LessOrEqual(t, p.Line, p.LastLine)
			require.True(t, utf8.ValidString(p.Key) && utf8.ValidString(p.Value))
			line = p.LastLine
			again := mustParse(t, string(AppendEscapedProperty(nil, p.Key, p.Value)))
			require.Equal(t, []Property{{p.Key, p.Value, 1, 1}}, again)
		}
	})
}
