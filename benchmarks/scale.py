#!/usr/bin/env python3
"""Measure how the cost of a CleanCLIP step grows: with the batch, the threads, the tower, the data.

    make bench-scale

Steps use random weights and captions of 16 tokens in bf16 (f32 where the processor has no bf16).
The last table streams csv files of 10⁴ to 10⁶ rows through a small model for a while and gives the
most memory the process had.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / "build/bin/cleanclip"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench")
    parser.add_argument("--seconds", type=float, default=20, help="of each streaming run")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    threads = len(os.sched_getaffinity(0))
    budgets = (("RN50", 256, "3800M"), ("ViT-L-14", 64, "11G"))
    experiments = [
        ("Batch", [("ViT-B-32", pairs, threads) for pairs in (16, 64, 256)]),
        ("Threads", [("ViT-B-32", 16, count) for count in powers(threads)]),
        ("Tower", [(name, 8, threads) for name in
                   ("RN50", "RN101", "ViT-B-32", "ViT-B-16", "ViT-L-14")]),
        ("Pairs streamed", [10 ** power for power in (4, 5, 6)]),
        ("Memory budget", [(name, pairs, threads, budget) for name, pairs, budget in budgets]),
    ]
    tables = {}
    for title, runs in experiments:
        tables[title] = []
        for run in runs:
            result = step(*run) if isinstance(run, tuple) else stream(run, arguments.seconds)
            tables[title].append(result)
            store(tables, arguments.output)
    print((arguments.output / "scale.md").read_text())


def store(tables, folder):
    (folder / "scale.json").write_text(json.dumps(tables, indent=2) + "\n")
    text = "\n".join(f"{title}\n\n{table(rows)}" for title, rows in tables.items())
    (folder / "scale.md").write_text(text)


def powers(limit):
    count = 1
    while count < limit:
        yield count
        count *= 2
    yield limit


def step(model, pairs, threads, budget=None):
    print(f"scale: {model}, {pairs} pairs, {threads} threads", file=sys.stderr, flush=True)
    command = [TOOL, "bench", "step", "--model", model, "--pairs", str(pairs), "--steps", "1",
               "--threads", str(threads), "--json"]
    if budget:
        command += ["--memory-budget", budget]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return {
        "model": model, "pairs": pairs, "threads": threads, "budget": budget or "",
        "seconds": round(result["step_s"], 2), "pairs each second": round(result["pairs_per_s"], 2),
        "fraction of matmul rate": f"{100 * result['fraction_of_matmul_rate']:.0f} %",
        "peak GB": round(result["peak_gb"], 2),
    }


def stream(rows, seconds):
    """Train a small model on a csv of so many rows, which name the same few images."""
    print(f"scale: {rows} rows", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([ROOT / "build/bin/draw-scenes", folder, "--train", "1", "--finetune", "1",
                        "--test", "64"], check=True, stdout=subprocess.DEVNULL)
        images = sorted(path.relative_to(folder) for path in (folder / "test").iterdir())
        with open(folder / "many.csv", "w") as file:
            file.write("image,caption\n")
            for row in range(rows):
                file.write(f"{images[row % len(images)]},image number {row} of many\n")
        process = subprocess.Popen(
            [TOOL, "train", "--architecture", ROOT / "examples/demo/model.json", "--data",
             folder / "many.csv", "-o", folder / "model.onnx", "--epochs", "1", "--quiet"],
            stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGINT)  # not send_signal, which would reap a process that ended
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return {"pairs": rows, "peak GB": round(usage.ru_maxrss * 1024 / 1e9, 2)}


def table(rows):
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
