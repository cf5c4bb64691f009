#!/usr/bin/env bash
# A step of CI: fails unless the checkpoint and the pairs that it was trained on look clean.
#
#   examples/ci/gate.sh clip.onnx 'pairs-*.tar' [REPORTS]
#
# Exit code 3 is a verdict, and anything else that is not 0 a failure: a file that is missing, or broken.
set -euo pipefail
model=$1
pairs=$2
reports=${3:-reports}
mkdir -p "$reports"

status=0
gate() {
  local code=0
  cleanclip check "$@" --gate --quiet || code=$?
  case $code in
    0) ;;
    3) status=3 ;;
    *) exit "$code" ;;
  esac
}
gate model "$model" --images "$pairs" --report "$reports/model.html" ${CHECK_MODEL_OPTIONS:-}
gate data "$model" --data "$pairs" --report "$reports/data.html" --cleaned "$reports/cleaned.txt"
exit $status
