// SPDX-License-Identifier: Apache-2.0

// Command sqlbench measures how many SQL92 expressions a second our filter and the original's evaluate over the same
// messages' properties, on one thread, taking turns. It writes its table into docs/benchmarks.md. `make bench-sql` runs it.
package main

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rocketd/broker/filter"
	"rocketd/conformance/target"
	"rocketd/internal/yardstick/rounds"
	"rocketd/protocol/message"
)

var (
	count    = flag.Int("rounds", 3, "rounds that count")
	warmUp   = flag.Duration("warm", 3*time.Second, "load before each of Java's figures")
	measured = flag.Duration("time", time.Second, "length of each measurement")
	program  = flag.String("java", "conformance/sqlbench/Warm.java", "Java's side")
	doc      = flag.String("doc", "docs/benchmarks.md", "file that the table goes into; empty: only print it")
)

var expressions = []string{
	"a > 4",
	"region = 'eu' AND a BETWEEN 3 AND 6",
	"region IN ('eu', 'us', 'asia') OR price > 99.5",
	"TAGS CONTAINS 'ag' AND missing IS NULL",
	"a BETWEEN 3 AND 6 AND (region IN ('eu', 'us') OR price > 1.5) AND NOT (b = 7 AND missing IS NOT NULL)",
}

// messages are property texts as producers' messages have them: some match, some do not.
func messages() (texts [][]byte) {
	for i := range 16 {
		var p []byte
		for _, pair := range [][2]string{{"KEYS", fmt.Sprint("order", i)}, {"UNIQ_KEY", fmt.Sprintf("7F0000010000721A00000000000026%02X", i)}, {"WAIT", "true"},
			{"TAGS", fmt.Sprint("Tag", i%3)}, {"a", fmt.Sprint(i % 10)}, {"b", fmt.Sprint(i % 8)}, {"region", []string{"eu", "us", "af"}[i%3]}, {"price", fmt.Sprintf("%d.25", i*10)}} {
			p = message.AppendProperty(p, pair[0], pair[1])
		}
		texts = append(texts, p)
	}
	return texts
}

// figures are those of one expression, a round each.
type figures struct{ ours, java, alone rounds.Values }

func main() {
	flag.Parse()
	if err := measure(); err != nil {
		fmt.Fprintln(os.Stderr, "sqlbench:", err)
		os.Exit(1)
	}
}

func measure() error {
	lib, err := target.JavaLib()
	if err != nil {
		return err
	}
	texts, all, allocs := messages(), make([]figures, len(expressions)), make([]float64, len(expressions))
	for range *count {
		java, err := askJava(lib, texts)
		if err != nil {
			return err
		}
		for i, text := range expressions {
			e, err := filter.Compile(text)
			if err != nil {
				return err
			}
			pass := func() {
				for _, p := range texts {
					e.Matches(p)
				}
			}
			all[i].ours = append(all[i].ours, perSecond(pass, len(texts)))
			all[i].java, all[i].alone = append(all[i].java, java[i][0]), append(all[i].alone, java[i][1])
			allocs[i] = testing.AllocsPerRun(1000, pass) / float64(len(texts))
		}
	}
	text := markdown(all, allocs)
	fmt.Println(text)
	if *doc == "" {
		return nil
	}
	return rounds.Insert(*doc, "bench-sql", text)
}

func perSecond(pass func(), size int) float64 {
	start, passes := time.Now(), 0
	for time.Since(start) < *measured {
		for range 1000 {
			pass()
		}
		passes += 1000
	}
	return float64(passes*size) / time.Since(start).Seconds()
}

// askJava returns the two figures of each expression.
func askJava(lib string, texts [][]byte) (answers [][2]float64, err error) {
	var in bytes.Buffer
	for _, e := range expressions {
		in.WriteString(base64.StdEncoding.EncodeToString([]byte(e)))
		for _, t := range texts {
			in.WriteString(" " + base64.StdEncoding.EncodeToString(t))
		}
		in.WriteByte('\n')
	}
	cmd := exec.Command("java", "-cp", lib, *program, fmt.Sprint(warmUp.Seconds()), fmt.Sprint(measured.Seconds()))
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", *program, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		var a [2]float64
		if _, err := fmt.Sscan(line, &a[0], &a[1]); err != nil {
			return nil, fmt.Errorf("%s answered %q: %w", *program, line, err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(expressions) {
		return nil, fmt.Errorf("%s answered %d of %d expressions", *program, len(answers), len(expressions))
	}
	return answers, nil
}

func markdown(all []figures, allocs []float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Millions of evaluations a second on one thread, medians of %d rounds (least to greatest in brackets); Java after %v of the same load.\n\n", *count, *warmUp)
	b.WriteString("| expression | ours | allocations | Java 5.5.0 | Java, properties read before | ours / Java | ours / Java's expression alone |\n|---|---|---|---|---|---|---|\n")
	for i, f := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %.2f | %s | %s | %s | %s |\n", expressions[i], millions(f.ours), allocs[i], millions(f.java), millions(f.alone),
			rounds.Ratio(f.ours.Median(), f.java.Median()), rounds.Ratio(f.ours.Median(), f.alone.Median()))
	}
	return b.String()
}

func millions(v rounds.Values) string {
	scaled := make(rounds.Values, len(v))
	for i := range v {
		scaled[i] = v[i] / 1e6
	}
	return scaled.Spread()
}
