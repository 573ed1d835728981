.DEFAULT_GOAL := help
.PHONY: help setup run test train lint types bench cluster faults soak audit lock clean

help: ## List the commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make both environments from their lock files, or bring them up to date.
	@scripts/setup.sh

run: setup ## Do all that is needed and start the product.
	@.venv/bin/suqiutong up

test: ## Check style, types and training data and run every test; nothing is needed before.
	@scripts/test.sh

train: setup ## Train the model.
	@.venv/bin/suqiutong train

lint: ## Correct the style of the code.
	@scripts/setup.sh dev
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

types: ## Check types.
	@scripts/setup.sh dev
	@.venv/bin/mypy

bench: ## Measure the whole path of a message beside stock Rasa (docs/benchmarks.md; a quarter of an hour).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.speed.measure

.PHONY: bench-answers
bench-answers: setup ## Measure answers: quality, each step switched off, time (docs/benchmarks.md).
	@.venv/bin/python -m bench.answers.measure

.PHONY: bench-petitions
bench-petitions: ## Measure the case work beside plain SQLAlchemy and in large queues (docs/benchmarks.md; half an hour).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.petitions.measure

.PHONY: bench-desk
bench-desk: ## Measure the assist page while operators type, and a queue of a million tickets (docs/benchmarks.md; half an hour).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.desk.assist
	@.venv/bin/python -m bench.desk.queue

.PHONY: bench-understanding
bench-understanding: setup ## Compare intent classifiers on the training data (docs/understanding.md).
	@scripts/bench_understanding.sh

.PHONY: bench-growth
bench-growth: setup ## Measure what things cost as work grows: turns, nights, tickets, documents (docs/benchmarks.md; five minutes).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.growth

faults: ## Make every fault for real while residents file petitions, and see that nothing is lost (docs/operations.md; root, three quarters of an hour).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.faults.measure

soak: ## Load the product for half an hour and look at its memory, then at 2,000 open conversations (docs/benchmarks.md).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.soak --idle 2000

cluster: ## Restart, kill and hang several of each process behind nginx under load (docs/operations.md; a quarter of an hour).
	@scripts/setup.sh dev
	@.venv/bin/python -m bench.cluster.trial

audit: ## Hold every pinned package against the advisory databases (docs/security.md).
	@scripts/audit.sh

lock: setup ## Pin every package anew.
	@scripts/lock.sh

clean: ## Remove the environments, the model and the caches; the database, added documents and secrets stay.
	rm -rf .venv .venv-bot .uv .node .audit node_modules var/models var/knowledge var/knowledge-builds var/log .*_cache
