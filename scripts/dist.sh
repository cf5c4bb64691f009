#!/usr/bin/env bash
# Makes build/cleanclip-VERSION.tar.gz: the sources of the last commit, with what a build would fetch: the
# vocabulary, and the sources of swift-argument-parser, so that `make build` works without network there.
set -euo pipefail
cd "$(dirname "$0")/.."
name=cleanclip-$(cat VERSION)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
parser=.build/checkouts/swift-argument-parser
for needed in .data/bpe_simple_vocab_16e6.txt.gz "$parser/Package.swift"; do
  [ -e "$needed" ] || { echo "dist: '$needed' is missing; run 'make build' first" >&2; exit 1; }
done
mkdir "$work/$name"
git archive HEAD | tar -x -C "$work/$name"
mkdir -p "$work/$name"/{.data,Dependencies} build
cp .data/bpe_simple_vocab_16e6.txt.gz "$work/$name/.data/"
cp -r "$parser" "$work/$name/Dependencies/"
rm -rf "$work/$name/Dependencies/swift-argument-parser/.git"
tar -c -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" "$name" |
  gzip -9n > "build/$name.tar.gz"
ls -l "build/$name.tar.gz"
