#!/usr/bin/env python3
"""Time cleanclip beside PyTorch/OpenCLIP on this machine and print the ratios.

    make bench                        every row
    make bench ROWS="step-vit-b-32"   some rows

For each row PyTorch's configurations (f32, bf16 autocast, channels-last, and the best of them
compiled) are tried once; then the fastest of them and cleanclip run in turn, A B A B, each in a process of its own, and the
ratio of the medians is reported. Absolute times mean nothing on another machine.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / "build/bin/cleanclip"
PEER = ROOT / "benchmarks/torch_step.py"

# Neither side may use more than AVX2.
AVX2 = {"DNNL_MAX_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

# name, what is measured, model, pairs, our precision, PyTorch's precisions, figure, target, settings
ROWS = [
    ("step-vit-b-32", "step", "ViT-B-32", 64, "bf16", ["f32", "bf16"], "pairs_per_s", 4.0, {}),
    ("step-rn50", "step", "RN50", 32, "bf16", ["f32", "bf16"], "pairs_per_s", 2.5, {}),
    ("step-vit-b-16", "step", "ViT-B-16", 16, "bf16", ["f32", "bf16"], "pairs_per_s", 2.5, {}),
    ("step-vit-b-32-f32", "step", "ViT-B-32", 64, "f32", ["f32"], "pairs_per_s", 1.5, {}),
    ("step-vit-b-32-avx2", "step", "ViT-B-32", 16, "f32", ["f32"], "pairs_per_s", 1.0, AVX2),
    ("image-vit-b-32", "image", "ViT-B-32", 32, "bf16", ["f32", "bf16"], "images_per_s", 1.3, {}),
    ("image-rn50", "image", "RN50", 32, "bf16", ["f32", "bf16"], "images_per_s", 1.3, {}),
    ("text-vit-b-32", "text", "ViT-B-32", 64, "bf16", ["f32", "bf16"], "texts_per_s", 4.0, {}),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="*", default=[], help="names of rows; all by default")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each side, in turn")
    parser.add_argument("--steps", type=int, default=3, help="timed repetitions in each run")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    results = []
    for row in ROWS:
        if arguments.rows and row[0] not in arguments.rows:
            continue
        results.append(measure(row, arguments))
        store(results, arguments)
    print(markdown(results))


def measure(row, arguments):
    name, work, model, pairs, precision, peer_precisions, figure, target, settings = row
    progress(f"{name}: looking for PyTorch's best configuration")
    trials = []

    def attempt(options):
        result = peer(work, model, pairs, options, 1, settings)
        if result:
            trials.append((result[figure], options))
            progress(f"{name}: PyTorch {' '.join(options)}: {result[figure]:.2f} {figure}")

    for peer_precision in peer_precisions:
        attempt(["--precision", peer_precision])
        if model.startswith("RN"):
            attempt(["--precision", peer_precision, "--channels-last"])
    if trials and not arguments.no_compile:
        attempt(max(trials)[1] + ["--compile"])
    if not trials:
        sys.exit("compare: PyTorch ran in no configuration; see the messages above")
    best = max(trials)[1]

    ours, theirs = [], []
    for turn in range(arguments.rounds):
        progress(f"{name}: round {turn + 1} of {arguments.rounds} against {' '.join(best)}")
        ours.append(own(work, model, pairs, precision, arguments.steps, settings))
        theirs.append(peer(work, model, pairs, best, arguments.steps, settings))
    middle = lambda runs, key: statistics.median(run[key] for run in runs)
    result = {
        "row": name, "model": model, "pairs": pairs, "work": work, "precision": precision,
        "settings": settings, "figure": figure, "cleanclip": middle(ours, figure),
        "pytorch": middle(theirs, figure), "ratio": middle(ours, figure) / middle(theirs, figure),
        "target": target, "pytorch_configuration": best,
        "cleanclip_peak_gb": middle(ours, "peak_gb"), "pytorch_peak_gb": middle(theirs, "peak_gb"),
        "trials": [{"options": options, figure: value} for value, options in trials],
        "runs": {"cleanclip": ours, "pytorch": theirs},
    }
    if work == "step":
        result["fraction_of_matmul_rate"] = middle(ours, "fraction_of_matmul_rate")
    return result


def own(work, model, pairs, precision, steps, settings):
    done = subprocess.run(
        [TOOL, "bench", work, "--model", model, "--pairs", str(pairs), "--caption-tokens", "16",
         "--precision", precision, "--steps", str(steps), "--json"],
        stdout=subprocess.PIPE, text=True, check=True, env=os.environ | settings)
    return json.loads(done.stdout)


def peer(work, model, pairs, options, steps, settings):
    done = subprocess.run(
        [sys.executable, PEER, "--model", model, "--pairs", str(pairs), "--caption-tokens", "16",
         "--steps", str(steps), "--only", work, "--json", *options],
        stdout=subprocess.PIPE, text=True, env=os.environ | settings)
    if done.returncode != 0:
        progress(f"PyTorch {' '.join(options)}: exit code {done.returncode}, left out")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def store(results, arguments):
    report = {"machine": machine(), "results": results}
    (arguments.output / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    (arguments.output / "results.md").write_text(markdown(results))


def machine():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    return {
        "cpu": next((line.split(": ")[1] for line in lines if line.startswith("model name")),
                    platform.processor()),
        "threads": len(os.sched_getaffinity(0)), "commit": commit, "python": platform.python_version(),
    }


def markdown(results):
    lines = ["| work | cleanclip | PyTorch, best | its configuration | ratio | target "
             "| fraction of matmul rate | peak memory, GB |",
             "|---|---|---|---|---|---|---|---|"]
    for result in results:
        unit = result["figure"].replace("_per_s", "/s")
        fraction = result.get("fraction_of_matmul_rate")
        only = ", AVX2 only" if result["settings"] else ""
        cells = [
            f"{result['work']}, {result['model']}, {result['pairs']} pairs, "
            f"{result['precision']}{only}",
            f"{result['cleanclip']:.2f} {unit}", f"{result['pytorch']:.2f} {unit}",
            " ".join(result["pytorch_configuration"]).replace("--", ""),
            f"**{result['ratio']:.2f}×**", f"{result['target']}×",
            "" if fraction is None else f"{100 * fraction:.0f} %",
            f"{result['cleanclip_peak_gb']:.2f} / {result['pytorch_peak_gb']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def progress(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
