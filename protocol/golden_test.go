// SPDX-License-Identifier: Apache-2.0

// The frames that Java 5.5.0 clients and servers exchanged (testdata/golden): every one decodes, and encodes again to
// what Java sent, equal in meaning.

package protocol

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goldenFrame is one line of frames.jsonl.
type goldenFrame struct {
	Path        string
	Kind        string
	RequestCode *int32 `json:"request_code"`
	Header      string
	Body        json.RawMessage
}

// text returns the recorded body where it was text.
func (g *goldenFrame) text() (string, bool) {
	var s string
	return s, json.Unmarshal(g.Body, &s) == nil && s != ""
}

// frame returns the recorded frame without its length bytes.
func (g *goldenFrame) frame() []byte {
	body, _ := g.text()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(g.Header)))
	return append(append(b, g.Header...), body...)
}

func readGolden(tb testing.TB) []goldenFrame { return readGoldenFile(tb, "frames.jsonl") }

func readGoldenFile(tb testing.TB, name string) []goldenFrame {
	f, err := os.Open("testdata/golden/" + name)
	require.NoError(tb, err)
	defer f.Close()
	var frames []goldenFrame
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var g goldenFrame
		require.NoError(tb, json.Unmarshal(lines.Bytes(), &g))
		frames = append(frames, g)
	}
	require.NoError(tb, lines.Err())
	require.NotEmpty(tb, frames)
	return frames
}

// findGolden returns the first frame of that request code and kind that has a text body.
func findGolden(tb testing.TB, code int32, kind string) string {
	for _, g := range readGolden(tb) {
		if g.RequestCode == nil || *g.RequestCode != code || g.Kind != kind {
			continue
		}
		if body, ok := g.text(); ok {
			return body
		}
	}
	tb.Fatalf("no recorded %s of code %d has a text body", kind, code)
	return ""
}

func mustDecode(tb testing.TB, frame []byte) *Command {
	c := new(Command)
	require.NoError(tb, Decode(frame, c), "%q", frame)
	return c
}

func mustAppend(tb testing.TB, c *Command) []byte {
	frame, err := Append(nil, c)
	require.NoError(tb, err)
	require.Equal(tb, len(frame)-4, int(binary.BigEndian.Uint32(frame)))
	return frame[4:]
}

func sortedFields(fields []Field) []Field {
	if fields == nil {
		return nil
	}
	out := append([]Field{}, fields...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

func TestGoldenFrames(t *testing.T) {
	for _, g := range readGolden(t) {
		c := mustDecode(t, g.frame())

		// The scanner must know what Java sends: nothing recorded takes the slow path.
		s := jsonScanner{src: []byte(g.Header)}
		require.True(t, s.header(new(Command)), "scanner gave up on %s", g.Header)

		var want, got map[string]any
		require.NoError(t, json.Unmarshal([]byte(g.Header), &want))
		again := mustAppend(t, c)
		header := again[4 : 4+binary.BigEndian.Uint32(again)&headerLenMask]
		require.NoError(t, json.Unmarshal(header, &got))
		if want["remark"] == "" {
			delete(want, "remark") // Java tells an empty remark from none, nobody reads the difference
		}
		require.Equal(t, want, got, "%s", header)
		if body, ok := g.text(); ok {
			require.Equal(t, body, string(c.Body))
			require.Equal(t, body, string(again[4+len(header):]))
		} else {
			require.Nil(t, c.Body)
		}
		// Fields stay in the order in which they came, so the text is the same too.
		require.Equal(t, strings.Replace(g.Header, `,"remark":""`, "", 1), string(header))

		binaryForm := *c
		binaryForm.Serialize = SerializeBinary
		back := mustDecode(t, mustAppend(t, &binaryForm))
		binaryForm.Fields = nil // the binary form cannot say "empty", of a field as of all of them
		for _, f := range c.Fields {
			if f.Value != "" {
				binaryForm.Fields = append(binaryForm.Fields, f)
			}
		}
		require.Equal(t, &binaryForm, back)
	}
}

// readableFields is a binary header without the fields whose value is empty: Java writes them and, reading, finds none.
func readableFields(header []byte) []byte {
	const fixed = 2 + 1 + 2 + 4 + 4 // code, language, version, opaque, flag
	be := binary.BigEndian
	at := fixed + 4 + int(be.Uint32(header[fixed:])) + 4
	kept := append([]byte(nil), header[:at]...)
	for fields := header[at:]; len(fields) > 0; {
		key := 2 + int(be.Uint16(fields))
		size := key + 4 + int(be.Uint32(fields[key:]))
		if size > key+4 {
			kept = append(kept, fields[:size]...)
		}
		fields = fields[size:]
	}
	be.PutUint32(kept[at-4:], uint32(len(kept)-at))
	return kept
}

// The same in the binary form, recorded by conformance/wire/record. There it is the same bytes.
func TestGoldenFramesInBinaryForm(t *testing.T) {
	codes := map[int32]bool{}
	for _, g := range readGoldenFile(t, "frames-rocketmq.jsonl") {
		header, err := base64.StdEncoding.DecodeString(g.Header)
		require.NoError(t, err)
		body, _ := g.text()
		frameOf := func(header []byte) []byte {
			frame := binary.BigEndian.AppendUint32(nil, uint32(SerializeBinary)<<24|uint32(len(header)))
			return append(append(frame, header...), body...)
		}
		c := mustDecode(t, frameOf(header))
		require.Equal(t, SerializeBinary, c.Serialize)
		require.Equal(t, g.Kind == "response", c.IsResponse())
		require.Equal(t, body, string(c.Body))
		require.Equal(t, frameOf(readableFields(header)), mustAppend(t, c))
		codes[*g.RequestCode] = true

		jsonForm := *c
		jsonForm.Serialize = SerializeJSON
		back := mustDecode(t, mustAppend(t, &jsonForm))
		back.Serialize = SerializeBinary
		require.Equal(t, c, back, "nothing is lost in the other form")
	}
	require.Greater(t, len(codes), 50)
}
