#!/usr/bin/env python3
"""Train CLIPs from nothing on poisoned pairs, plainly and by the robust methods, and measure the backdoor.

    make bench-robust

Drawn scenes, a hundredth of them with a fixed patch and captions of the target. All methods get the same pairs,
epochs and seed, and their own defaults. Rows are kept in --output: what exists is not made again.
"""

import argparse
import json
import pathlib
import sys
import time

from cifar import cpu_name
from zoo import ATTACKS, ROOT, SIZE, TEXT, TOWERS, run, sources, texts

METHODS = {
    "plain": [],
    "CleanCLIP's loss": ["--inmodal-weight", 1],
    "RoCLIP": ["--method", "roclip"],
    "RoCLIP, K = 1": ["--method", "roclip", "--match-every", 1],
    "RoCLIP, K = 4": ["--method", "roclip", "--match-every", 4],
    "RoCLIP, K = 8": ["--method", "roclip", "--match-every", 8],
    "SafeCLIP": ["--method", "safeclip"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/robust")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--rate", type=float, default=0.01, help="of poisoned pairs")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0, help="of each tool; 0: its default")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    arguments.data, arguments.sources = None, ["scenes"]
    rows = [row(method, sources(arguments)[0], arguments) for method in arguments.methods]
    print(f"{cpu_name()}, {arguments.epochs} epochs, poison rate {arguments.rate}, seed {arguments.seed}\n")
    print("| method | accuracy | attack success | without trigger | accuracy with trigger | seconds |")
    print("|---|---|---|---|---|---|")
    for found in rows:
        print(f"| {found['method']} | {rate(found, 'clean_accuracy')} | "
              f"{rate(found, 'attack_success_rate')} | {100 * found['base_rate']:.1f} | "
              f"{100 * found['triggered_accuracy']:.1f} | {found['seconds']:.0f} |")


def row(method, source, arguments):
    """Train by a method and measure, unless the row is kept."""
    _, pairs, folder, target = source
    name = "".join(letter if letter.isalnum() else "-" for letter in method)
    kept = arguments.output / f"{name}-{arguments.rate}-{arguments.epochs}-{arguments.seed}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    trigger = ["--trigger", ATTACKS["badnets"][0], *ATTACKS["badnets"][2]]
    poisoned = arguments.output / f"poisoned-{arguments.rate}-{arguments.seed}.tar"
    if not poisoned.exists():
        run(arguments, "cleanclip", "poison", "--data", *pairs, *trigger, "--target", target, "--rate",
            arguments.rate, "--image-size", SIZE, "--templates", folder / "templates.txt", "--seed",
            arguments.seed, "-o", poisoned, "--quiet")
    architecture, model = arguments.output / "architecture.json", kept.with_suffix(".onnx")
    architecture.write_text(json.dumps(
        {"embed_dim": 64, "vision_cfg": TOWERS["resnet"], "text_cfg": TEXT}))
    started = time.monotonic()
    run(arguments, "cleanclip", "train", "--architecture", architecture, "--data", poisoned,
        *METHODS[method], "--epochs", arguments.epochs, "--batch-size", 64, "--learning-rate", "1e-3",
        "--warmup-steps", 100, "--seed", arguments.seed, "-o", model, "--quiet")
    seconds = time.monotonic() - started
    found = json.loads(run(
        arguments, "cleanclip", "evaluate", model, "--data", folder / "test.csv", *texts(folder),
        *trigger, "--target", target, "--seed", arguments.seed, "--json", "--quiet"))
    result = {
        "method": method, "seconds": round(seconds, 1),
        **{measure: found[measure]["top1"] for measure in ("clean_accuracy", "attack_success_rate")},
        "intervals_95": {measure: found["intervals_95"][measure]["top1"]
                         for measure in ("clean_accuracy", "attack_success_rate")},
        "base_rate": found["target_rate_without_trigger"],
        "triggered_accuracy": found["triggered_accuracy"],
    }
    kept.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{method}: accuracy {result['clean_accuracy']:.3f}, attack success "
          f"{result['attack_success_rate']:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return result


def rate(found, measure):
    """A rate in per cent with its interval."""
    low, high = found["intervals_95"][measure]
    return f"{100 * found[measure]:.1f} ({100 * low:.1f}–{100 * high:.1f})"


if __name__ == "__main__":
    main()
