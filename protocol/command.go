// SPDX-License-Identifier: Apache-2.0

// Command, the unit of everything that travels: a request or an answer. Java: RemotingCommand, LanguageCode,
// SerializeType.

package protocol

import "rocketd/compat"

// Language says in which language the sender is written. Unknown values are kept, never refused.
type Language uint8

// Languages, in the order of Java's LanguageCode.
const (
	LangJava Language = iota
	LangCPP
	LangDotNet
	LangPython
	LangDelphi
	LangErlang
	LangRuby
	LangOther
	LangHTTP
	LangGo
	LangPHP
	LangOMS
	LangRust
	LangNodeJS

	// LangUnknown stands for a name that nobody knows; the official Go client uses the same number.
	LangUnknown Language = 127
)

var languageNames = [...]string{
	LangJava: "JAVA", LangCPP: "CPP", LangDotNet: "DOTNET", LangPython: "PYTHON", LangDelphi: "DELPHI",
	LangErlang: "ERLANG", LangRuby: "RUBY", LangOther: "OTHER", LangHTTP: "HTTP", LangGo: "GO", LangPHP: "PHP",
	LangOMS: "OMS", LangRust: "RUST", LangNodeJS: "NODE_JS",
}

// String returns the name that JSON headers and bodies carry; an unknown language reads OTHER, which Java can parse.
func (l Language) String() string {
	if int(l) < len(languageNames) {
		return languageNames[l]
	}
	return languageNames[LangOther]
}

// ParseLanguage returns the language of that name, or LangUnknown.
func ParseLanguage(name string) Language {
	for l, n := range languageNames {
		if n == name {
			return Language(l)
		}
	}
	return LangUnknown
}

// MarshalText makes a language its name in JSON bodies.
func (l Language) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a name and never fails.
func (l *Language) UnmarshalText(text []byte) error {
	*l = ParseLanguage(string(text))
	return nil
}

// SerializeType is the form of a frame's header.
type SerializeType uint8

// The two header forms.
const (
	SerializeJSON SerializeType = iota
	SerializeBinary
)

// String returns the name that stands in a JSON header.
func (s SerializeType) String() string {
	if s == SerializeBinary {
		return "ROCKETMQ"
	}
	return "JSON"
}

// Bits of Command.Flag.
const (
	FlagResponse int32 = 1 << 0
	FlagOneway   int32 = 1 << 1
)

// Field is one extension field of a command. Both header forms carry values as text, also numbers and booleans.
type Field struct{ Key, Value string }

// Command is one request or answer.
type Command struct {
	Code     int32
	Language Language
	Version  int32
	Opaque   int32
	Flag     int32
	Remark   string // empty and absent are the same
	// Fields is nil when the header has no extFields member and empty, not nil, when it has an empty one: Java
	// clients fail on a success answer without the member. Keys may repeat; the last one wins.
	Fields    []Field
	Body      []byte // empty and absent are the same
	Serialize SerializeType
}

// IsResponse reports whether the command answers another one.
func (c *Command) IsResponse() bool { return c.Flag&FlagResponse != 0 }

// IsOneway reports whether the sender wants no answer.
func (c *Command) IsOneway() bool { return c.Flag&FlagOneway != 0 }

// Field returns the value of an extension field.
func (c *Command) Field(key string) (string, bool) {
	for i := len(c.Fields) - 1; i >= 0; i-- {
		if c.Fields[i].Key == key {
			return c.Fields[i].Value, true
		}
	}
	return "", false
}

// SetField sets an extension field, replacing every earlier value of the key.
func (c *Command) SetField(key, value string) {
	kept := c.Fields[:0]
	for _, f := range c.Fields {
		if f.Key != key {
			kept = append(kept, f)
		}
	}
	c.Fields = append(kept, Field{Key: key, Value: value})
}

// NewRequest returns a request of this server: Java's language and our version, as a Java server sends them.
func NewRequest[T any](code int32, header *T) *Command {
	c := &Command{Code: code, Language: LangJava, Version: compat.Version}
	if header != nil {
		c.Fields = CodecOf[T]("rmq").Append([]Field{}, header)
	}
	return c
}
