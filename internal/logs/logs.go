// SPDX-License-Identifier: Apache-2.0

// Package logs writes the log files that operators of RocketMQ know: one file for each part of a server, in lines of
// the form "time level part - message key=value", rotated.
package logs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"gopkg.in/natefinch/lumberjack.v2"
)

// Limits of one file, as upstream's logback files have them.
const (
	maxFileMB   = 128
	maxOldFiles = 10
)

// partFiles are the parts of a server that have a file of their own. All others share the server's main file.
var partFiles = map[string]string{"store": "store", "remoting": "remoting", "namesrv": "namesrv"}

// Files is a set of log files in one folder. They are made when they are first written to.
type Files struct {
	dir, main string

	mu     sync.Mutex
	open   map[string]*lumberjack.Logger
	format map[string]io.Writer
	failed bool // a failure was reported; the log's own trouble is told once, then the server goes on without it
}

// Open returns the files of dir. What belongs to no part with a file of its own goes to main + ".log".
func Open(dir, main string) *Files {
	return &Files{dir: dir, main: main, open: map[string]*lumberjack.Logger{}, format: map[string]io.Writer{}}
}

// Logger returns a logger whose events go to the file of their "part" field.
func (f *Files) Logger() zerolog.Logger {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	return zerolog.New(f).Level(zerolog.InfoLevel).With().Timestamp().Logger()
}

// Write takes one event in zerolog's JSON form.
func (f *Files) Write(event []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.writer(f.fileOf(event)).Write(event); err != nil && !f.failed {
		f.failed = true
		fmt.Fprintf(os.Stderr, "The log in %s cannot be written: %v\n", f.dir, err)
	}
	return len(event), nil
}

var partKey = []byte(`"part":"`)

// fileOf finds an event's part. A logger derived twice carries two, of which the last counts; the key cannot stand
// in a value, where its quotes would be escaped.
func (f *Files) fileOf(event []byte) string {
	at := bytes.LastIndex(event, partKey)
	if at < 0 {
		return f.main
	}
	part := event[at+len(partKey):]
	if end := bytes.IndexByte(part, '"'); end >= 0 {
		if file, ok := partFiles[string(part[:end])]; ok {
			return file
		}
	}
	return f.main
}

// writer returns the writer of one file. The caller holds mu.
func (f *Files) writer(file string) io.Writer {
	if w := f.format[file]; w != nil {
		return w
	}
	out := &lumberjack.Logger{Filename: filepath.Join(f.dir, file+".log"), MaxSize: maxFileMB, MaxBackups: maxOldFiles, LocalTime: true}
	w := zerolog.ConsoleWriter{
		Out:           out,
		NoColor:       true,
		TimeFormat:    "2006-01-02 15:04:05.000",
		PartsOrder:    []string{zerolog.TimestampFieldName, zerolog.LevelFieldName, "part", zerolog.MessageFieldName},
		FieldsExclude: []string{"part"},
		FormatLevel:   func(v any) string { return strings.ToUpper(text(v, "info")) },
		FormatPartValueByName: func(v any, _ string) string {
			return text(v, "main") + " -"
		},
	}
	f.open[file], f.format[file] = out, w
	return w
}

func text(v any, absent string) string {
	if s, ok := v.(string); ok {
		return s
	}
	return absent
}

// Close closes the files. A later event opens its file again.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failure error
	for _, file := range f.open {
		if err := file.Close(); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}
