#!/usr/bin/env bash
# Compares what the library exports with what the headers declare.
#
#   check-exports.sh LIBRARY HEADER...
set -euo pipefail
library=$1
shift
declared=$(grep -hoE '^CLEANCLIP_API.*|^ +cleanclip_[a-z0-9_]+\(' "$@" | grep -oE 'cleanclip_[a-z0-9_]+\(' \
  | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u)
if ! difference=$(diff <(echo "$declared") <(echo "$exported")); then
  echo "FAIL exports differ from the headers (<: declared only, >: exported only)"
  echo "$difference"
  exit 1
fi
echo "ok   $(echo "$exported" | wc -l) exports equal the headers"

unversioned=$(nm -D --defined-only "$library" | awk '$2 != "A" && $3 !~ /@@CLEANCLIP_[0-9]+\.[0-9]+$/')
[ -z "$unversioned" ] || { echo "FAIL exports without a version: $unversioned"; exit 1; }

soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = libcleanclip.so.0 ] || { echo "FAIL soname is '$soname'"; exit 1; }
readelf -d "$library" | grep -q NODELETE || { echo "FAIL the library is not marked nodelete"; exit 1; }
if readelf -d "$library" | grep -E 'NEEDED.*(libswift|Foundation)'; then
  echo "FAIL the library needs a Swift run time"
  exit 1
fi
echo "ok   versions of symbols, soname, nodelete, no Swift run time needed"
