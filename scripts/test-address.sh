#!/usr/bin/env bash
# Runs the tests of everything that reads foreign bytes with address sanitizer. The comparisons with
# thousands of reference captions stay out: they take minutes here and read no foreign file.
set -euo pipefail
cd "$(dirname "$0")/.."
export ASAN_OPTIONS=detect_leaks=0
suites=(
  Hostile Foreign ONNXImport SafeTensors Tokenizer JSON NumPy AtomicFile Printable
  ImageDecoder PairDataset ChangedFile CheckpointLocation Preprocessing ThreadStorm ConcurrentCalls SimCLIP
)
swift test --sanitize=address --scratch-path .build/address \
  --filter "$(IFS='|'; echo "${suites[*]}")" \
  --skip 'Reference|HuggingFace|HugeWord|Quadratic|SeveralThreads'
