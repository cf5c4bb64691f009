#!/usr/bin/env bash
# Compiles the C and C++ tests against the built library and runs them.
#
#   Tests/CAPI/run.sh [FOLDER OF libcleanclip.so]
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
library=$(cd "${1:-$root/build/lib}" && pwd)
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT

warnings=(-Wall -Wextra -Werror)
include=(-I"$root/include" -I"$root/bindings/cpp")
link=(-L"$library" -lcleanclip -Wl,-rpath,"$library" -lpthread -ldl -lm)
compile_c=(gcc -std=c11 -D_GNU_SOURCE -g -O1 "${warnings[@]}" "${include[@]}")
compile_cpp=(g++ -std=c++17 -g -O1 "${warnings[@]}" "${include[@]}")

echo "library: $library/libcleanclip.so"

for standard in c99 c11; do
  gcc -std=$standard -pedantic "${warnings[@]}" "${include[@]}" -fsyntax-only test_header.c
  echo "ok   header compiles as $standard"
done
for standard in c++11 c++14 c++17 c++20; do
  g++ -std=$standard -pedantic "${warnings[@]}" "${include[@]}" -fsyntax-only -x c++ test_header.c
  echo "ok   header compiles as $standard"
done

./check-exports.sh "$library/libcleanclip.so" "$root"/include/cleanclip/*.h
./check-abi.sh "$library/libcleanclip.so" "$root/include"
for tool in cleanclip onnx-import; do ./check-tool.sh "$library/../bin/$tool"; done
./check-binding.sh "$library/libcleanclip.so" "$root/include" "$root/bindings/cpp"

status=0
for source in test_*.c; do
  [ "$source" = test_header.c ] && continue
  program=$output/${source%.c}
  "${compile_c[@]}" "$source" -o "$program" "${link[@]}"
  echo "--- ${source%.c}"
  "$program" "$library/libcleanclip.so" || status=1
done
for source in test_*.cpp; do
  program=$output/${source%.cpp}-cpp
  # A program's own classes are everybody's (-rdynamic), as those of a host may be.
  "${compile_cpp[@]}" -rdynamic "$source" -o "$program" "${link[@]}"
  echo "--- ${source%.cpp}"
  "$program" "$library/libcleanclip.so" || status=1
done
for program in test_host test_threads; do
  echo "--- $program, without any environment variable"
  env -i PATH="$PATH" "$output/$program" "$library/libcleanclip.so" || status=1
done
exit $status
