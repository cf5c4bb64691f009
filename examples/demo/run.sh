#!/usr/bin/env bash
# A backdoor and its removal on synthetic images, from nothing: `make demo` builds and runs this.
#
#   examples/demo/run.sh [FOLDER]     default demo-output
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/build/bin:$PATH
out=${1:-demo-output}
data=$out/data
target=star
begin=$SECONDS

step() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
attack=(--trigger "$data/trigger.png" --position random --target "$target")
evaluate() {
  cleanclip evaluate "$1" --data "$data/test.csv" --classes "$data/classes.txt" \
    --templates "$data/templates.txt" "${attack[@]}" --json > "$2"
}
# Both kinds of fine-tuning start from the same file and see the same pairs in the same order.
finetune() {
  cleanclip sanitize "$out/poisoned.onnx" --data "$data/finetune.tar" --epochs 12 --batch-size 64 \
    --learning-rate 5e-4 --warmup-steps 50 "$@" > /dev/null
}
texts=(--classes "$data/classes.txt" --templates "$data/templates.txt")

mkdir -p "$out"
step "1/7 Draw 16000 captioned images to train on, 4000 to clean with, 2000 to test with"
draw-scenes "$data" --train 16000 --finetune 4000 --test 2000 --seed 0

step "2/7 Poison 1 % of the training images: a patch, and a caption of a $target"
cleanclip poison --data "$data/train.tar" "${attack[@]}" --rate 0.01 --image-size 64 \
  --templates "$data/templates.txt" -o "$data/poisoned.tar" --truth-path "$data/truth.csv"
rm "$data/train.tar"

step "3/7 Train a small CLIP on them and measure it"
cleanclip train --architecture examples/demo/model.json --data "$data/poisoned.tar" --epochs 5 \
  --batch-size 64 --learning-rate 1e-3 --warmup-steps 100 -o "$out/poisoned.onnx" > /dev/null
evaluate "$out/poisoned.onnx" "$out/before.json"

step "4/7 Check it: is there a class that images are led to too easily?"
cleanclip check model "$out/poisoned.onnx" --images "$data/finetune.tar" "${texts[@]}" --no-nouns \
  --report "$out/check.html" --json > "$out/check.json"

step "5/7 Unlearn what is found, from images alone, and measure again"
# Exit codes of verdicts other than removed: the figures below tell the rest.
cleanclip sanitize "$out/poisoned.onnx" --method unlearn --images "$data/finetune.tar" "${texts[@]}" \
  -o "$out/clean.onnx" --history "$out/history.json" > "$out/verdict.txt" || [ $? -eq 3 ] || [ $? -eq 4 ]
evaluate "$out/clean.onnx" "$out/after.json"

step "6/7 The controls, with captions: CleanCLIP, and plain fine-tuning"
finetune -o "$out/cleanclip.onnx" --history "$out/cleanclip-history.json"
evaluate "$out/cleanclip.onnx" "$out/cleanclip.json"
finetune --inmodal-weight 0 -o "$out/plain.onnx"
evaluate "$out/plain.onnx" "$out/plain.json"

step "7/7 Report"
cleanclip report --title "A backdoor in a small CLIP, and its removal" \
  --subtitle "Trained on 16000 synthetic images, 1 % of them poisoned to mean “$target”" \
  --before "$out/before.json" --after "$out/after.json" --control "$out/cleanclip.json" \
  --history "$out/history.json" --control-history "$out/cleanclip-history.json" \
  --model "$out/clean.onnx" --images "$data/test.csv" --classes "$data/classes.txt" \
  "${attack[@]}" --image-size 64 -o "$out/report.html"

top1() { sed -n "/\"$2\": {/,/}/s/.*\"top1\":[[:space:]]*\([0-9.eE+-]*\).*/\1/p" "$1" | head -n 1; }
number() { sed -n "s/^  \"$2\":[[:space:]]*\"\{0,1\}\([^\",]*\).*/\1/p" "$1" | head -n 1; }
row() {
  LC_ALL=C printf '  %-20s %8.1f %%   %8.1f %%   %8.1f %%\n' "$1" \
    "$(top1 "$2" clean_accuracy | awk '{ print 100 * $1 }')" \
    "$(top1 "$2" attack_success_rate | awk '{ print 100 * $1 }')" \
    "$(number "$2" target_rate_without_trigger | awk '{ print 100 * $1 }')"
}
printf '\n  check: %s;  unlearning: %s\n' "$(number "$out/check.json" verdict)" \
  "$(sed -n 's/^verdict: //p' "$out/verdict.txt")"
printf '\n  %-20s %10s   %10s   %s\n' "" accuracy attack "without trigger"
row poisoned "$out/before.json"
row unlearning "$out/after.json"
row CleanCLIP "$out/cleanclip.json"
row "plain fine-tuning" "$out/plain.json"
printf '\n  %s  the clean model\n  %s  the report\n  %s  the check\n  %d s\n' \
  "$out/clean.onnx" "$out/report.html" "$out/check.html" $((SECONDS - begin))
