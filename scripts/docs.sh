#!/usr/bin/env bash
# Makes the API pages in build/docs: c (C and C++, from the headers, by Doxygen) and python (from the
# docstrings, by pdoc). What the headers leave undocumented of a function is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf build/docs
mkdir -p build/docs
VERSION=$(cat VERSION) doxygen docs/Doxyfile
CLEANCLIP_LIBRARY=$PWD/build/lib/libcleanclip.so PYTHONPATH=bindings/python \
  .venv-docs/bin/pdoc --docformat numpy -o build/docs/python cleanclip > /dev/null
echo "build/docs/c/index.html and build/docs/python/cleanclip.html"
