#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes with libFuzzer and address sanitizer. What is found is in
# .build/fuzz/findings; inputs that reached new code are kept in .build/fuzz/corpus for the next run.
#
#   scripts/fuzz.sh [--seconds 60] [--no-build] [TARGET...]
#   scripts/fuzz.sh TARGET FILE...          runs files through a target, once each
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=$root/.build/fuzz
seconds=60
targets=()
files=()
mode=build

while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=$2; shift 2 ;;
    --no-build) mode=run; shift ;;
    *) if [ -f "$1" ]; then files+=("$(realpath "$1")"); else targets+=("$1"); fi; shift ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(
  array bank caption check configuration onnx image safetensors state table tar tokenizer
  trigger vocabulary)

CLEANCLIP_FUZZER_RUNTIME=$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer_no_main-x86_64.a
export CLEANCLIP_FUZZER_RUNTIME
if [ "$mode" = build ]; then
  # Only the compiler's front end knows of the fuzzer: the driver would link its main function.
  swift build -c release --product fuzz --scratch-path "$build" --sanitize=address \
    -Xswiftc -Xfrontend -Xswiftc -sanitize=address,fuzzer -Xswiftc -use-ld=lld \
    -Xcc -fsanitize=fuzzer-no-link -Xcxx -fsanitize=fuzzer-no-link
fi
program=$build/release/fuzz

scratch=$(mktemp -d -p /dev/shm cleanclip-fuzz.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export CLEANCLIP_FUZZ_FOLDER=$scratch
# An allocation beyond -rss_limit_mb is a finding; Swift's own backtraces would wait for it.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=32:allocator_may_return_null=1
export SWIFT_BACKTRACE=enable=no
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# The longest input worth mutating.
longest() {
  case $1 in
    onnx) echo 100000 ;;
    tar | safetensors | tokenizer) echo 16384 ;;
    *) echo 4096 ;;
  esac
}

run() {
  local target=$1 seeds=("Fuzz/corpus/$1")
  [ "$target" != image ] || seeds=(Tests/Fixtures/images)
  mkdir -p "$build/corpus/$target" "$build/findings" "$build/logs"
  ln -sf "$program" "$scratch/fuzz-$target"
  local log=$build/logs/$target.log
  TIMEFORMAT='cpu seconds: %U + %S'
  time "$scratch/fuzz-$target" -max_total_time="$seconds" -max_len="$(longest "$target")" \
    -timeout=60 -report_slow_units=60 -rss_limit_mb=1500 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$target-" \
    "$build/corpus/$target" "${seeds[@]}"
}

if [ ${#files[@]} -gt 0 ]; then
  ln -sf "$program" "$scratch/fuzz-${targets[0]}"
  "$scratch/fuzz-${targets[0]}" "${files[@]}"
  exit
fi

status=0
for target in "${targets[@]}"; do
  log=$build/logs/$target.log
  mkdir -p "$build/logs"
  result=passed
  run "$target" > "$log" 2>&1 || { result="FAILED, see $log"; status=1; }
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
  coverage=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  cpu=$(sed -n 's/^cpu seconds: //p' "$log" | awk '{print int($1 + $3)}')
  printf '%-14s %12s executions %8s CPU s %7s edges  %s\n' \
    "$target" "${executions:-?}" "${cpu:-?}" "${coverage:-?}" "$result"
done
exit $status
