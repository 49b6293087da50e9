// SPDX-License-Identifier: Apache-2.0

package mqadmin

import (
	"regexp"
	"slices"
	"strings"
)

// mask is a figure that is another one each time.
type mask struct {
	expression *regexp.Regexp
	name       string
}

var masks = []mask{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d([,.:]\d+)?`), "TIME"},
	{regexp.MustCompile(`\b[0-9A-F]{32,56}\b`), "ID"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "MS"},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+:\d+\b`), "ADDR"},
	{regexp.MustCompile(`(CommitLog Offset: +|commitLogOffset=)\d+`), "${1}N"},
	{regexp.MustCompile(` *\b\d+\.\d+\b`), " F"},
}

var (
	stackLine = regexp.MustCompile(`^\tat |^\t\.\.\. \d+ more`)
	blanks    = regexp.MustCompile(`[ \t]+`)
)

// mask makes outputs comparable. Those of different servers have columns of different widths.
func (r *run) mask(s step, p printed, servers bool) printed {
	p = printed{r.withNames(p.out), r.withNames(p.err)}
	if s.mask != "" {
		p.out = regexp.MustCompile("(?m)"+s.mask).ReplaceAllString(p.out, " N")
	}
	out := maskLines(p.out, servers)
	if s.only != "" {
		only := regexp.MustCompile(s.only)
		out = slices.DeleteFunc(out, func(line string) bool { return !only.MatchString(line) })
	}
	if s.drop != "" {
		drop := regexp.MustCompile(s.drop)
		out = slices.DeleteFunc(out, drop.MatchString)
	}
	if s.sorted {
		slices.Sort(out)
	}
	return printed{strings.Join(out, "\n"), strings.Join(maskLines(p.err, servers), "\n")}
}

// withNames puts the script's names back in for what they stand for.
func (r *run) withNames(text string) string {
	for _, name := range []string{"p", "ns", "broker", "dir"} {
		text = strings.ReplaceAll(text, r.words[name], "{"+name+"}")
	}
	return strings.ReplaceAll(text, r.cluster.Home, "{home}")
}

func maskLines(text string, servers bool) []string {
	for _, m := range masks {
		text = m.expression.ReplaceAllString(text, m.name)
	}
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if stackLine.MatchString(line) {
			continue
		}
		if servers {
			line = strings.TrimSpace(blanks.ReplaceAllString(line, " "))
		}
		lines = append(lines, line)
	}
	return lines
}

// commonLines keeps the lines whose keys both have.
func commonLines(a, b printed) (printed, printed) {
	keep := func(text, other string) string {
		keys := map[string]bool{}
		for line := range strings.SplitSeq(other, "\n") {
			key, _, _ := strings.Cut(line, " = ")
			keys[strings.TrimSpace(key)] = true
		}
		var kept []string
		for line := range strings.SplitSeq(text, "\n") {
			if key, _, _ := strings.Cut(line, " = "); keys[strings.TrimSpace(key)] {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "\n")
	}
	return printed{keep(a.out, b.out), a.err}, printed{keep(b.out, a.out), b.err}
}

// difference shows the lines that only one of both has.
func difference(java, ours printed) string {
	var out strings.Builder
	for _, pair := range [][2]string{{java.out, ours.out}, {java.err, ours.err}} {
		a, b := strings.Split(pair[0], "\n"), strings.Split(pair[1], "\n")
		before := out.Len()
		for _, line := range a {
			if !slices.Contains(b, line) {
				out.WriteString("  java: " + line + "\n")
			}
		}
		for _, line := range b {
			if !slices.Contains(a, line) {
				out.WriteString("  ours: " + line + "\n")
			}
		}
		if out.Len() == before && pair[0] != pair[1] {
			out.WriteString("  the same lines in another order:\n" + pair[1] + "\n  where Java prints\n" + pair[0] + "\n")
		}
	}
	return out.String()
}
