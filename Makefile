# Every check of the project is a target here; .ci/run is made of them and of nothing else.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test sim explore replay mutants conform cluster bench allocs cover lint fuzz ci

SEEDS    ?= 200
FUZZTIME ?= 20s
QUICK    ?=
export QUICK

help:        ## this list
	@grep -hE '^[a-z]+: +##' $(MAKEFILE_LIST) | sed -E 's/: +## /\t/' | expand -t 12

demo:        ## a bank on the embedded simulated cluster, faults on, audited at the end
	@go run ./cmd/tikvx demo

# Core, ports, simulated runs and the tests about the tree have no concurrency to race: the detector would only slow
# them. Allocation gates mean nothing under the race detector or coverage: they have a target of their own.
ROOT     := github.com/tikvx/tikvx
PACKAGES  = $(eval PACKAGES := $(shell go list ./...))$(PACKAGES)
LIBRARY   = $(filter-out %/smtest %/porttest,\
            $(filter $(ROOT) $(foreach l,ports core app adapters,$(ROOT)/$l $(ROOT)/$l/%),$(PACKAGES)))
PLAIN     = $(filter $(foreach l,ports core tests/arch tests/parity tests/cover tests/simrun,$(ROOT)/$l $(ROOT)/$l/%),$(PACKAGES))
RACED     = $(filter-out $(PLAIN) $(ROOT)/tests/allocs,$(PACKAGES))
comma    := ,
space    := $(subst ,, )
COVER     = -covermode=atomic -coverpkg=$(subst $(space),$(comma),$(strip $1)) -coverprofile
PURE      = $(filter $(foreach l,ports core,$(ROOT)/$l $(ROOT)/$l/%),$(LIBRARY))
SHORT     = sed -uE -e '/^coverage: |^\t.*coverage: 0\.0%/d' -e 's/[[:space:]]+coverage: .*//'

test:        ## vet, unit, architecture, property and conformance tests; leaves out/cover.out
	@mkdir -p out
	@go vet ./...
	@go test $(call COVER,$(PURE))=out/cover-plain.out $(PLAIN) | $(SHORT)
	@go test -race $(call COVER,$(LIBRARY))=out/cover-raced.out $(RACED) | $(SHORT)
	@{ cat out/cover-plain.out; tail -n +2 out/cover-raced.out; } > out/cover.out
	@echo "test: ok packages=$(words $(PLAIN) $(RACED))"

sim:         ## simulated workloads with all faults: make sim SEEDS=200
	@go run ./tests/simrun -seeds $(SEEDS)

explore:     ## every behaviour of small configurations, exhaustively; QUICK=1 is the short form
	@go run ./tests/explore

replay:      ## one simulated run again, with its trace: make replay SEED=7
	@: $${SEED:?make replay SEED=…}; go run ./tests/simrun -replay "$$SEED"

mutants:     ## bugs of other clients, put back one at a time, are found; QUICK=1 takes every fourth of those found soon
	@go run ./tests/mutants

conform:     ## the same scripts on the simulated store and on stores that others wrote, and client-go's verdict
	@go -C tests/cluster test -count=1 -run '^TestAwait' ./rig
	@go -C tests/cluster run ./conform

cluster:     ## build and start real servers, end-to-end tests and bank on them; QUICK=1 is the short form
	@go -C tests/cluster run ./run

bench:       ## this client, client-go and the hand-written limit on the same real servers
	@go -C tests/cluster run ./bench

allocs:      ## allocation gates above the wire
	@go test -count=1 -run '^TestAllocs' ./tests/allocs/... && echo "allocs: ok"

cover:       ## coverage of the library from the profile that `make test` left
	@go run ./tests/cover -total 85 -core 95 out/cover.out

lint:        ## gofmt, vet, staticcheck, exhaustive switches
	@tests/lint/run

fuzz:        ## every fuzz target for FUZZTIME each, twelve targets at most
	@dirs=$$(go list -f '{{.Dir}}' ./...); n=0; \
	while IFS=: read -r file decl; do \
	  n=$$((n + 1)); name=$${decl#func }; \
	  (( n <= 12 )) || { echo "fuzz: more than 12 targets"; exit 1; }; \
	  go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" > out/fuzz.log 2>&1 \
	    && ! grep -q 'no fuzz tests' out/fuzz.log || { cat out/fuzz.log; echo "fuzz: FAILED $$name"; exit 1; }; \
	  echo "ok  $$name $$(tail -n 1 out/fuzz.log | cut -f 3)"; \
	done < <(mkdir -p out; grep -HEo '^func Fuzz\w+' $$(find $$dirs -maxdepth 1 -name '*_test.go') || true); \
	(( n > 0 )) || { echo "fuzz: no target found"; exit 1; }; \
	echo "fuzz: ok targets=$$n time=$(FUZZTIME)"

ci:          ## what has to pass before a change is merged
	@.ci/run
