# SPDX-License-Identifier: Apache-2.0
# Shortcuts for the hand. What each part does stands in bin/test, and `sh bin/test` is what decides.
.PHONY: all unit race fuzz conformance compatibility crash backlog bench bench-send bench-vs-java bench-store bench-start bench-sql lint
FUZZTIME ?= 10m
LINT_VERSION = v2.15.0
LINT = build/tools/$(LINT_VERSION)/golangci-lint

all:
	sh bin/test

unit race crash conformance:
	sh bin/test $@

# docs/compatibility.md, from a run of all conformance tests.
compatibility:
	COMPATIBILITY=write sh bin/test conformance

fuzz:
	FUZZTIME=$(FUZZTIME) sh bin/test fuzz

bench:
	go test -run NONE -bench . -benchmem ./...

# A million messages, drained by consumers that join and leave; TARGET=java for the original.
backlog:
	go test -count=1 -v -timeout 30m -run '^TestBacklog$$' ./conformance/suite -backlog 1000000

# What a send costs the Broker, as a multiple of what it costs the least that a broker can do.
bench-send:
	go build -o build/ ./cmd/rocketd ./internal/yardstick/floor ./internal/yardstick/rmqload ./internal/yardstick/sendratio
	build/sendratio -bin build $(SENDRATIO)

# Ours, Java 5.5.0 and the floor, one after the other in each round; the table goes into docs/benchmarks.md.
bench-vs-java:
	go build -o build/ ./cmd/rocketd ./cmd/mqtools ./internal/yardstick/floor ./conformance/versus
	build/versus -bin build $(VERSUS)

# The store against the least that its work can cost; the table goes into docs/benchmarks.md.
bench-store:
	go build -o build/ ./cmd/rocketd ./cmd/mqtools ./internal/yardstick/dropcache ./internal/yardstick/floor ./conformance/storebench
	build/storebench -bin build $(STOREBENCH)

# From a start to the first accepted send, ours and Java 5.5.0 in turns; the table goes into docs/benchmarks.md.
bench-start:
	go build -o build/ ./cmd/rocketd ./cmd/mqtools ./conformance/startbench
	build/startbench -bin build $(STARTBENCH)

# SQL92 expressions, ours and the filter library of Java 5.5.0 in turns; the table goes into docs/benchmarks.md.
bench-sql:
	go run ./conformance/sqlbench $(SQLBENCH)

lint: $(LINT)
	$(LINT) run

# The linter is built from source once, which takes some minutes; its own dependencies stay out of go.mod.
$(LINT):
	GOBIN="$(CURDIR)/$(@D)" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
