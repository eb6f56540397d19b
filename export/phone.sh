#!/bin/sh
# From a training to the folder an Android app takes: model, manifest, golden vectors, a note, hashes.
#
#   export/phone.sh RUN CROPS OUT [RECIPE [NAME]]      RECIPE: int8 (default), fp16 or fp32; NAME: default "face"
#
# Run again, it writes the same bytes. PYTHON chooses the interpreter.
set -eu
target=phone
. "$(dirname "$0")/hand_over.sh"
