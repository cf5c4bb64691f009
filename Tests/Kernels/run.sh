#!/usr/bin/env bash
# Compiles the pool of threads into its test, and runs it plainly, with thread and with address sanitizer.
set -euo pipefail
cd "$(dirname "$0")"
kernels=../../Sources/CKernels
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
# The test forks a process that has threads, and the child starts new ones.
export TSAN_OPTIONS=die_after_fork=0:halt_on_error=1

for sanitizer in none thread address,undefined; do
  flags=()
  [ $sanitizer = none ] || flags=(-fsanitize=$sanitizer)
  gcc -std=gnu11 -g -O1 -Wall -Wextra -Werror "${flags[@]}" -I"$kernels" -I"$kernels/include" \
    test_pool.c "$kernels"/{pool,parallel,processors}.c -o "$output/test_pool" -lpthread -lm
  echo "--- test_pool, sanitizer: $sanitizer"
  "$output/test_pool"
done
