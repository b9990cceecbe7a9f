# Dropship's build. `make help` lists what there is.
GO       ?= go
SHELL    := /bin/bash
CACHE    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dropship
PACKAGES ?= ./...
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64
FUZZTIME ?= 30s
# The version is written in debian/changelog alone.
VERSION  ?= $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
COMMIT   ?= $(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
LDFLAGS  := -s -buildid= -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# The version is in LDFLAGS; asking git for it again fails in a checkout that belongs to another user.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

# Tools are built once for each state of what pins them, outside the checkout.
hash      = $(shell cat $(1)/go.mod $(1)/go.sum | sha256sum | cut -c1-16)
CONSUL    := $(CACHE)/tools/$(call hash,test/servers/tools/consul)/consul
VERSITYGW := $(CACHE)/tools/$(call hash,test/servers/tools/s3)/versitygw

GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT := $(CACHE)/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)/golangci-lint

SERVERS = $(GO) run ./test/servers/cmd/servers

.DEFAULT_GOAL := build
.PHONY: help build cross man deb dist screens demo test bench torture soak fuzz packages tools test-servers test-servers-down lint fmt clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: bin/dropship ## build bin/dropship

# Static, as in the packages.
bin/dropship: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/dropship

FORCE:

# Vet takes files here, not packages: the tests are for Linux.
cross: ## build and vet for linux, darwin, windows and freebsd, each for amd64 and arm64 (or PLATFORMS="darwin/arm64")
	@set -e; export CGO_ENABLED=0; \
	for platform in $(PLATFORMS); do \
	  export GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
	  echo "== $$platform"; \
	  $(GO) build -o /dev/null ./cmd/dropship; \
	  $(GO) list -deps -f '{{if .Module}}{{if .Module.Main}}{{$$d := .Dir}}{{range .GoFiles}}{{$$d}}/{{.}} {{end}}{{end}}{{end}}' ./cmd/dropship | \
	  while read -r files; do $(GO) vet $$files; done; \
	done

man: ## make the manual pages in packaging/man from the commands' help and from docs/
	$(GO) test ./cmd/dropship -run '^TestManualPages$$' -count=1 -update

# DEB_EDIT is a command that changes the copy of the checkout that is built: for tests of an upgrade.
deb: ## build the Debian packages in DEB_DIR (dist), for DEB_ARCH (amd64 arm64), reproducibly
	@COMMIT='$(COMMIT)' packaging/copy.sh bash -euc '$(if $(DEB_EDIT),$(DEB_EDIT);) \
	  packaging/deb.sh $(abspath $(or $(DEB_DIR),dist)) $(or $(DEB_ARCH),amd64 arm64)'

dist: ## build a release in DIST_DIR (dist) for PLATFORMS, reproducibly: Debian packages, rpms, archives, SBOMs, SHA256SUMS
	@COMMIT='$(COMMIT)' packaging/copy.sh packaging/dist.sh $(abspath $(or $(DIST_DIR),dist)) $(PLATFORMS)

screens: ## take down in docs/screens.md what people see in a terminal; needs root and tmux
	$(GO) run ./test/screens

demo: ## watch an install, an update and a rollback on this machine; needs nothing but Go
	$(GO) run ./test/demo -ldflags '$(LDFLAGS)'

test: test-servers ## run all tests (or PACKAGES=...) with the race detector against the real servers, then end those
	@trap '$(SERVERS) down' EXIT; $(SERVERS) versions && \
	DROPSHIP_REQUIRE_SERVERS=1 $(GO) test -race -shuffle=on -timeout 10m $(PACKAGES)

# The servers stay up, for the next run.
bench: build test-servers ## print how fast and light Dropship is beside the alternatives, in half an hour (or BENCH="install"; BENCH=-h tells more)
	$(GO) run ./test/bench $(BENCH)

torture: build test-servers ## disturb updates at every step by every fault, for 11 minutes (or TORTURE="-for 2h"; TORTURE=-h tells more)
	$(GO) run ./test/torture $(TORTURE)

# The servers stay up, as after a torture. Only the picture needs gnuplot, so make packages leaves it out.
soak: build test-servers ## have an agent work 100 times as fast as usual for half an hour (or SOAK="-for 3m"), and see what grows
	@test/servers/packages.sh gnuplot-nox
	$(GO) run ./test/soak $(SOAK)

# Go fuzzes one target at a time.
fuzz: ## run every fuzz target for FUZZTIME (30s), one after another, up to the first failure
	@set -e -o pipefail; \
	for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs dirname | sort -u); do \
	  targets=$$($(GO) test -list '^Fuzz' $$dir | grep '^Fuzz'); \
	  for target in $$targets; do \
	    echo "== $$target in $$dir, for $(FUZZTIME)"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$dir || \
	      { echo "$$target failed: what made it fail is named above, below $$dir" >&2; exit 1; }; \
	  done; \
	done

# The packages come first: with gcc the tools are compiled as the tests will be. From nothing, one of the two builds
# downloads while the other compiles.
test-servers: packages ## start Consul, S3, Swift and Graphite on loopback
	@$(MAKE) --no-print-directory -j2 tools
	@$(SERVERS) -consul $(CONSUL) -versitygw $(VERSITYGW) up

test-servers-down: ## end what test-servers started
	$(SERVERS) down

packages: ## install the Debian packages that the tests need and that are missing
	@test/servers/packages.sh

tools: $(CONSUL) $(VERSITYGW) ## build the pinned Consul and versitygw
	@:

$(CONSUL):
	$(call build-tool,test/servers/tools/consul,github.com/hashicorp/consul)

$(VERSITYGW):
	$(call build-tool,test/servers/tools/s3,github.com/versity/versitygw/cmd/versitygw)

# Renamed into place, so that an interrupted build leaves nothing that looks complete.
define build-tool
	@mkdir -p $(@D)
	cd $(1) && $(GO) build -trimpath -ldflags='-s -w' -o $@.new $(2)
	@mv $@.new $@
endef

lint: $(GOLANGCI_LINT) ## run golangci-lint and go vet, and check that go.mod is tidy
	$(GOLANGCI_LINT) run ./...
	$(GO) vet ./...
	$(GO) mod tidy -diff

fmt: $(GOLANGCI_LINT) ## format all Go code
	$(GOLANGCI_LINT) fmt

$(GOLANGCI_LINT):
	GOBIN=$(@D) $(GO) install -trimpath -ldflags='-s -w' github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

clean: test-servers-down ## end the servers and remove what was built in the checkout
	rm -rf bin dist .cache coverage.out
