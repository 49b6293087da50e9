// SPDX-License-Identifier: Apache-2.0

// mutation_test.go: the comparison is worth what it finds. Answers that Java gave are broken in one place each, sent
// through real connections, and must be told from the unbroken ones.

package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded is an answer of Java's.
type recorded struct {
	name, header string
	body         []byte
}

func (r recorded) frame() []byte { return rawFrame(0, []byte(r.header), r.body) }

// recordedAnswers are the answers with a text body, or none, among the recorded frames.
func recordedAnswers(t *testing.T) (answers []recorded) {
	f, err := os.Open("../../protocol/testdata/golden/frames.jsonl")
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Path, Kind, Header string
			Body               json.RawMessage
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		var text string
		if line.Kind != "response" || (json.Unmarshal(line.Body, &text) != nil && string(line.Body) != "null") {
			continue
		}
		answers = append(answers, recorded{line.Path + " " + line.Header[:min(len(line.Header), 40)], line.Header, []byte(text)})
	}
	require.NoError(t, lines.Err())
	require.Greater(t, len(answers), 40)
	return answers
}

// mutation breaks an answer in one place. It reports false where the answer has no such place.
type mutation struct {
	name   string
	aspect Aspect
	apply  func(r *recorded) bool
}

var (
	someCode  = regexp.MustCompile(`"code":(\d+)`)
	extFields = regexp.MustCompile(`"extFields":\{[^{}]*\},`)
	twoFields = regexp.MustCompile(`"extFields":\{("[^"]*":"[^"\\]*"),("[^"]*":"[^"\\]*")`)
	oneField  = regexp.MustCompile(`"extFields":\{("[^"]*"):"([^"\\]*)"(,?)`)
	remark    = regexp.MustCompile(`"remark":"([^"\\]+)`)
	// In bodies: two members side by side whose values are numbers.
	twoMembers = regexp.MustCompile(`("\w+":\d+),("\w+":\d+)`)
	oneNumber  = regexp.MustCompile(`("\w+":)(\d{1,9})([,}])`)
)

// header replaces in the header, body in the body.
func header(re *regexp.Regexp, with string) func(r *recorded) bool {
	return func(r *recorded) bool {
		was := r.header
		done := false
		r.header = re.ReplaceAllStringFunc(r.header, func(s string) string {
			if done {
				return s
			}
			done = true
			return re.ReplaceAllString(s, with)
		})
		return r.header != was
	}
}

func inBody(re *regexp.Regexp, with string) func(r *recorded) bool {
	return func(r *recorded) bool {
		at := re.FindSubmatchIndex(r.body)
		if at == nil {
			return false
		}
		changed := append([]byte{}, r.body[:at[0]]...)
		changed = re.Expand(changed, []byte(with), r.body, at)
		changed = append(changed, r.body[at[1]:]...)
		same := string(changed) == string(r.body)
		r.body = changed
		return !same
	}
}

func inHeader(old, with string) func(r *recorded) bool {
	return func(r *recorded) bool {
		was := r.header
		r.header = strings.Replace(r.header, old, with, 1)
		return r.header != was
	}
}

var mutations = []mutation{
	{"wrong code", Code, header(someCode, `"code":9$1`)},
	{"wrong remark", Value, header(remark, `"remark":"not $1`)},
	{"no remark", Presence, header(regexp.MustCompile(`"remark":"[^"\\]+(\\.[^"\\]*)*",`), ``)},
	{"a remark too many", Presence, func(r *recorded) bool {
		return !strings.Contains(r.header, "remark") && inHeader(`"serializeType`, `"remark":"extra","serializeType`)(r)
	}},
	{"no extFields", Presence, header(extFields, ``)},
	{"empty extFields", Presence, func(r *recorded) bool {
		return !strings.Contains(r.header, "extFields") && inHeader(`"flag"`, `"extFields":{},"flag"`)(r)
	}},
	{"missing field", Presence, header(oneField, `"extFields":{`)},
	{"wrong field", Value, header(oneField, `"extFields":{$1:"${2}0"$3`)},
	{"empty field", Value, func(r *recorded) bool {
		return !strings.Contains(r.header, `{"":`) && header(oneField, `"extFields":{$1:""$3`)(r)
	}},
	{"wrong order of fields", Order, header(twoFields, `"extFields":{$2,$1`)},
	{"wrong order of members", Envelope, header(regexp.MustCompile(`("flag":\d+),("language":"\w+")`), `$2,$1`)},
	{"wrong flag", Envelope, inHeader(`"flag":1`, `"flag":3`)},
	{"wrong language", Envelope, inHeader(`"JAVA"`, `"GO"`)},
	{"wrong version", Envelope, inHeader(`"version":513`, `"version":512`)},
	{"no body", Presence, func(r *recorded) bool { had := len(r.body) > 0; r.body = nil; return had }},
	{"a body too many", Presence, func(r *recorded) bool { had := len(r.body) > 0; r.body = []byte("{}"); return !had }},
	{"wrong number in the body", Value, inBody(oneNumber, `${1}1$2$3`)},
	{"number as text in the body", Presence, inBody(oneNumber, `$1"$2"$3`)},
	{"missing member of the body", Presence, inBody(regexp.MustCompile(`"\w+":\d+,`), ``)},
	{"wrong order in the body", Order, inBody(twoMembers, `$2,$1`)},
	{"quoted integer keys", Quoting, inBody(regexp.MustCompile(`\{(\d+):`), `{"$1":`)},
}

func TestEveryMutationIsFound(t *testing.T) {
	answers := recordedAnswers(t)
	for _, m := range mutations {
		applied := 0
		for _, original := range answers {
			broken := original
			if !m.apply(&broken) {
				continue
			}
			applied++
			found := differencesOnTheWire(t, original.frame(), broken.frame())
			rest, _ := Judge(found, nil)
			require.NotEmpty(t, rest, "%s of %s is not found:\n%s %s\n%s %s", m.name, original.name, original.header, original.body, broken.header, broken.body)
			require.Condition(t, func() bool {
				for _, d := range rest {
					if d.Aspect == m.aspect {
						return true
					}
				}
				return false
			}, "%s of %s: %v", m.name, original.name, rest)
			if applied == 5 {
				break
			}
		}
		require.Positive(t, applied, "no recorded answer can be broken so: %s", m.name)
	}
}

// The unbroken answers are the same, and the other header form is not.
func TestUnbrokenAnswersAreTheSame(t *testing.T) {
	for _, r := range recordedAnswers(t) {
		require.Empty(t, differencesOnTheWire(t, r.frame(), r.frame()), r.name)
	}
	r := recordedAnswers(t)[0]
	other := &Request{Code: 17, Flag: 1, Version: peerVersion}
	require.Contains(t, aspects(differencesOnTheWire(t, r.frame(), other.Frame(Binary))), Envelope)
}

func aspects(found []Difference) (list []Aspect) {
	for _, d := range found {
		list = append(list, d.Aspect)
	}
	return list
}

// differencesOnTheWire asks two servers that give these answers.
func differencesOnTheWire(t *testing.T, java, ours []byte) []Difference {
	t.Helper()
	var answers [2]Exchange
	for i, frame := range [][]byte{java, ours} {
		side := &Side{addr: answering(t, frame), mask: func(s string) string { return s }}
		answers[i] = side.Ask(Request{Code: 105}, JSON, answerTime)
		side.Close()
	}
	return Compare(answers[0], answers[1], Scope{})
}

// answering is a server that answers one request with a recorded frame, whose opaque becomes that of the request.
func answering(t *testing.T, frame []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var prefix [bytesLength]byte
		if _, err := io.ReadFull(conn, prefix[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(prefix[:]))); err != nil {
			return
		}
		_, _ = conn.Write(withOpaque(frame, 1)) // the first of a Side
	}()
	return l.Addr().String()
}

var anyOpaque = regexp.MustCompile(`"opaque":-?\d+`)

func withOpaque(frame []byte, opaque int32) []byte {
	if frame[bytesLength] == byte(Binary) {
		binary.BigEndian.PutUint32(frame[bytesLength+4+5:], uint32(opaque))
		return frame
	}
	length := binary.BigEndian.Uint32(frame[bytesLength:]) & 0xFFFFFF
	header := anyOpaque.ReplaceAll(frame[bytesLength+4:bytesLength+4+length], []byte(`"opaque":1`))
	return rawFrame(0, header, frame[bytesLength+4+length:])
}
