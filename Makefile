# Everything runs in a virtual environment of its own, .venv, which is made on first use.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench bench-quick oracles check docs page clean

demo: .venv/viz
	$(BIN)/python examples/experiments.py 4 --pictures output

test: .venv/test # a process per core
	$(BIN)/python -m pytest -n auto

bench: .venv/bench
	$(BIN)/python -m benchmarks

bench-quick: .venv/bench
	$(BIN)/python -m benchmarks --quick

oracles: .venv/dev # the same gradients by PyTorch, ONNX's own node cases
	$(BIN)/python -m pytest -n auto tests/oracles

docs: .venv/docs # the site, in build/docs: every cell of it runs, every link is followed, words are spelt
	$(BIN)/python -m sphinx -W --keep-going -q -j auto docs build/docs
	$(BIN)/python docs/check_site.py build/docs
	$(BIN)/codespell

page: .venv/viz # a network on a page to draw on, and to teach
	$(BIN)/python examples/draw.py

check: .venv/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python tests/typed.py

# One rule makes them all: the environment with the package and one extra, remade when the packaging changes.
.venv/%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	touch $@

clean:
	rm -rf .venv build output *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
