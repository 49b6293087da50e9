// SPDX-License-Identifier: Apache-2.0

// The options of upstream's servers, and what becomes of a configuration file.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rocketd/conf"
	"rocketd/internal/settings"
)

// options are what a server's command line may say.
type options struct {
	file      string
	servers   string
	all       bool
	important bool
	proxy     bool
}

// bind declares the options that all servers share, with upstream's names and words.
func (o *options) bind(cmd *cobra.Command, launcher, file, all string) {
	cmd.Flags().StringVarP(&o.file, "configFile", "c", "", file)
	cmd.Flags().StringVarP(&o.servers, "namesrvAddr", "n", "", "Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'")
	cmd.Flags().BoolVarP(&o.all, "printConfigItem", "p", false, all)
	cmd.Flags().BoolP("help", "h", false, "Print help")
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Print(help(launcher, cmd.Flags())) })
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return optionError(err) })
}

// help is what upstream's option parser prints.
func help(launcher string, flags *pflag.FlagSet) string {
	usage, lines, width := "usage: "+launcher, [][2]string{}, 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		argument := ""
		if f.Value.Type() != "bool" {
			argument = " <arg>"
		}
		lines = append(lines, [2]string{"-" + f.Shorthand + ",--" + f.Name + argument, f.Usage})
		width = max(width, len(lines[len(lines)-1][0]))
	})
	slices.SortFunc(lines, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var text strings.Builder
	for _, line := range lines {
		short, argument := line[0][:2], ""
		if strings.HasSuffix(line[0], " <arg>") {
			argument = " <arg>"
		}
		usage += " [" + short + argument + "]"
		fmt.Fprintf(&text, " %-*s   %s\n", width, line[0], line[1])
	}
	return usage + "\n" + text.String()
}

// optionError puts a mistake on the command line into upstream's words.
func optionError(err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) == 1:
		return fmt.Errorf("Unrecognized option: -%s", unknown.GetSpecifiedName()) //nolint:staticcheck // upstream's sentence
	case errors.As(err, &unknown):
		return fmt.Errorf("Unrecognized option: --%s", unknown.GetSpecifiedName()) //nolint:staticcheck // upstream's sentence
	case errors.As(err, &bare):
		return fmt.Errorf("Missing argument for option: %s", bare.GetSpecifiedName()) //nolint:staticcheck // upstream's sentence
	}
	return err
}

// load reads the configuration file, if there is one, into cfg. What it did not take as it stood is told on standard
// error, because nobody looks into a log for a spelling mistake.
func (o *options) load(cfg any, log zerolog.Logger) error {
	if o.file == "" {
		return nil
	}
	report, err := conf.Load(o.file, cfg)
	if err != nil {
		return err
	}
	warn := func(text string) {
		fmt.Fprintln(os.Stderr, "warning: "+text)
		log.Warn().Msg(text)
	}
	for _, u := range report.Unknown {
		text := fmt.Sprintf("%s:%d: unknown key %s", o.file, u.Line, u.Key)
		if u.Nearest != "" {
			text += ", did you mean " + u.Nearest + "?"
		}
		warn(text)
	}
	for _, text := range report.Warnings {
		warn(text)
	}
	if len(report.Ignored) > 0 {
		log.Info().Strs("keys", report.Ignored).Msg("keys without a meaning here are ignored")
	}
	line := "load config properties file OK, " + o.file
	fmt.Println(line)
	log.Info().Msg(line)
	return nil
}

// print answers -p and -m. It reports whether that was all that was asked for.
func (o *options) print(cfg any) bool {
	switch {
	case o.all:
		fmt.Print(settings.Format(cfg))
	case o.important:
		for _, key := range importantKeys {
			if value, ok := settings.Get(cfg, key); ok {
				fmt.Println(key + "=" + value)
			}
		}
	default:
		return false
	}
	return true
}

// importantKeys are those that Java 5.5.0 prints for -m, in its order.
var importantKeys = []string{"namesrvAddr", "listenPort", "brokerIP1", "recoverConcurrently", "autoCreateTopicEnable",
	"autoCreateSubscriptionGroup", "msgTraceTopicName", "traceTopicEnable", "rejectTransactionMessage",
	"fetchNameSrvAddrByDnsLookup", "fetchNamesrvAddrByAddressServer", "transactionTimeOut", "transactionCheckMax",
	"transactionCheckInterval", "aclEnable"}

// checkServers refuses a list of name servers that Java refuses too.
func checkServers(list string) error {
	for _, addr := range strings.Split(strings.TrimRight(list, ";"), ";") {
		if addr == "" && list == "" {
			return nil
		}
		host, port, err := net.SplitHostPort(strings.TrimSpace(addr))
		number, portErr := strconv.ParseUint(port, 10, 16)
		if errors.Join(err, portErr) != nil || host == "" || number == 0 {
			return fmt.Errorf("The Name Server Address[%s] illegal, please set it as follows, \"127.0.0.1:9876;192.168.0.1:9876\"", list) //nolint:staticcheck // upstream's sentence
		}
	}
	return nil
}

// tellIgnored names arguments that are no options. Upstream takes and forgets them, and people append settings here.
func tellIgnored(args []string) {
	for _, arg := range args {
		fmt.Fprintf(os.Stderr, "warning: %q is ignored: settings belong into the file given with -c\n", arg)
	}
}
