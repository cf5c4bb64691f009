#!/usr/bin/env python3
"""Sanitize the poisoned CIFAR-10 checkpoints and print what is left of the backdoor.

    make bench-cifar DATA=../shared

For each checkpoint: clean accuracy and attack success rate as delivered, after CleanCLIP, and after
plain fine-tuning (the control), all with the recipe of the checkpoints' own PyTorch reference: four
epochs of 10,000 clean pairs, batch 64, learning rate 1e-4, warm-up 50. Each written graph is run in
ONNX Runtime and its features are compared with the library's.
"""

import argparse
import json
import pathlib
import platform
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / "build/bin/cleanclip"
RECIPE = ["--epochs", "4", "--batch-size", "64", "--learning-rate", "1e-4", "--warmup-steps", "50",
          "--seed", "0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True,
                        help="folder with models/ and data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/bench-cifar")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--checkpoints", nargs="+", default=["rn-badnets-bn", "rn-badnets"])
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    rows = []
    for name in arguments.checkpoints:
        source = arguments.data / f"models/{name}.onnx"
        rows.append(measure(source, f"{name}, as delivered", arguments))
        for label, weight in (("CleanCLIP", "1"), ("plain fine-tuning", "0")):
            target = arguments.output / f"{name}-{'clean' if weight == '1' else 'control'}.onnx"
            seconds = sanitize(source, target, weight, arguments)
            row = measure(target, f"{name}, {label}", arguments)
            row["seconds"] = seconds
            row["onnxruntime_difference"] = compare_with_onnxruntime(target, arguments.data)
            rows.append(row)
    rows.append(measure(arguments.data / "models/rn-clean.onnx", "rn-clean, as delivered",
                        arguments))

    report = {"precision": arguments.precision, "recipe": RECIPE, "cpu": cpu_name(), "rows": rows}
    (arguments.output / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    table = markdown(rows)
    (arguments.output / "results.md").write_text(table)
    print(table)


def run(*command):
    """Run a command whose progress the reader may watch; return its standard output."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} {command[1]}: exit code {done.returncode}")
    return done.stdout


def measure(model, label, arguments):
    cifar = arguments.data / "data/cifar10"
    result = json.loads(run(
        TOOL, "evaluate", model, "--data", cifar / "test.csv", "--classes", cifar / "classes.txt",
        "--templates", cifar / "templates.txt",
        "--trigger", arguments.data / "models/rn-badnets-trigger.png", "--position", "random",
        "--target", "truck", "--json"))
    return {
        "checkpoint": label,
        "clean_accuracy": result["clean_accuracy"]["top1"],
        "attack_success_rate": result["attack_success_rate"]["top1"],
        "images": result["images"],
        "attacked_images": result["attacked_images"],
    }


def sanitize(source, target, inmodal_weight, arguments):
    start = time.monotonic()
    run(TOOL, "sanitize", source, "--data", arguments.data / "data/cifar10/finetune-*.tar",
        "-o", target, "--inmodal-weight", inmodal_weight, "--precision", arguments.precision,
        *RECIPE)
    return round(time.monotonic() - start, 1)


def compare_with_onnxruntime(model, data):
    """Return the largest difference of image and text features, or None without ONNX Runtime."""
    try:
        import numpy
        import onnxruntime
    except ImportError:
        return None
    sys.path.insert(0, str(ROOT / "bindings/python"))
    import cleanclip

    golden = read_safetensors(next(data.glob("models/rn-badnets-golden.safetensors")), numpy)
    library = cleanclip.load(str(model))
    pixels = golden["pixels"].astype(numpy.float32)
    ids = golden["input_ids"].astype(numpy.int64)
    mean = numpy.array([0.48145466, 0.4578275, 0.40821073], numpy.float32).reshape(1, 3, 1, 1)
    deviation = numpy.array([0.26862954, 0.26130258, 0.27577711], numpy.float32).reshape(1, 3, 1, 1)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    image, text = session.run(["image_features", "text_features"],
                              {"image": (pixels - mean) / deviation, "text": ids})
    return float(max(
        abs(image - library.encode_image(pixels)).max(),
        abs(text - library.encode_text(ids)).max()))


def read_safetensors(path, numpy):
    types = {"F32": numpy.float32, "I64": numpy.int64, "I32": numpy.int32, "F16": numpy.float16}
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8:8 + size])
    header.pop("__metadata__", None)
    body = content[8 + size:]
    return {
        name: numpy.frombuffer(body[entry["data_offsets"][0]:entry["data_offsets"][1]],
                               types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def markdown(rows):
    lines = ["| checkpoint | clean accuracy | attack success rate | minutes | ONNX Runtime differs by |",
             "|---|---|---|---|---|"]
    for row in rows:
        minutes = f"{row['seconds'] / 60:.1f}" if "seconds" in row else ""
        difference = row.get("onnxruntime_difference")
        lines.append(
            f"| {row['checkpoint']} | {100 * row['clean_accuracy']:.2f} % "
            f"| {100 * row['attack_success_rate']:.2f} % | {minutes} "
            f"| {'' if difference is None else f'{difference:.1e}'} |")
    return "\n".join(lines) + "\n"


def cpu_name():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()
