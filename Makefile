# Everything from nothing on Debian 12 or 13, as root or as a user who may use sudo. What is there already is left alone, so that a
# second call starts at once and needs no password.

PYTHON ?= /usr/bin/python3
VENV ?= .venv
SCENARIO ?= scenarios/history/2021-03-10.yaml
NAME = $(notdir $(basename $(SCENARIO)))
RUN ?= results/runs/$(NAME)-$(shell date +%Y%m%dT%H%M%S)
ARGS ?=
PROCESSES ?= auto

KERNEL_PACKAGES = bc binutils bison flex gcc libc6-dev linux-source-6.12 make patch python3 xz-utils
PACKAGES = ca-certificates curl ethtool iproute2 iputils-ping mininet nginx-light openssl \
	python3-venv tcpdump
# What tshark reads in captures is compared with what we read.
# The classroom page is looked at in a browser. Rules that a box has are compared with what nft reads.
DEV_PACKAGES = chromium nftables tshark

BIN = $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

# Messages carry the seconds since make was called, whichever make prints them.
ifndef SETUP_STARTED
export SETUP_STARTED := $(shell date +%s)
endif
say = printf '[%4d s] %s\n' $$(( $$(date +%s) - $(SETUP_STARTED) )) $(1) >&2

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help run demo screenshots docs test lint bench figures results gate scoreboard setup setup-dev clean wheel reproduce release-check release-tag release packages dev-packages kernel-packages kernel

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand --tabs=12

run: RUN := $(RUN)
run:  ## set everything up, replay 10 March 2021, make the report (SCENARIO=FILE, RUN=FOLDER, ARGS=options)
	@$(MAKE) --no-print-directory --jobs=2 setup
	@$(BIN)/testbed run $(SCENARIO) --output $(RUN) $(ARGS)
	@echo; echo report:
	@$(BIN)/testbed report $(RUN)

demo:  ## set everything up, and serve the page for a class (ARGS=options)
	@$(MAKE) --no-print-directory --jobs=2 setup
	@$(BIN)/testbed demo $(ARGS)

test:  ## set everything up, lint, run the tests (ARGS=options of pytest, PROCESSES=as many at once)
	@$(MAKE) --no-print-directory --jobs=2 setup-dev
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile $(ARGS)

lint: $(VENV)/dev.stamp  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What writes figures, and what needs runs, captures or a kernel that have to be there.
NEED_INPUT = benchmarks/native_engine.py benchmarks/figures.py benchmarks/screenshots.py benchmarks/lab_accuracy.py $(wildcard benchmarks/joint_*.py)

bench:  ## run the benchmarks
	@$(MAKE) --no-print-directory --jobs=2 setup-dev
	@for benchmark in $(filter-out $(NEED_INPUT),$(wildcard benchmarks/*.py)); do $(BIN)/python "$$benchmark" || exit; done

docs:  ## make the site and the man page of the pages in docs/, in build/site/
	@$(MAKE) --no-print-directory --jobs=2 setup-dev
	@$(BIN)/python -m docs.site build/site

screenshots:  ## take the pictures of the classroom page again
	@$(MAKE) --no-print-directory --jobs=2 setup-dev
	@$(BIN)/python benchmarks/screenshots.py docs/images

figures:  ## run the benchmarks whose figures stand in the documents, and write them there (ONLY=benchmark)
	@$(MAKE) --no-print-directory --jobs=2 setup-dev
	@$(BIN)/python benchmarks/figures.py --only "$(ONLY)"

results:  ## make again what results/ publishes
	@$(MAKE) --no-print-directory --jobs=2 setup
	@rm -rf results/runs/published-$(NAME)
	@$(BIN)/testbed run $(SCENARIO) --output results/runs/published-$(NAME)
	@$(BIN)/testbed detect results/runs/published-$(NAME) >results/runs/published-$(NAME)/detect.txt
	@$(BIN)/testbed report results/runs/published-$(NAME) --output results/$(NAME)

gate:  ## did a detector get worse since the baseline? (ARGS=options of testbed validate)
	@$(MAKE) --no-print-directory --jobs=2 setup
	@mkdir -p results/runs
	@$(BIN)/testbed validate core --baseline results/baseline.json --output results/runs/gate.md $(ARGS)

scoreboard:  ## score every detector on the suite core, and make the baseline, the board and its figures (ARGS=options)
	@$(MAKE) --no-print-directory --jobs=2 setup
	@$(BIN)/testbed validate core --needed --write-baseline results/baseline.json --output results/SCOREBOARD.md \
		--figures results/scoreboard $(ARGS)

setup: $(VENV)/run.stamp kernel  ## install packages, the virtual environment and the kernel

setup-dev: $(VENV)/dev.stamp kernel  ## the same, with the tools for development

# The kernel takes longest. Its packages come first, so that it compiles while everything else installs.
kernel: kernel-packages
	@PYTHONPATH=. $(PYTHON) -m testbed.engine.kernel --started $(SETUP_STARTED)

kernel-packages:
	@setup/install-packages --if-known $(KERNEL_PACKAGES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is no Python 3.11 or later; install one, and name it, as in: apt-get install python3.11-venv, then make PYTHON=/usr/bin/python3.11 run" >&2; exit 3; }

packages: kernel-packages
	@setup/install-packages $(PACKAGES)

dev-packages: packages
	@setup/install-packages --if-known $(DEV_PACKAGES)

$(VENV)/run.stamp: pyproject.toml | packages
	@$(call say,"python packages: installing")
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --editable .
	@touch $@
	@$(call say,"python packages: installed")

$(VENV)/dev.stamp: pyproject.toml | dev-packages
	@$(call say,"python packages: installing")
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/run.stamp
	@$(call say,"python packages: installed")

# Both wheels, as they would be released: the testbed's depends on the kernel's. The date of all files is the last commit's.
DIST ?= dist
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1615334400)
PACKAGE = SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(abspath $(BIN))/python -m hatchling build --directory
KERNEL_WHEEL = $$(basename $(DIST)/throttling_testbed_kernel-*.whl | cut -d- -f2)

wheel: $(VENV)/dev.stamp kernel  ## build the wheels of the testbed and of its kernel, and their source distributions, in dist/
	@rm -rf $(DIST)/throttling_testbed*
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(BIN)/python -m docs.site build/site
	@cd packages/kernel && $(PACKAGE) $(abspath $(DIST))
	@TESTBED_KERNEL_VERSION=$(KERNEL_WHEEL) $(PACKAGE) $(abspath $(DIST))

release-check: wheel  ## install both wheels where neither this tree nor a compiler is, and replay the first day there
	@setup/release-check $(abspath $(BIN))/python $(DIST)

reproduce: wheel  ## build the kernel anew from nothing, and compare the wheel's bytes
	@$(call say,"kernel: building it a second time")
	@rm -rf build/again && mkdir -p build/again
	@cd packages/kernel && XDG_CACHE_HOME=$(CURDIR)/build/again/cache $(PACKAGE) $(CURDIR)/build/again --target wheel
	@cmp $(DIST)/throttling_testbed_kernel-*.whl build/again/throttling_testbed_kernel-*.whl
	@$(call say,"kernel: both builds are equal byte for byte")

release-tag:
	@version=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml); tag=$$(git describe --exact-match --tags 2>/dev/null || echo none); \
		[ "$$tag" = "v$$version" ] || { echo "the version is $$version, and the tag here $$tag; see docs/how-to/release.md" >&2; exit 1; }

release: release-tag release-check reproduce  ## all that a release consists of, in dist/: the kernel's complete source with it
	@cp /usr/src/linux-source-6.12.tar.xz $(DIST)/
	@cd $(DIST) && sha256sum *.whl *.tar.* >SHA256SUMS && cat SHA256SUMS

clean:  ## remove what make made here; the kernel stays in the cache
	rm -rf $(VENV) build dist packages/kernel/build packages/kernel/licences .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find testbed tests benchmarks topologies -name __pycache__ -prune -exec rm -rf {} +
