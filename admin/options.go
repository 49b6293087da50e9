// SPDX-License-Identifier: Apache-2.0

// options.go: a command's options, read and explained as Java's tools do it. Java: commons-cli's DefaultParser and
// HelpFormatter. Scripts depend on the spellings that it accepts: -t T, -tT, -t=T, --topic T, --topic=T, -topic T, and
// any prefix of a long name that is not ambiguous.

package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	helpWidth     = 110
	helpUsageTab  = 7 // where a wrapped usage line goes on: behind "usage: "
	helpColumnGap = 3
)

// option is one option of a command.
type option struct {
	short, long string
	text        string
	arg         bool // takes a value
	required    bool
	group       string // of options of the same group at most one may be given, and one must if they are required
}

// commonOptions are those of every command.
func commonOptions() []option {
	return []option{
		{short: "h", long: "help", text: "Print help"},
		{short: "n", long: "namesrvAddr", arg: true, text: "Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'"},
	}
}

// given are the options of a command line.
type given map[string]string // by short name

func (g given) has(short string) bool { _, ok := g[short]; return ok }

// text returns an option's value without surrounding blanks.
func (g given) text(short string) string { return strings.TrimSpace(g[short]) }

// misuse says in Java's words what is wrong with a command line.
func misuse(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

type usageError string

func (e usageError) Error() string { return string(e) }

// parser reads one command line.
type parser struct {
	options  []option
	found    given
	selected map[string]string // group -> short name
	current  *option           // waits for its value
}

// parseOptions reads args. The error is the line that Java prints above the help.
func parseOptions(options []option, args []string) (given, error) {
	p := &parser{options: options, found: given{}, selected: map[string]string{}}
	for _, token := range args {
		if token == "--" {
			break // what follows are no options, and the commands have no other arguments
		}
		if err := p.token(token); err != nil {
			return nil, err
		}
	}
	if p.current != nil {
		return nil, misuse("Missing argument for option: %s", p.current.short)
	}
	return p.found, p.missing()
}

func (p *parser) token(token string) error {
	switch {
	case p.current != nil && !p.looksLikeOption(token):
		p.value(unquote(token))
		return nil
	case strings.HasPrefix(token, "--"):
		return p.long(token)
	case strings.HasPrefix(token, "-") && len(token) > 1:
		return p.shortOrLong(token)
	default:
		return nil // Java keeps stray words and nobody reads them
	}
}

// looksLikeOption says that a token is not the value of the option before it.
func (p *parser) looksLikeOption(token string) bool {
	name, hyphen := strings.CutPrefix(token, "-")
	if !hyphen || name == "" {
		return false
	}
	bare, _, _ := strings.Cut(strings.TrimPrefix(name, "-"), "=")
	if len(p.matching(bare)) > 0 {
		return true
	}
	if strings.HasPrefix(name, "-") {
		return false
	}
	name, _, _ = strings.Cut(name, "=")
	return p.byShort(name) != nil || (name != "" && p.byShort(name[:1]) != nil)
}

func (p *parser) long(token string) error {
	name, value, assigned := strings.Cut(strings.TrimPrefix(token, "--"), "=")
	matches := p.matching(name)
	switch {
	case len(matches) == 0 && !assigned && p.byShort(name) != nil:
		return p.take(p.byShort(name))
	case len(matches) == 0:
		return misuse("Unrecognized option: %s", token)
	case len(matches) > 1:
		var names []string
		for _, o := range matches {
			names = append(names, "'"+o.long+"'")
		}
		return misuse("Ambiguous option: '--%s'  (could be: %s)", name, strings.Join(names, ", "))
	case assigned && !matches[0].arg:
		return misuse("Unrecognized option: %s", token)
	}
	if err := p.take(matches[0]); err != nil {
		return err
	}
	if assigned {
		p.value(value)
	}
	return nil
}

func (p *parser) shortOrLong(token string) error {
	name, value, assigned := strings.Cut(token[1:], "=")
	if o := p.byShort(name); o != nil {
		if assigned && !o.arg {
			return misuse("Unrecognized option: %s", token)
		}
		if err := p.take(o); err != nil {
			return err
		}
		if assigned {
			p.value(value)
		}
		return nil
	}
	if len(p.matching(name)) > 0 {
		return p.long("-" + token)
	}
	for i := range len(token) - 1 {
		o := p.byShort(token[i+1 : i+2])
		if o == nil {
			return misuse("Unrecognized option: %s", token)
		}
		if err := p.take(o); err != nil {
			return err
		}
		if rest := token[i+2:]; o.arg && rest != "" {
			p.value(rest)
			return nil
		}
	}
	return nil
}

// take notes that an option was given.
func (p *parser) take(o *option) error {
	if p.current != nil {
		return misuse("Missing argument for option: %s", p.current.short)
	}
	if o.group != "" {
		if other, ok := p.selected[o.group]; ok && other != o.short {
			return misuse("The option '%s' was specified but an option from this group has already been selected: '%s'", o.short, other)
		}
		p.selected[o.group] = o.short
	}
	if o.arg {
		p.current = o
		return nil
	}
	p.found[o.short] = ""
	return nil
}

// value ends an option that waits. Of an option given twice the first value counts.
func (p *parser) value(text string) {
	if !p.found.has(p.current.short) {
		p.found[p.current.short] = text
	}
	p.current = nil
}

func (p *parser) byShort(name string) *option {
	for i := range p.options {
		if p.options[i].short == name {
			return &p.options[i]
		}
	}
	return nil
}

// matching returns the option with that long name, or those whose long names begin with it.
func (p *parser) matching(name string) []*option {
	var found []*option
	for i := range p.options {
		switch o := &p.options[i]; {
		case o.long == name:
			return []*option{o}
		case name != "" && strings.HasPrefix(o.long, name):
			found = append(found, o)
		}
	}
	return found
}

func (p *parser) missing() error {
	var names []string
	seen := map[string]bool{}
	for _, o := range p.options {
		switch {
		case !o.required:
		case o.group == "":
			if !p.found.has(o.short) {
				names = append(names, o.short)
			}
		case !seen[o.group] && p.selected[o.group] == "":
			names = append(names, "["+strings.Join(memberTexts(p.options, o.group), ", ")+"]")
		}
		seen[o.group] = true
	}
	switch len(names) {
	case 0:
		return nil
	case 1:
		return misuse("Missing required option: %s", names[0])
	default:
		return misuse("Missing required options: %s", strings.Join(names, ", "))
	}
}

func memberTexts(options []option, group string) []string {
	var texts []string
	for _, o := range options {
		if o.group == group {
			texts = append(texts, "-"+o.short+" "+o.text)
		}
	}
	return texts
}

// unquote takes one pair of quotation marks off a value.
func unquote(text string) string {
	if len(text) > 1 && strings.HasPrefix(text, `"`) && strings.HasSuffix(text, `"`) && !strings.Contains(text[1:len(text)-1], `"`) {
		return text[1 : len(text)-1]
	}
	return text
}

// help explains a command's options.
func help(program string, options []option) string {
	sorted := slices.SortedFunc(slices.Values(options), func(a, b option) int {
		return cmp.Compare(strings.ToLower(a.short), strings.ToLower(b.short))
	})
	var out strings.Builder
	wrap(&out, helpUsageTab, "usage: "+program+" "+usage(sorted))
	var columns []string
	width := 0
	for _, o := range sorted {
		column := " -" + o.short + ",--" + o.long
		if o.arg {
			column += " <arg>"
		}
		columns = append(columns, column)
		width = max(width, len(column))
	}
	for i, o := range sorted {
		wrap(&out, width+helpColumnGap, fmt.Sprintf("%-*s%s", width+helpColumnGap, columns[i], o.text))
	}
	return out.String()
}

// usage lists options in one line. The blanks that a group leaves behind are Java's.
func usage(sorted []option) string {
	var parts []string
	shown := map[string]bool{}
	for _, o := range sorted {
		switch {
		case o.group == "" && o.required:
			parts = append(parts, synopsis(o))
		case o.group == "":
			parts = append(parts, "["+synopsis(o)+"]")
		case shown[o.group]:
			parts = append(parts, "")
		default:
			shown[o.group] = true
			var members []string
			for _, m := range sorted {
				if m.group == o.group {
					members = append(members, synopsis(m))
				}
			}
			text := strings.Join(members, " | ")
			if !o.required {
				text = "[" + text + "]"
			}
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " ")
}

func synopsis(o option) string {
	if o.arg {
		return "-" + o.short + " <arg>"
	}
	return "-" + o.short
}

// wrap prints text in lines of helpWidth; those after the first are indented by tab.
func wrap(out *strings.Builder, tab int, text string) {
	for {
		at := len(text)
		if at > helpWidth {
			if at = strings.LastIndexByte(text[:helpWidth+1], ' '); at < tab {
				at = helpWidth
			}
		}
		out.WriteString(strings.TrimRight(text[:at], " ") + "\n")
		rest := strings.TrimSpace(text[at:])
		if rest == "" {
			return
		}
		text = strings.Repeat(" ", tab) + rest
	}
}
