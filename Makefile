# Works with the GNU make 3.81 of macOS. Every target can be the first command in a fresh clone.
.DEFAULT_GOAL := help
WITH_NODE := sh deploy/setup/with-node.sh
VITEST := $(WITH_NODE) sh test/support/run-tests.sh

.PHONY: help setup demo test test-vllm bench fmt fmt-check lint typecheck unused gen gen-check ci

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what the rest needs: npm packages, Node 24, nats-server (quick when there is nothing to do)
	@sh deploy/setup/check.sh
	@sh deploy/setup/install-packages.sh
	@sh deploy/setup/install-nats-server.sh
	@$(WITH_NODE) node --disable-warning=ExperimentalWarning deploy/setup/bundle-agentctl.ts

demo: setup ## 120 sub-agents change a sample repository, on this machine, with a simulated model
	@$(WITH_NODE) node --disable-warning=ExperimentalWarning deploy/demo/main.ts

test: setup ## all tests: unit, integration, e2e, faults
	@sh deploy/setup/install-test-clients.sh
	@$(VITEST) unit integration e2e faults

test-vllm: setup ## 32 sub-agents against the real vLLM at VLLM_BASE_URL (skipped where that is not set)
	@if [ -n "$$VLLM_BASE_URL" ]; then $(VITEST) vllm; \
	else echo 'SKIPPED: test-vllm needs a vLLM server; set VLLM_BASE_URL to its base URL, as in http://127.0.0.1:8000/v1'; fi

bench: setup ## measure speed and memory as ratios; ONLY=NAME,… picks, SMALL=1 is quick, SAVE=1 keeps them in test/bench/README.md
	@$(WITH_NODE) node --disable-warning=ExperimentalWarning test/bench/main.ts $(ONLY) \
	  $(if $(SMALL),--small) $(if $(SAVE),--save) $(if $(JSON),--json=$(JSON))

fmt: setup ## format TypeScript and proto files
	@$(WITH_NODE) biome check --write
	@cd proto && sh ../deploy/setup/with-node.sh buf format --write --path agentd

fmt-check: setup
	@$(WITH_NODE) biome check
	@cd proto && sh ../deploy/setup/with-node.sh buf format --diff --exit-code --path agentd

lint: setup ## lint TypeScript (with types and the import rules) and proto files
	@$(WITH_NODE) oxlint services test deploy
	@cd proto && sh ../deploy/setup/with-node.sh buf lint

typecheck: setup ## check the types of everything
	@$(WITH_NODE) tsc -p .

unused: setup
	@$(WITH_NODE) knip --no-progress

gen: setup ## generate services/gen from proto
	@cd proto && sh ../deploy/setup/with-node.sh buf generate

gen-check: gen
	@git diff --exit-code --stat -- services/gen && test -z "$$(git ls-files --others --exclude-standard -- services/gen)" || \
	{ echo 'error: services/gen is not what proto/ generates; run `make gen` and commit the result.' >&2; exit 1; }

ci: ## what CI runs: a clean installation, then every check and every test
	@.ci/run
