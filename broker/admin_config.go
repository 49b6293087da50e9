// SPDX-License-Identifier: Apache-2.0

// UPDATE_BROKER_CONFIG(25), GET_BROKER_CONFIG(26). Sent by tools. Java: AdminBrokerProcessor,
// Configuration.
// Outcomes: 25: Success, NoPermission for keys that may not change, InvalidParameter for values.
// Deviations: Java changes every key but a few denied ones, stores unknown ones, and swallows
// values that it cannot parse. Here only keys declared hot can change (CVE-2023-33246,
// CVE-2023-37582), a change is all or nothing, and only the changed lines of the configuration
// file are rewritten.

package broker

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"rocketd/compat"
	"rocketd/compat/fastjson"
	"rocketd/internal/settings"
	"rocketd/protocol"
	"rocketd/remoting"
	"rocketd/store/vfs"
)

// deniedKeys is the part of the black list that configBlackList cannot shorten. Such keys are refused with Java's text.
var deniedKeys = []string{"brokerConfigPath", "rocketmqHome", "configBlackList"}

func (c *Config) denied(key string) bool {
	key = strings.TrimSpace(key)
	return slices.Contains(deniedKeys, key) || slices.Contains(strings.Split(c.ConfigBlackList, ";"), key)
}

// secretKey matches the names of keys whose values leave the broker for nobody.
var secretKey = regexp.MustCompile(`(?i)(password|secret|credential|accesskey|privatekey|token)`)

// liveConfig is what changes of the configuration at run time need beside the value in force.
type liveConfig struct {
	mu      sync.Mutex // one change at a time
	version protocol.DataVersion
}

func (b *Broker) updateBrokerConfig(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	changes, err := b.parseChanges(c.Request().Body)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	b.live.mu.Lock()
	defer b.live.mu.Unlock()
	next := *b.cfg.Load()
	if err := applyChanges(&next, changes); err != nil {
		return nil, err
	}
	if err := b.persistChanges(changes); err != nil {
		return nil, protocol.Errorf(protocol.SystemError, "nothing was changed: the configuration file cannot be rewritten: %v", err)
	}
	if err := b.store.SetConfig(next.Config); err != nil {
		return nil, err
	}
	b.cfg.Store(&next)
	b.live.version = b.live.version.Next(b.nowMs(), b.live.version.StateVersion)
	for key := range changes {
		b.log.Info().Str("key", key).Str("by", peerAddr(c)).Msg("configuration changed")
	}
	if _, ok := changes["brokerPermission"]; ok {
		b.topicsChanged()
	}
	return nil, nil
}

func peerAddr(c *remoting.Call) string {
	if c.Peer() == nil {
		return ""
	}
	return c.Peer().RemoteAddr()
}

// parseChanges reads the properties of a request. Its errors come before anything is changed.
func (b *Broker) parseChanges(text []byte) (map[string]string, error) {
	properties, err := compat.ParseProperties(text)
	if err != nil {
		return nil, protocol.Errorf(protocol.InvalidParameter, "the properties cannot be read: %v", err)
	}
	changes := make(map[string]string, len(properties))
	for _, p := range properties {
		if b.cfg.Load().denied(p.Key) {
			return nil, protocol.Errorf(protocol.NoPermission, "Can not update config in black list.")
		}
		// Such a value would be several lines, or join with the next, when it is read from the file.
		if strings.ContainsAny(p.Key+p.Value, "\r\n\x00") || strings.HasSuffix(p.Value, `\`) {
			return nil, protocol.Errorf(protocol.InvalidParameter, "the value of %q has a line break, a NUL, or a backslash at its end", printable(p.Key))
		}
		changes[p.Key] = strings.TrimSpace(p.Value)
	}
	return changes, nil
}

func printable(key string) string {
	const enough = 64
	return key[:min(len(key), enough)]
}

// applyChanges changes cfg, which nobody else sees yet.
func applyChanges(cfg *Config, changes map[string]string) error {
	hot := map[string]bool{}
	for _, key := range settings.Keys(cfg) {
		hot[key.Name] = key.Hot
	}
	for key, value := range changes {
		changeable, known := hot[key]
		switch {
		case !known:
			return unknownKey(cfg, key)
		case !changeable:
			return protocol.Errorf(protocol.NoPermission, "%s cannot be changed while the broker runs: change the configuration file and restart", key)
		}
		if err := settings.Set(cfg, key, value); err != nil {
			return protocol.Errorf(protocol.InvalidParameter, "%v", err)
		}
	}
	if err := cfg.Validate(); err != nil {
		return protocol.Errorf(protocol.InvalidParameter, "%v", err)
	}
	return nil
}

func unknownKey(cfg *Config, key string) error {
	text := fmt.Sprintf("there is no configuration key %q", printable(key))
	if nearest := settings.Nearest(cfg, key); nearest != "" {
		text += ", did you mean " + nearest + "?"
	}
	return protocol.Errorf(protocol.NoPermission, "%s", text)
}

// persistChanges rewrites the changed lines of the file that the broker was started with, and no
// other file: no path comes from a request. Its predecessor stays as .bak, as with Java. Both keep
// the permissions that the operator gave it.
func (b *Broker) persistChanges(changes map[string]string) error {
	file := b.deps.ConfigFile
	if file == "" {
		return nil
	}
	old, err := vfs.ReadFile(b.fs, file)
	if err != nil {
		return err
	}
	if err := vfs.WriteFileLike(b.fs, file+".bak", file, old); err != nil {
		return err
	}
	return vfs.WriteFileLike(b.fs, file, file, settings.RewriteFile(old, changes))
}

func (b *Broker) getBrokerConfig(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.GetBrokerConfigResult, error) {
	b.live.mu.Lock()
	version, err := fastjson.Marshal(b.live.version)
	b.live.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c.SetBody(withoutSecrets(settings.Format(b.cfg.Load())))
	return &protocol.GetBrokerConfigResult{Version: string(version)}, nil
}

func withoutSecrets(text string) []byte {
	kept := make([]byte, 0, len(text))
	for line := range strings.Lines(text) {
		if key, _, _ := strings.Cut(line, "="); !secretKey.MatchString(key) {
			kept = append(kept, line...)
		}
	}
	return kept
}
