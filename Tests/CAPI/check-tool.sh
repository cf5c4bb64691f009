#!/usr/bin/env bash
# Checks that a program starts where Swift is not installed.
#
#   check-tool.sh PROGRAM
set -euo pipefail
program=$1
if readelf -d "$program" | grep -E 'NEEDED.*(libswift|libdispatch|libBlocksRuntime|Foundation)|R(UN)?PATH.*swift'; then
  echo "FAIL $(basename "$program") needs a Swift run time"
  exit 1
fi
env -i "$program" --help > /dev/null
echo "ok   $(basename "$program") needs no Swift run time"
