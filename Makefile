# `make help` lists what there is. PYTHON chooses the interpreter of .venv; without it, an existing .venv keeps its own.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CHOSEN := $(if $(filter file,$(origin PYTHON)),,$(PYTHON))
PACKAGES := clam_core training launch urdf \
	$(addprefix ros2_ws/src/,clam_ros clam_sim clam_policy clam_recorder clam_arm clam_camera clam_teleop clam_eval)
NODES := $(wildcard ros2_ws/src/clam_*/clam_*)
REQUIREMENTS := $(wildcard requirements*.txt constraints/py*.txt)
PYTEST_ARGS ?=
DEMO ?=
TELEOP ?=

.PHONY: help setup demo rl browser teleop-demo test lint format lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup:  ## virtual environment .venv with pinned dependencies
	@bash setup.sh --check "$(CHOSEN)" "$(VENV)"
	@$(MAKE) -s $(READY)

$(READY): setup.sh $(REQUIREMENTS) $(foreach package,$(PACKAGES),$(package)/setup.py)
	@bash setup.sh "$(CHOSEN)" "$(VENV)" $(PACKAGES)
	@touch $@

demo: setup  ## the main job; report in runs/demo/report.html (DEMO="--task bin-picking")
	@$(BIN)/python -m clam_training.demo $(DEMO)

rl: setup  ## what training of locomotion agents needs (JAX), into .venv
	@bash setup.sh --extra rl "$(VENV)"

teleop-demo: setup  ## the simulated kitchen, the recorder and a page for mouse and keyboard (TELEOP="kind:=expert out:=bags/mine")
	@$(BIN)/clam-launch record robot:=mujoco task:=reach-block kind:=play out:=runs/teleop-demo yaw:=2.36 secure:=false $(TELEOP)

browser: setup  ## what the browser tests of teleoperation need, into .venv; the browser is the system's Chromium
	@bash setup.sh --extra browser "$(VENV)"
	@$(BIN)/python -m clam_teleop.fetch_iwer

test: setup lint  ## lint, then all tests that this machine can run (PYTEST_ARGS="-k name")
ifeq ($(PYTEST_ARGS),)
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile tests/unit && unit=0 || unit=$$?; \
	[ $$unit != 2 ] || exit 2; \
	$(BIN)/python -m pytest --ignore tests/unit && exit $$unit  # those with real time have the machine to themselves
else
	@$(BIN)/python -m pytest $(PYTEST_ARGS)
endif

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict clam_core/clam_core
	@$(BIN)/mypy --strict --follow-imports=silent urdf/clam_description
	@$(BIN)/mypy --follow-imports=silent training/clam_training launch/clam_bringup $(NODES)

format: setup  ## let ruff write its format and safe fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock:  ## resolve the requirements anew into constraints/ (needs a recent pip beside PYTHON)
	@$(PYTHON) constraints/lock.py

clean:  ## remove .venv, build output and caches; runs/ and data stay
	rm -rf $(VENV) ros2_ws/build ros2_ws/install ros2_ws/log .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name '*.egg-info' -prune -exec rm -rf {} +
