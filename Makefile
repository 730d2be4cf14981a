.PHONY: run test check demo tree stop bench exposure mutants storm clean
unexport PYTHONDONTWRITEBYTECODE

run: ## Install what is needed and start the server
	@.ci/bootstrap run
	@.venv/bin/python run.py run

demo: ## Start a server, deploy a bot on the simulated exchange, kill it and watch it heal
	@.ci/bootstrap run
	@.venv/bin/python run.py demo

tree: ## Show the supervision tree of the running server
	@.venv/bin/python run.py tree

stop: ## End the running server; its bots go on
	@.venv/bin/python run.py stop

check: ## Style, types and layers
	@.ci/bootstrap test
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: check ## Everything that continuous integration checks
	@.ci/services
	.venv/bin/python -m pytest

SEEDS ?= 5

exposure: ## Kill bots at random under random faults and compare the exchange's books; SEEDS=n
	@.ci/bootstrap test
	SEEDS=$(SEEDS) KILLS=4 .venv/bin/python -m pytest tests/bots/test_exposure_over_kills.py

bench: ## Measure; prints ratios
	@.ci/bootstrap test
	.venv/bin/python benchmarks/kernel.py

mutants: ## Change the kernel in small, mean ways and look whether a test notices; some hours
	@.ci/bootstrap test
	.venv/bin/python tests/kernel/mutations.py

storm: ## Storms of faults in simulated trees; SEEDS=n
	@.ci/bootstrap test
	.venv/bin/python tests/kernel/storms.py $(SEEDS)

clean:
	rm -rf .venv .venv-uv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
