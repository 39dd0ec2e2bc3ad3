# `make demo` and `make test` do everything on a fresh machine; the rest is for those who stay.
# Another Python than the first fitting one on the PATH: make PYTHON=/path/to/python3.12

export PYTHON
PY = .venv/bin/python
# Four on any machine: most tests wait for a peer most of the time.
PYTEST = $(PY) -m pytest --numprocesses=4 --dist=loadfile

.PHONY: install demo test coverage lint format bench screenshots clean

install:
	@.ci/environment

# Another study than the one that comes along: make demo STUDY=/path/to/a/folder
# To end after the verdict table, with no pages: make demo ONESHOT=1
demo: install
	@$(PY) manage.py demo $(if $(STUDY),"$(STUDY)") $(if $(ONESHOT),--oneshot)

# On PostgreSQL what touches the database, then everything on SQLite; the last line is the second run's.
test: install
	@.ci/peers
	@TALLYMAN_TEST_DATABASE=postgresql $(PYTEST) -m database -rfE
	@TALLYMAN_TEST_DATABASE=sqlite $(PYTEST)

coverage: install
	@$(PYTEST) --cov --cov-report=term

lint: install
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	DJANGO_SETTINGS_MODULE=tests.settings $(PY) manage.py makemigrations --check --dry-run

format: install
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

# Speed against dcmtk and Orthanc, beside dcmsend and pynetdicom: a table, after some minutes.
bench: install
	@.ci/peers
	@$(PY) -m pip install --quiet --upgrade --target .venv/measured --no-deps -r requirements-bench.txt
	@$(PY) -m tests.bench

# The pictures of the README, in the system's Chromium.
screenshots: install
	@.ci/peers
	@$(PY) -m tests.screenshots

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
