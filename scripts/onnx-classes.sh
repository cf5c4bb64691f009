#!/usr/bin/env bash
# Generates the classes of ONNX messages from the distribution's description (libonnx-dev), under a
# namespace of the project's own and for protobuf's lite runtime: a host may have classes of the same
# names from another version, and protobuf's registry knows nothing of these.
set -euo pipefail
cd "$(dirname "$0")/.."
description=${1:-/usr/include/onnx/onnx.proto}
target=Sources/COnnx/generated
if [ "$target/onnx-classes.pb.cc" -nt "$description" ] &&
  [ "$target/onnx-classes.pb.cc" -nt scripts/onnx-classes.sh ]; then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -e 's/^package onnx;/package cleanclip.onnx;/' -e '/^option optimize_for/d' "$description" \
  > "$work/onnx-classes.proto"
echo 'option optimize_for = LITE_RUNTIME;' >> "$work/onnx-classes.proto"
grep -q '^package cleanclip.onnx;' "$work/onnx-classes.proto" || {
  echo "onnx-classes: '$description': no package; expected 'package onnx;'" >&2
  exit 1
}
protoc --proto_path="$work" --cpp_out="$work" onnx-classes.proto
mkdir -p "$target"
mv "$work/onnx-classes.pb.h" "$work/onnx-classes.pb.cc" "$target/"
