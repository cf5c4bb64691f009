#!/usr/bin/env bash
# Runs the tests of everything that reads foreign bytes with address sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
export ASAN_OPTIONS=detect_leaks=0
swift test --sanitize=address --scratch-path .build/address \
  --filter 'HostileONNX|ONNXImport|SafeTensors|JSON|NumPy|AtomicFile|HostileImage|ImageDecoder'
