# Every target makes its virtual environment when missing, from constraints.txt: a fresh machine gets what we tested.
# `make check` is what CI runs. Another interpreter: make test PYTHON=python3.13 VENV=.venv313
PYTHON ?= python3
VENV ?= .venv
OUT ?= demo-out
JOBS ?= 2
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
SWIFTSHADER := build/swiftshader
STAMP := $(VENV)/.installed-$(shell cat constraints.txt requirements-dev.txt pyproject.toml models/pyproject.toml | sha256sum | cut -c1-12)

.PHONY: help install models demo test test-android lint typecheck check core-install test-lowest test-pi soak clean

help:
	@echo "make demo       photos -> crops -> training -> five artifacts -> report, on the ORL faces ($(OUT)/report.html)"
	@echo "make test       the tests, in parallel on $(JOBS) cores"
	@echo "make lint       formatting, lint, import order"
	@echo "make typecheck  mypy --strict"
	@echo "make check      all of these and the core-only install: what CI runs"
	@echo "make test-lowest  the device side with the lowest versions we promise"
	@echo "make test-android  compile, test, sign and check the Android app without an SDK (JDK 17, Maven; first run: 0.8 GB)"
	@echo "make test-pi    the device side on an emulated Raspberry Pi 4, and docs/pi.md line by line"
	@echo "make soak       kill loops and fuzzing, long; results go to benchmarks/results/"
	@echo "make clean      remove what these targets made"

install: $(STAMP)

$(STAMP):
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(BIN)/python -r requirements-dev.txt -c constraints.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . -e models
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e models
endif
	rm -f $(VENV)/.installed-*
	touch $@

# The face detectors and mesh (3.8 MB, Apache-2.0), into the user's data folder; does nothing when they are there.
models: $(STAMP)
	$(BIN)/edge-facenet setup

demo: models
	$(BIN)/edge-facenet demo $(OUT)

test: models $(SWIFTSHADER)
	EDGE_FACENET_SWIFTSHADER=$(abspath $(SWIFTSHADER)/usr/lib/chromium) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

# A GPU played by the CPU, out of a Debian package that is unpacked and not installed. Elsewhere the folder stays empty, and
# the tests of the GPU lane skip with the reason.
$(SWIFTSHADER):
	mkdir -p $@
	-cd $@ && command -v dpkg >/dev/null && apt-get download -qq chromium-common && dpkg -x chromium-common_*.deb .
	rm -f $@/*.deb

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

typecheck: $(STAMP)
	$(BIN)/mypy

check: lint typecheck test core-install test-android

# The wheel with nothing but its own dependencies: what a Raspberry Pi gets.
core-install: $(STAMP)
	bash tests/core_install.sh $(PYTHON) $(BIN)/python

# An emulated Raspberry Pi 4 (Debian Bookworm arm64 under qemu, in build/pi): the same answers as here, the device tests,
# the commands, and docs/pi.md line by line. Builds what is missing; says so and leaves with 77 where it cannot.
test-pi: models
	bash tests/pi/build.sh build/pi $(BIN)/python
	EDGE_FACENET_PI=build/pi $(BIN)/python -m pytest tests/pi -n $(JOBS) --dist loadfile --timeout 1800 --durations 8

test-lowest: $(STAMP)
	bash tests/core_install.sh $(PYTHON) $(BIN)/python lowest

# Kotlin on the JVM, the app under Robolectric, an APK: Maven does it, from the released models and those of `make models`.
test-android: models
	$(BIN)/python android_demo/tools/build.py $(if $(MODELS),package "-Dmodels=$(MODELS)")

soak: models
	$(BIN)/python -m pytest -m soak --timeout 3600 --durations 0

clean:
	rm -rf $(VENV) $(OUT) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache *.egg-info android_demo/target android_demo/*/target android_demo/*/build android_demo/.gradle
