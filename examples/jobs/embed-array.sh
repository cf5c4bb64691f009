#!/usr/bin/env bash
# Makes the features of a dataset in an array of jobs, a part each, for one check that joins them.
#
#   sbatch --array=0-63 examples/jobs/embed-array.sh clip.onnx 'pairs-*.tar' parts 64
#   cleanclip check data --data 'pairs-*.tar' --image-features parts/ --memory-budget 8G --state-directory state
#
# Without Slurm, the number of the part is the fifth argument. A part that is there is whole, and is not made
# again: run the array once more after a failure.
set -euo pipefail
model=$1
pairs=$2
parts=$3
count=$4
number=${SLURM_ARRAY_TASK_ID:-${5:?the number of the part, from 0}}
mkdir -p "$parts"
output=$parts/part-$(printf '%05d' "$number").safetensors
[ -e "$output" ] ||
  cleanclip embed "$model" --data "$pairs" --part "$number/$count" --no-normalize --quiet -o "$output"
