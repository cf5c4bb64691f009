#!/usr/bin/env bash
# Compiles the adapter of MPI and its example, and runs them under mpirun; skipped where there is no MPI.
#
#   Tests/MPI/run.sh [FOLDER OF libcleanclip.so]
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
library=$(cd "${1:-$root/build/lib}" && pwd)
for tool in mpicc mpicxx mpirun; do
  command -v $tool > /dev/null || {
    echo "skip $tool is not there: the adapter of MPI is not tested; install libopenmpi-dev and openmpi-bin"
    exit 0
  }
done
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
warnings=(-Wall -Wextra -Werror)
include=(-I"$root/include" -I"$root/bindings/cpp" -I"$root/bindings/mpi")
link=(-L"$library" -lcleanclip -Wl,-rpath,"$library")
mpicc -std=c99 -D_POSIX_C_SOURCE=200809L "${warnings[@]}" "${include[@]}" \
  "$root/examples/mpi/sanitize.c" -o "$output/sanitize" "${link[@]}"
mpicxx -std=c++17 -D_GNU_SOURCE -DOMPI_SKIP_MPICXX "${warnings[@]}" "${include[@]}" test_mpi.cpp -o "$output/test" "${link[@]}"
echo "ok   the adapter and its example compile as C and C++"

# As root, and with more ranks than cores, as on a machine for tests.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ranks() { timeout 300 mpirun --oversubscribe --mca btl self,vader -n "$@"; }

for size in 1 2 4; do ranks $size "$output/test" equal; done

# A rank that hangs is named, and mpirun ends it with the others.
if ranks 4 "$output/test" hang 2 > "$output/log" 2>&1; then
  echo "FAIL a rank hung, and the others did not fail"
  exit 1
fi
grep -q 'no answer within 3 s of rank 2' "$output/log" || { cat "$output/log"; exit 1; }
echo "ok   a rank that hangs is named after the time-out"

# The example, from files: two ranks write the model that one rank writes, but for rounding.
PATH=$library/../bin:$PATH
draw-scenes "$output/data" --train 128 --finetune 128 --test 16 --seed 0 > /dev/null
cleanclip train --architecture "$root/examples/demo/model.json" --data "$output/data/train.tar" --epochs 1 \
  --precision f32 --threads 1 --quiet -o "$output/model.onnx" > /dev/null
for size in 1 2; do
  ranks $size "$output/sanitize" "$output/model.onnx" "$output/data/finetune.tar" "$output/clean-$size.onnx" \
    "$output/state-$size" 2> "$output/log-$size" > /dev/null || { cat "$output/log-$size"; exit 1; }
done
steps() { sed -n 's/^step .*loss \([0-9.]*\),.*/\1/p' "$output/log-$1"; }
# In bf16, where the processor has it: rounding differs.
close() { paste -d ' ' <(steps 1) <(steps 2) | awk '{ d = $1 - $2; if (d * d > 1e-4 * $1 * $1) exit 1 }'; }
[ "$(steps 1 | wc -l)" = 8 ] && [ "$(steps 2 | wc -l)" = 8 ] && close ||
  { steps 1; steps 2; echo "FAIL the losses of two ranks are others"; exit 1; }
[ -s "$output/clean-2.onnx" ] && [ -s "$output/state-2/training-state.safetensors" ]
echo "ok   the example sanitizes a checkpoint with one and two ranks"

# The tool, where it was built with MPI: the losses of one process, but for rounding, and the same findings.
[ -e "$library/../libexec/cleanclip/mpi.so" ] || { echo "skip the tool was built without MPI"; exit 0; }
options=(--epochs 1 --batch-size 32 --precision f32 --threads 1 --quiet)
losses() { grep -o '"loss" *: *[0-9.]*' "$1" | sed 's/.*: *//'; }
for method in cleanclip par; do
  for size in 1 2; do
    ranks $size cleanclip sanitize "$output/model.onnx" --data "$output/data/finetune.tar" --method $method "${options[@]}" \
      -o "$output/$method-$size.onnx" --history "$output/$method-$size.json" > "$output/printed-$size"
  done
  paste -d ' ' <(losses "$output/$method-1.json") <(losses "$output/$method-2.json") |
    awk '{ d = $1 - $2; if (d * d > 1e-10 * $1 * $1) exit 1 } END { if (NR < 4) exit 1 }' ||
    { losses "$output/$method-1.json"; losses "$output/$method-2.json"; echo "FAIL $method: the losses of two ranks are others"; exit 1; }
  [ "$(grep -c wrote "$output/printed-2")" = 1 ] || { cat "$output/printed-2"; echo "FAIL two ranks print twice"; exit 1; }
done
for size in 1 2; do
  ranks $size cleanclip check model "$output/model.onnx" --images "$output/data/test.csv" --classes "$output/data/classes.txt" \
    --image-limit 16 --steps 4 --precision f32 --threads 1 --quiet --json | grep -v '"seconds"' > "$output/check-$size.json"
done
cmp "$output/check-1.json" "$output/check-2.json"
echo "ok   mpirun -n 2 cleanclip gives the losses and the findings of one process"
# What ends the tool on rank 0 ends it on the others with the same exit code.
ranks 2 cleanclip sanitize "$output/model.onnx" --data "$output/data/finetune.tar" "${options[@]}" \
  -o "$output/first.onnx" --state-directory "$output/state-tool" > "$output/log" 2>&1
[ "$(grep -c "are not checked" "$output/log")" = 1 ] || { cat "$output/log"; echo "FAIL two ranks say one thing twice"; exit 1; }
if ranks 2 cleanclip sanitize "$output/model.onnx" --data "$output/data/finetune.tar" "${options[@]}" --seed 5 \
  -o "$output/none.onnx" --state-directory "$output/state-tool" --resume > "$output/log" 2>&1; then code=0; else code=$?; fi
[ $code = 64 ] && grep -q "is the state of another run" "$output/log" ||
  { cat "$output/log"; echo "FAIL the state of another run ends two ranks with $code"; exit 1; }
# A rank that stands still is named.
hang='cleanclip sanitize "$@" & [ $OMPI_COMM_WORLD_RANK = 0 ] || { sleep 5; kill -STOP $!; sleep 15; kill -KILL $!; }; wait $!'
if ranks 2 bash -c "$hang" hang "$output/model.onnx" --data "$output/data/finetune.tar" "${options[@]}" --epochs 100000 \
  --rank-timeout 3 -o "$output/none.onnx" > "$output/log" 2>&1; then code=0; else code=$?; fi
[ $code != 0 ] && grep -q "no answer within 3 s of rank 1" "$output/log" ||
  { cat "$output/log"; echo "FAIL a rank of the tool that stands still is waited for"; exit 1; }
echo "ok   two ranks of the tool end with one exit code, and do not wait longer than they are told"
mv "$library/../libexec" "$library/../libexec.away"
if ranks 2 cleanclip train --architecture "$root/examples/demo/model.json" --data "$output/data/train.tar" "${options[@]}" \
  -o "$output/none.onnx" > "$output/log" 2>&1; then code=0; else code=$?; fi
mv "$library/../libexec.away" "$library/../libexec"
[ $code != 0 ] && [ ! -e "$output/none.onnx" ] && grep -q "expected the plug-in for MPI" "$output/log" ||
  { cat "$output/log"; echo "FAIL the tool runs under mpirun without MPI"; exit 1; }
echo "ok   without its plug-in the tool refuses to run under mpirun"
