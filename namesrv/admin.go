// SPDX-License-Identifier: Apache-2.0

// admin.go: UPDATE_NAMESRV_CONFIG(318), GET_NAMESRV_CONFIG(319). Sent by mqadmin. Java: DefaultRequestProcessor,
// Configuration. Outcomes: Success; NoPermission for a key in the black list or not changeable; InvalidParameter for
// a value that the key cannot have.
// Deviations: an allow-list. Only keys tagged hot in config.go change, all of a request or none; any other is refused
// (Java refuses its black list, stores what it knows and ignores the rest). That closes CVE-2023-37582: no request can
// name a file, and no value can hold a line of its own.

package namesrv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"rocketd/compat"
	"rocketd/internal/settings"
	"rocketd/protocol"
	"rocketd/remoting"
)

const blackListRemark = "Can not update config in black list."

// alwaysBlack is the part of the black list that configBlackList cannot shorten.
var alwaysBlack = []string{"configBlackList", "configStorePath", "configStorePathName", "kvConfigPath", "rocketmqHome"}

func (s *Server) updateConfig(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	changes, err := compat.ParseProperties(c.Request().Body)
	if err != nil {
		return nil, protocol.Errorf(protocol.SystemError, "string2Properties error")
	}
	s.configuring.Lock()
	defer s.configuring.Unlock()
	cfg := *s.config()
	accepted := map[string]string{}
	for _, p := range changes {
		if err := s.applyChange(&cfg, p); err != nil {
			s.log.Warn().Str("key", clip(p.Key)).Str("peer", remoteAddr(c)).Err(err).Msg("config update refused")
			return nil, err
		}
		accepted[p.Key], _ = settings.Get(&cfg, p.Key)
	}
	if err := cfg.Validate(); err != nil {
		return nil, protocol.Errorf(protocol.InvalidParameter, "%s", err.Error())
	}
	if len(accepted) == 0 {
		return nil, nil
	}
	if err := s.saveConfig(cfg.ConfigStorePath, accepted); err != nil {
		return nil, err
	}
	s.cfg.Store(&cfg)
	s.log.Info().Strs("keys", slices.Sorted(maps.Keys(accepted))).Str("peer", remoteAddr(c)).Msg("config updated")
	return nil, nil
}

// applyChange sets one key of cfg if a request may do so.
func (s *Server) applyChange(cfg *Config, p compat.Property) error {
	black := append(strings.Split(cfg.ConfigBlackList, ";"), alwaysBlack...)
	for _, key := range black {
		if strings.EqualFold(strings.TrimSpace(key), strings.TrimSpace(p.Key)) {
			return protocol.Errorf(protocol.NoPermission, blackListRemark)
		}
	}
	keys := settings.Keys(cfg)
	at := slices.IndexFunc(keys, func(k settings.Key) bool { return k.Name == p.Key })
	if at < 0 || !keys[at].Hot {
		return protocol.Errorf(protocol.NoPermission, "the config key %s can not be changed while the name server runs", clip(p.Key))
	}
	if strings.ContainsAny(p.Value, "\r\n\x00") {
		return protocol.Errorf(protocol.InvalidParameter, "the value of %s holds a line break or NUL", p.Key)
	}
	if err := settings.Set(cfg, p.Key, p.Value); err != nil {
		return protocol.Errorf(protocol.InvalidParameter, "%s", err.Error())
	}
	return nil
}

// saveConfig writes changed keys into the file that was named at start. Keys and values come from settings, not
// from the request's text.
func (s *Server) saveConfig(path string, changes map[string]string) error {
	if path == "" {
		return nil
	}
	old, err := s.fs.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read config file: %w", err)
	}
	if err := s.fs.ReplaceFile(path, settings.RewriteFile(old, changes)); err != nil {
		return fmt.Errorf("save config file: %w", err)
	}
	return nil
}

func (s *Server) getConfig(_ context.Context, c *remoting.Call, _ *protocol.Empty) (*protocol.Empty, error) {
	c.SetBody([]byte(settings.Format(s.config())))
	return nil, nil
}
