# `make demo` and `make test` need nothing else to have been done before; the rest is for work on the code.

CLUSTERS := node test/dist/cluster/main.js
SCC_VECTORS ?= ../shared/vectors/scc-vectors.json

.PHONY: help demo test prereqs deps build clusters images clean-clusters lint unit generate sbom test-vectors test-faults test-flips test-huge test-many test-selinux bench-remotes bench-resources bench-rotation bench-ssh bench-volumes bench-permissions

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## watch a namespace and its data arrive in a second cluster
	@scripts/demo.sh

test: ## all checks and tests, those on two real clusters too
	@scripts/test.sh

prereqs: ## check what this machine needs; as root on Debian or Ubuntu, install it
	@scripts/prerequisites.sh

deps: node_modules/.package-lock.json ## npm ci, if package-lock.json changed

# npm writes this file last, so an interrupted installation is made again.
node_modules/.package-lock.json: package-lock.json
	npm ci
	@touch $@

build: deps ## compile everything
	npm run --silent build

clusters: ## have the two test clusters up
	@$(CLUSTERS) up

images: ## build the images that changed and bring them to the test clusters
	@$(CLUSTERS) images

clean-clusters: ## remove the test clusters with everything they made on this machine
	@if [ -e test/dist/cluster/main.js ]; then $(CLUSTERS) down; else echo 'not built: run `make build` first'; exit 1; fi

lint: ## eslint, prettier, knip
	npm run --silent lint

unit: ## unit tests
	npm run --silent test:unit

generate: build ## write what is generated from the code: manifests, files of the chart, reference pages
	node test/dist/manifests/main.js .
	node test/dist/bundle/main.js manifests packages/cli/manifests
	node packages/cli/dist/reference/main.js docs/reference/cli.md

sbom: build ## what the images and the command line contain (CycloneDX) and under which licences, in sbom/
	@node test/dist/sbom/main.js sbom

test-vectors: build ## check SCC_VECTORS=FILE against the identity rules
	@node test/dist/vectors/main.js $(SCC_VECTORS)

test-many: build ## a namespace of 20,000 objects
	@MANY_OBJECTS=20000 node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js \
	  --config test/jest.config.js test/integration/engine-bad-input.test.ts

bench-resources: build ## the resource engine beside a bare loop of applies, one JSON line a figure
	@node test/dist/bench/resources/main.js

test-flips: build ## a tenant swaps directories for links for 30 s while the agent works in them
	@node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js \
	  --testMatch '**/mover/testing/flips.slow.ts'

test-selinux: build ## SELinux labels on a kernel that enforces them, in an emulated machine
	@node test/dist/selinux/main.js

test-faults: build ## kill, cut and fill everything while volumes are copied; twenty minutes at most, or FAULT_MINUTES and four
	@$(CLUSTERS) images && eval "$$($(CLUSTERS) env)" && export FAULT_MINUTES=$${FAULT_MINUTES:-16} && timeout $$((FAULT_MINUTES * 60 + 240)) node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js --config test/jest.config.js test/e2e/faults.test.ts

test-huge: build ## a million files, and a file of 100 GiB with holes, rsync being killed; 12 GiB of disk, half an hour
	@$(CLUSTERS) images && eval "$$($(CLUSTERS) env)" && node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js --config test/jest.config.js --testMatch '**/e2e/huge.slow.ts'

bench-volumes: build ## whole syncs of volumes beside plain rsync over OpenSSH, on the two test clusters
	@$(CLUSTERS) images && eval "$$($(CLUSTERS) env)" && node test/dist/bench/volumes/main.js

bench-permissions: build ## passes over group and label beside chown and chcon, one JSON line a figure
	@node test/dist/bench/permissions/main.js

bench-ssh: build ## the agent's SSH server beside OpenSSH's sshd, one JSON line a figure
	@node test/dist/bench/ssh/main.js

bench-remotes: build ## CPU and memory of 200 RemoteClusters while nothing happens; as root, eight minutes
	@node test/dist/bench/remotes/main.js

bench-rotation: build ## replacing the key of a cluster with 50 agents; what making a key does to the event loop
	@node test/dist/bench/rotation/main.js
