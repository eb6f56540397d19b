#!/usr/bin/env bash
# The wheel in an environment of its own with only the core dependencies, and the device tests there.
# usage: core_install.sh PYTHON BUILD_PYTHON [lowest]
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 build_python=$2 versions=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build_python" -m build --quiet --wheel --no-isolation --outdir "$work" .
"$python" -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
if [ "$versions" = lowest ]; then
  "${pip[@]}" "$work"/*.whl -c tests/lowest.txt pytest pytest-timeout
else
  "${pip[@]}" "$work"/*.whl -c constraints.txt pytest pytest-timeout
fi
cp -r tests "$work/tests" # away from the checkout, so that the wheel is what is imported
cd "$work"
PATH="$work/venv/bin:$PATH" "$work/venv/bin/python" -m pytest tests/device -q -p no:cacheprovider
