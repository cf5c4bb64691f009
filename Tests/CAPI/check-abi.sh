#!/usr/bin/env bash
# Compares the binary interface with abi.txt, and shows that changes which break programs are refused.
#
#   check-abi.sh LIBRARY INCLUDE
set -euo pipefail
library=$(realpath "$1")
include=$(realpath "$2")
cd "$(dirname "$0")"
abi=../../scripts/abi.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$abi" "$library"

# changed NAME FILE SED-EXPRESSION: the headers, with one change
changed() {
  rm -rf "$work/include"
  cp -r "$include" "$work/include"
  sed -i "$3" "$work/include/cleanclip/$2"
  ! diff -rq "$include" "$work/include" > /dev/null || { echo "FAIL abi: no change '$1'"; exit 1; }
  cp abi.txt "$work/abi.txt"
}

refuse() {
  changed "$@"
  if "$abi" "$library" --include "$work/include" --dump "$work/abi.txt" --write > "$work/output"; then
    echo "FAIL abi: '$1' was accepted"
    exit 1
  fi
  grep -q 'compiled before break' "$work/output" || { cat "$work/output"; exit 1; }
  cmp -s abi.txt "$work/abi.txt" || { echo "FAIL abi: '$1' was written"; exit 1; }
  echo "ok   refused: $1"
}

refuse 'a function takes another type' tokenizer.h 's/int64_t context_length/int32_t context_length/'
refuse 'a value has another number' status.h 's/CLEANCLIP_IO = 4/CLEANCLIP_IO = 14/'
refuse 'a value is gone' status.h '/CLEANCLIP_FORMAT = 5/d'
refuse 'a member is in front' sanitize.h '/^  size_t struct_size;/a\  int64_t first;'
refuse 'a member is in the padding' check.h \
  '/^typedef struct cleanclip_check_data_options/,/^}/ s/^  int32_t resume;/&\n  int32_t added;/'

changed 'members at the end' check.h 's/^} cleanclip_check_data_options;/  int64_t added;\n&/'
if "$abi" "$library" --include "$work/include" --dump "$work/abi.txt" > "$work/output"; then
  echo "FAIL abi: a struct that grew equals the one of before"
  exit 1
fi
"$abi" "$library" --include "$work/include" --dump "$work/abi.txt" --write
"$abi" "$library" --include "$work/include" --dump "$work/abi.txt" > "$work/output"
echo "ok   a member at the end is written down"

# What is deprecated warns, in C and in C++.
cat > "$work/deprecated.c" <<'C'
#include <cleanclip.h>
CLEANCLIP_DEPRECATED("use another one") CLEANCLIP_API int cleanclip_old(void);
int call(void) { return cleanclip_old(); }
C
for compiler in "gcc -std=c99" "g++ -std=c++11 -x c++"; do
  if $compiler -Werror -I"$include" -fsyntax-only "$work/deprecated.c" 2> "$work/output"; then
    echo "FAIL $compiler: a deprecated function does not warn"
    exit 1
  fi
  grep -q 'use another one' "$work/output" || { cat "$work/output"; exit 1; }
done
echo "ok   deprecated functions warn"
