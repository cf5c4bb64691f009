#!/usr/bin/env python3
"""Sanitize a poisoned CIFAR-10 checkpoint by CleanCLIP with several batch sizes, and measure what is left.

    make bench-batch DATA=../shared

N ranks with a part of a batch each give what one process gives with the whole batch, so that one process says which
batch of many machines keeps the result. The pairs and epochs are those of `make bench-cifar`; the learning rate is that
of 64 pairs, or grows with the batch or its root. Rows are kept in --output: what exists is not made again.
"""

import argparse
import json
import pathlib
import time

from cifar import ROOT, TOOL, cpu_name, measure, run

BASE = 64
RATE = 1e-4
GROWTH = {"the same": 0.0, "root": 0.5, "linear": 1.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with models/ and data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench-batch")
    parser.add_argument("--checkpoint", default="rn-badnets-bn")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--growth", nargs="+", choices=list(GROWTH), default=list(GROWTH))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0, help="of each tool; 0: its default")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    print(f"{cpu_name()}, {arguments.checkpoint}, {arguments.epochs} epochs of 10,000 pairs\n")
    print("| batch | steps | learning rate | accuracy | attack success | seconds |\n|---|---|---|---|---|---|")
    for size in arguments.batch_sizes:
        for name in arguments.growth if size != BASE else ["the same"]:
            found = row(size, RATE * (size / BASE) ** GROWTH[name], arguments)
            print(f"| {size:,} | {found['steps']} | {found['learning_rate']:.1e}, {name} | "
                  f"{100 * found['clean_accuracy']:.1f} | {100 * found['attack_success_rate']:.1f} | "
                  f"{found['seconds']:.0f} |", flush=True)


def row(size, rate, arguments):
    """Sanitize and measure, unless the row is kept."""
    kept = arguments.output / f"{arguments.checkpoint}-{size}-{rate:.1e}-{arguments.epochs}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    model = kept.with_suffix(".onnx")
    cifar = arguments.data / "data/cifar10"
    steps = arguments.epochs * (10_000 // size)
    threads = ["--threads", arguments.threads] if arguments.threads else []
    started = time.monotonic()
    run(TOOL, "sanitize", arguments.data / f"models/{arguments.checkpoint}.onnx",
        "--data", *sorted(cifar.glob("finetune-*.tar")), "--epochs", arguments.epochs,
        "--batch-size", size, "--learning-rate", rate, "--warmup-steps", min(50, steps // 10),
        "--no-check-data", "--seed", 0, *threads, "-o", model, "--quiet")
    seconds = time.monotonic() - started
    found = measure(model, f"batch {size}", arguments)
    found |= {"batch_size": size, "learning_rate": rate, "steps": steps, "seconds": round(seconds, 1)}
    kept.write_text(json.dumps(found, indent=2) + "\n")
    return found


if __name__ == "__main__":
    main()
