# SPDX-License-Identifier: Apache-2.0
# Shortcuts for the hand; what decides is `sh bin/test`.
.PHONY: all unit race fuzz conformance crash bench lint
FUZZTIME ?= 30s

all:
	sh bin/test

unit:
	go test ./...

race:
	go test -race ./internal/... ./remoting/... ./store/... ./namesrv/... ./broker/...

conformance:
	go test -count=1 -v ./conformance/...

crash:
	go test -count=1 -v -run Crash ./store/... ./conformance/...

bench:
	go test -run NONE -bench . -benchmem ./...

# Go fuzzes one target of one package at a time.
fuzz:
	for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			go test -run NONE -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
		done; \
	done

lint:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	go vet ./...
