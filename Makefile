# cleanclip: `make help` lists what there is to make.
PREFIX ?= /usr/local
LIBDIR ?= lib
SWIFT_BUILD = swift build -c release
DATA ?= $(wildcard ../shared)
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help setup build test test-swift test-c test-python test-tools test-examples test-address goldens lint fuzz \
	docs demo abi bench bench-micro bench-scale bench-alarms bench-robust bench-batch bench-cifar bench-checks bench-dataset bench-text zoo experiment install uninstall wheel deb dist test-install clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

setup: ## Install packages and the tokenizer's vocabulary, if missing
	@scripts/setup.sh

build: setup ## Build the library and the tools into build/
	$(SWIFT_BUILD)
	@scripts/stage.sh build

demo: build ## Poison, train, check, sanitize and report on synthetic images (up to 6 minutes)
	@examples/demo/run.sh

test: lint test-swift test-c test-python test-tools test-examples test-address ## Run every test (up to 20 minutes)

test-swift: build ## Unit and numeric tests, optimised
	$(SWIFT_BUILD) --build-tests
	swift test -c release --skip-build

test-c: build ## The C interface from C and C++, the pool of threads, MPI where it is installed
	@Tests/Kernels/run.sh
	@Tests/CAPI/run.sh
	@Tests/MPI/run.sh

test-python: build ## The Python package, and its types
	@scripts/setup.sh --tests
	CLEANCLIP_LIBRARY=$(CURDIR)/build/lib/libcleanclip.so PYTHONPATH=bindings/python \
		.venv/bin/python -m pytest -q Tests/python
	.venv/bin/mypy --strict bindings/python/cleanclip

test-tools: build ## The tools: outputs, help, exit codes, streams, signals, bad places
	@scripts/setup.sh --tests
	.venv/bin/python -m pytest -q Tests/tools

test-examples: build ## Every example, compiled or run on drawn data
	@scripts/setup.sh --tests
	.venv/bin/python -m pytest -q Tests/examples

goldens: build ## Write the outputs and help texts anew that test-tools compares with
	@scripts/setup.sh --tests
	.venv/bin/python Tests/tools/write_goldens.py

abi: build ## Write the binary interface down anew that test-c compares with
	@scripts/abi.py build/lib/libcleanclip.so --write

test-address: setup ## Memory tests: everything that reads foreign bytes, with address sanitizer
	@scripts/test-address.sh

fuzz: setup ## Fuzz every reader of foreign bytes, each for SECONDS=60
	@scripts/fuzz.sh --seconds $(SECONDS)

lint: ## Format of the Swift sources, and the house rules a machine can check
	@scripts/lint.sh

bench-cifar: build ## Sanitize the poisoned CIFAR-10 checkpoints: make bench-cifar DATA=../shared
	@scripts/setup.sh --tests
	CLEANCLIP_LIBRARY=$(CURDIR)/build/lib/libcleanclip.so \
		.venv/bin/python benchmarks/cifar.py --data "$(DATA)"

bench-checks: build ## Measure the dataset and input checks: make bench-checks DATA=../shared
	@scripts/setup.sh --tests
	CLEANCLIP_LIBRARY=$(CURDIR)/build/lib/libcleanclip.so \
		.venv/bin/python benchmarks/checks.py --data "$(DATA)"

bench-dataset: build ## Measure the dataset check's verdict on clean and poisoned sets (an hour): make bench-dataset DATA=../shared
	@scripts/setup.sh --tests
	.venv/bin/python benchmarks/dataset_verdict.py $(if $(DATA),--data "$(DATA)")

bench-text: build ## Measure the check of text towers on poisoned words: make bench-text DATA=../shared
	@scripts/setup.sh --tests
	CLEANCLIP_LIBRARY=$(CURDIR)/build/lib/libcleanclip.so \
		.venv/bin/python benchmarks/text_backdoor.py --data "$(DATA)"

bench: build ## Time cleanclip beside PyTorch on this machine (long)
	@scripts/setup.sh --bench
	.venv-bench/bin/python benchmarks/compare.py --rows $(ROWS)

bench-alarms: build ## Count false alarms of the model check on clean models: make bench-alarms DATA=../shared (hours)
	@scripts/setup.sh --tests
	.venv/bin/python benchmarks/false_alarms.py --data "$(DATA)"

zoo: build ## Measure the model check on clean and backdoored CLIPs (hours): make zoo DATA=../shared
	python3 benchmarks/zoo.py $(if $(DATA),--data "$(DATA)")

experiment: build ## Attack, clean with every recipe, measure, write docs/results.md: make experiment [DATA=...]
	python3 benchmarks/experiment.py $(if $(filter command line,$(origin DATA)),--data "$(DATA)")

bench-robust: build ## Train on poisoned pairs, plainly and by the robust methods, and measure (20 minutes)
	python3 benchmarks/robust_training.py

bench-batch: build ## CleanCLIP with the batches of one and of many machines: make bench-batch DATA=../shared
	python3 benchmarks/batch_size.py --data "$(DATA)"

bench-scale: build ## Measure how the cost grows with batch, threads, tower and data
	python3 benchmarks/scale.py

bench-micro: build ## Time single operations beside what the machine reaches at best
	build/bin/cleanclip bench operations --pairs 64

install: ## Install what `make build` left below PREFIX, the library in LIBDIR=lib of it
	@DESTDIR="$(DESTDIR)" LIBDIR="$(LIBDIR)" scripts/stage.sh "$(PREFIX)" --install

uninstall: ## Remove what install put below PREFIX
	@DESTDIR="$(DESTDIR)" LIBDIR="$(LIBDIR)" scripts/stage.sh "$(PREFIX)" --remove

wheel: build ## Make the Python wheel, with all it needs inside, in build/wheel
	@scripts/setup.sh --package
	@scripts/wheel.sh

deb: build ## Make the Debian packages in build/deb, and check them with lintian
	@scripts/setup.sh --package
	@scripts/deb.sh

docs: build ## Make the API pages of C, C++ and Python in build/docs
	@scripts/setup.sh --docs
	@scripts/docs.sh

dist: ## Make the source archive build/cleanclip-VERSION.tar.gz of the last commit
	@scripts/dist.sh

test-install: wheel deb ## Every way to install, in prefixes, clean environments and clean roots
	@scripts/setup.sh --tests
	Tests/install/test_prefix.sh
	Tests/install/test_wheel.sh
	@scripts/setup.sh --docs
	Tests/install/test_docs.sh
	Tests/install/test_feel.sh
	Tests/install/test_roots.sh

clean: ## Remove everything built
	rm -rf .build build demo-output
