#!/usr/bin/env bash
# Makes the wheel to give away, build/wheel/cleanclip-*-manylinux_*.whl, from what `make build` left: the
# libraries that the system would give are inside, the tag says which systems it runs on, and the licences
# of all that is inside are in its metadata.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv-wheel/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf build/wheel
mkdir -p build/wheel

"$bin/pip" wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w "$work" bindings/python
PATH=$bin:$PATH "$bin/auditwheel" repair -w "$work/repaired" "$work"/cleanclip-*.whl 2> "$work/log" || {
  cat "$work/log" >&2
  exit 1
}

# The licences: of what is linked in, and of each package of the distribution that a library came from.
"$bin/wheel" unpack -d "$work/unpacked" "$work"/repaired/cleanclip-*.whl > /dev/null
licenses=$(echo "$work"/unpacked/cleanclip-*/cleanclip-*.dist-info)/licenses
mkdir -p "$licenses"
cp LICENSE NOTICE "$licenses/"
copyright_of() {
  local package
  package=$(dpkg-query -S "$1" | head -n 1 | cut -d: -f1)
  cp "$(realpath "/usr/share/doc/$package/copyright")" "$licenses/$package.txt"
}
copyright_of "$(realpath "$(gcc -print-file-name=libarchive.a)")"
ldd build/lib/libcleanclip.so | awk '$2 == "=>" { print $3 }' | xargs -n 1 realpath | while read -r library; do
  # libpng16.so.16.39.0 is in the wheel as libpng16-HASH.so.16.39.0.
  name=$(basename "$library")
  if compgen -G "$work/unpacked/cleanclip-*/cleanclip.libs/${name%%.*}-*" > /dev/null; then
    copyright_of "$library"
  fi
done
"$bin/wheel" pack -d build/wheel "$work"/unpacked/cleanclip-* > /dev/null
"$bin/auditwheel" show build/wheel/cleanclip-*.whl
ls -l build/wheel/cleanclip-*.whl
