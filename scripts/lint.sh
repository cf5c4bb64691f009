#!/usr/bin/env bash
# House rules that a machine can check; see CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."

swift format lint --strict --recursive --parallel Sources Tests Fuzz Package.swift

fail() {
  echo "lint: $1" >&2
  exit 1
}
! grep -rn 'import Foundation' Sources/CleanCLIP{Files,Kit,C} Sources/ONNXGraphs ||
  fail "Foundation in the library costs 60 MB; import Glibc"
! grep -rnE 'try!|as!|nonisolated\(unsafe\)' Sources --include='*.swift' ||
  fail "forced operations trap in the host's process; throw a CLIPError"
! grep -rnE '(^|[^[:alnum:]_.])print\(' Sources/CleanCLIP{Files,Kit,C} Sources/ONNXGraphs --include='*.swift' ||
  fail "the library does not print; return the text or call back"

python3 scripts/arrows.py || fail "folders of the engine use each other in a circle; move a type down"
