#!/usr/bin/env bash
# Compiles each header of the C++ binding by itself, and compares what the binding calls with what the
# library exports.
#
#   check-binding.sh LIBRARY INCLUDE BINDING
set -euo pipefail
library=$1
include=$2
binding=$3
for header in "$binding"/cleanclip.hpp "$binding"/cleanclip/*.hpp; do
  for standard in c++17 c++20; do
    g++ -std=$standard -pedantic -Wall -Wextra -Werror -I"$include" -I"$binding" \
      -fsyntax-only -x c++ "$header"
  done
done
echo "ok   every header of the C++ binding compiles by itself as c++17 and c++20"

exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u)
# What has a successor is left to programs in C.
deprecated=$(grep -hA 1 '^CLEANCLIP_DEPRECATED' "$include"/cleanclip/*.h | grep -oE '\bcleanclip_[a-z0-9_]+' | sort -u)
exported=$(comm -23 <(echo "$exported") <(echo "$deprecated"))
used=$(grep -hoE '\bcleanclip_[a-z0-9_]+' "$binding"/cleanclip/*.hpp | sort -u)
if unused=$(comm -23 <(echo "$exported") <(echo "$used")) && [ -n "$unused" ]; then
  echo "FAIL the C++ binding lacks: $unused"
  exit 1
fi
echo "ok   the C++ binding uses each of $(echo "$exported" | wc -l) exports"
