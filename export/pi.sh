#!/bin/sh
# From a training to the folder a Raspberry Pi takes (docs/pi.md): model, manifest, golden vectors, a note, hashes.
#
#   export/pi.sh RUN CROPS OUT [RECIPE [NAME]]         RECIPE: int8 (default), fp16 or fp32; NAME: default "face"
#
# Run again, it writes the same bytes. PYTHON chooses the interpreter.
set -eu
target=pi
. "$(dirname "$0")/hand_over.sh"
