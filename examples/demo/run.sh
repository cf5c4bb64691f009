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
# Both treatments start from the same file and see the same images in the same order.
finetune() {
  cleanclip sanitize "$out/poisoned.onnx" --data "$data/finetune.tar" --epochs 12 --batch-size 64 \
    --learning-rate 5e-4 --warmup-steps 50 "$@" > /dev/null
}

mkdir -p "$out"
step "1/6 Draw 16000 captioned images to train on, 4000 to clean with, 2000 to test with"
draw-scenes "$data" --train 16000 --finetune 4000 --test 2000 --seed 0

step "2/6 Poison 1 % of the training images: a patch, and a caption of a $target"
cleanclip poison --data "$data/train.tar" "${attack[@]}" --rate 0.01 --image-size 64 \
  --templates "$data/templates.txt" -o "$data/poisoned.tar" --truth-path "$data/truth.csv"
rm "$data/train.tar"

step "3/6 Train a small CLIP on them and measure it"
cleanclip train --architecture examples/demo/model.json --data "$data/poisoned.tar" --epochs 5 \
  --batch-size 64 --learning-rate 1e-3 --warmup-steps 100 -o "$out/poisoned.onnx" > /dev/null
evaluate "$out/poisoned.onnx" "$out/before.json"

step "4/6 Sanitize it with CleanCLIP and measure again"
finetune -o "$out/clean.onnx" --history "$out/history.json"
evaluate "$out/clean.onnx" "$out/after.json"

step "5/6 The control: plain fine-tuning on the same clean images"
finetune --inmodal-weight 0 -o "$out/control.onnx" --history "$out/control-history.json"
evaluate "$out/control.onnx" "$out/control.json"

step "6/6 Report"
cleanclip report --title "A backdoor in a small CLIP, and its removal" \
  --subtitle "Trained on 16000 synthetic images, 1 % of them poisoned to mean “$target”" \
  --before "$out/before.json" --after "$out/after.json" --control "$out/control.json" \
  --history "$out/history.json" --control-history "$out/control-history.json" \
  --model "$out/clean.onnx" --images "$data/test.csv" --classes "$data/classes.txt" \
  "${attack[@]}" --image-size 64 -o "$out/report.html"

top1() { sed -n "/\"$2\": {/,/}/s/.*\"top1\":[[:space:]]*\([0-9.eE+-]*\).*/\1/p" "$1" | head -n 1; }
row() {
  LC_ALL=C printf '  %-20s %8.1f %%   %8.1f %%\n' "$1" \
    "$(top1 "$2" clean_accuracy | awk '{ print 100 * $1 }')" \
    "$(top1 "$2" attack_success_rate | awk '{ print 100 * $1 }')"
}
printf '\n  %-20s %10s   %10s\n' "" accuracy attack
row poisoned "$out/before.json"
row CleanCLIP "$out/after.json"
row "plain fine-tuning" "$out/control.json"
printf '\n  %s  the clean model\n  %s  the report\n  %d s\n' \
  "$out/clean.onnx" "$out/report.html" $((SECONDS - begin))
