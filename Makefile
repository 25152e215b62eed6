# Tests, lint and vet run on a copy of the clone in .shipped, with the stubs as
# shipped: what you wrote in kata/ cannot turn them red.

# The race detector is kept out of SQLite, as go tool dojo keeps it: a quarter to two thirds of the time.
RACE    := GORACE="atexit_sleep_ms=0 suppress_equal_stacks=0" go test -race -gcflags=github.com/ncruces/go-sqlite3-wasm/...=-race=false
SHIPPED := .shipped
LINT     = GOWORK=off go tool -modfile=$(CURDIR)/tools/go.mod golangci-lint
MODULES := . cmd/dojo bench tools

.DEFAULT_GOAL := help
.PHONY: help test kata prove lint soak mutate postgres redis bench figures deck fmt tidy shipped

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

kata: ## your own verdict: go tool dojo shows it better
	go test ./kata/...

test: shipped ## packages, runner and references with -race; both configurations vetted
	cd $(SHIPPED) && GOWORK=off go vet ./... && GOWORK=off go vet -tags solutions ./...
	cd $(SHIPPED)/cmd/dojo && go vet ./...
	cd $(SHIPPED) && $(RACE) ./kata ./pkg/...
	cd $(SHIPPED) && $(RACE) -tags solutions ./kata/... ./solutions/...
	cd $(SHIPPED)/cmd/dojo && $(RACE) -timeout 30m ./...

prove: ## every kata: stub, reference, mistakes, documents; runs what changed since it was proved
	go tool dojo prove

soak: ## the same, a hundred runs, and ten of each mistake; takes hours
	go tool dojo prove --fresh --runs 100

mutate: ## every kata: small changes of the reference that no step notices; most of an hour
	go tool dojo mutate

lint: shipped ## both configurations, on the shipped stubs
	cd $(SHIPPED) && $(LINT) run ./...
	cd $(SHIPPED) && $(LINT) run --build-tags solutions ./...
	cd $(SHIPPED)/cmd/dojo && $(LINT) run ./...
	cd $(SHIPPED)/bench && $(LINT) run --build-tags solutions ./...

postgres: ## the katas' SQL on a real PostgreSQL: DOJO_POSTGRES names it, or one is started
	cd bench && GOWORK=off DOJO_POSTGRES="$${DOJO_POSTGRES:-start}" go test -count=1 -tags solutions -run '^TestPostgres' ./...

redis: ## cacheaside on a real Redis: DOJO_REDIS names it by host:port, or one is started
	cd bench && GOWORK=off DOJO_REDIS="$${DOJO_REDIS:-start}" go test -count=1 -tags solutions -run '^TestRedis' ./...

bench: ## benchmarks: the packages, and katas beside well-kept libraries
	go test -run '^$$' -bench . -benchmem ./pkg/...
	cd bench && GOWORK=off go test -tags solutions -run '^$$' -bench . -benchmem ./...

figures: ## run the simulations behind the answers' figures, and draw them
	GOWORK=off go test -tags solutions -run '^TestFigure' $(sort $(dir $(wildcard ./solutions/*/figures_test.go))) -args -update

deck: ## the cards of all answer pages, docs/deck.tsv
	go tool dojo deck

fmt: ## format everything
	$(LINT) fmt ./...
	cd cmd/dojo && $(LINT) fmt ./...

tidy: ## tidy every module
	for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy) || exit 1; done

shipped:
	go tool dojo shipped $(SHIPPED)
