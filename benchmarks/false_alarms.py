#!/usr/bin/env python3
"""Count the false alarms of the model check on clean models that no setting of it was chosen on.

    make bench-alarms DATA=../shared

Models of two towers, two kinds of data, two sizes and three lengths of training are trained with seeds that
nothing else uses, and checked as a user would. Those of less than three times chance are listed and
not counted: nobody keeps such a model. Models and results are kept: what exists is not made again, so that
several runs beside one another share the work (`--part 0/2`, `--part 1/2`), and one without a part counts.
"""

import argparse
import json
import math
import pathlib
import types

import zoo

# Data, tower, epochs, seeds. 32 pixels, but for the last: README's clean checkpoint, trained further.
MEMBERS = [
    ("cifar10", "resnet", 6, range(100, 112)),
    ("cifar10", "vit", 6, range(100, 112)),
    ("cifar10", "resnet", 2, range(112, 117)),
    ("cifar10", "vit", 3, range(112, 115)),
    ("cifar10", "resnet", 15, range(115, 118)),
    ("scenes", "resnet", 6, range(100, 106)),
    ("scenes", "resnet", 3, range(106, 109)),
    ("continued", "resnet", 4, range(100, 104)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True,
                        help="folder with models/ and data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=zoo.ROOT / "build/false-alarms")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--part", default="0/1", help="K/N: every N-th model from the K-th")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    part, parts = map(int, arguments.part.split("/"))
    members = [(*group[:3], seed) for group in MEMBERS for seed in group[3]]
    rows = [row(*member, arguments) for member in members[part::parts]]
    if parts == 1:
        report = summary(rows)
        target = zoo.ROOT / "benchmarks/results/false-alarms.json"
        target.write_text(json.dumps({"summary": report, "members": rows}, indent=1) + "\n")
        print(json.dumps(report, indent=1))


def row(source, tower, epochs, seed, arguments):
    """Train one clean model and check it."""
    settings = types.SimpleNamespace(
        **{**vars(arguments), "epochs": epochs, "output": arguments.output / f"epochs-{epochs}",
           "sources": [source]})
    settings.output.mkdir(exist_ok=True)
    if source == "continued":
        entry = ("continued", [], arguments.data / "data/cifar10", "truck")
        member = continued(entry, epochs, seed, settings)
    else:
        share_scenes(source, settings, arguments)
        entry = zoo.sources(settings)[0]
        member = zoo.member(entry, tower, "clean", seed, settings)
    if member["counts"]:
        member |= zoo.checked(entry, member, settings)
        member["sizes"] = {
            f"{finding['kind']}, {finding['class'] or 'any place'}":
                [finding["size"], *finding["reference"]["sizes"]]
            for finding in member.pop("findings")}
    member |= {"epochs": epochs}
    print(json.dumps({key: value for key, value in member.items() if key != "sizes"}), flush=True)
    return member


def share_scenes(source, settings, arguments):
    """Draw the scenes once for all lengths of training."""
    if source == "scenes" and not (settings.output / "scenes").exists():
        drawn = arguments.output / "scenes"
        drawn.mkdir(exist_ok=True)
        (settings.output / "scenes").symlink_to(drawn.resolve())


def continued(entry, epochs, seed, settings):
    """README's clean checkpoint of 64 pixels, trained further."""
    label = f"continued-resnet-clean-{seed}"
    result = settings.output / f"{label}.json"
    if result.exists():
        return json.loads(result.read_text())
    folder = entry[2]
    model = settings.output / f"{label}.onnx"
    zoo.run(settings, "cleanclip", "sanitize", settings.data / "models/rn-clean.onnx",
            "--inmodal-weight", 0, "--no-check-data",
            "--data", *sorted(folder.glob("finetune-*.tar")), "--epochs", epochs,
            "--batch-size", 64, "--learning-rate", "5e-4", "--warmup-steps", 50, "--seed", seed,
            "-o", model, "--quiet")
    measured = json.loads(zoo.run(
        settings, "cleanclip", "evaluate", model, "--data", folder / "test.csv",
        *zoo.texts(folder), "--json", "--quiet"))
    accuracy = measured["clean_accuracy"]["top1"]
    member = {"name": label, "source": "continued", "tower": "resnet", "attack": "clean",
              "seed": seed, "accuracy": accuracy, "target": None, "counts": accuracy > 0.3}
    result.write_text(json.dumps(member) + "\n")
    return member


def summary(rows):
    """How many models there are, and how many raise an alarm, with 95 % intervals (Wilson 1927)."""
    counted = [row for row in rows if row["counts"]]
    p_values = sorted(row["p_value"] for row in counted)
    groups = {}
    for row in counted:
        group = groups.setdefault(f"{row['source']}, {row['tower']}, {row['epochs']} epochs", [])
        group.append(round(row["p_value"], 4))
    return {
        "trained": len(rows), "counted": len(counted),
        **{f"p < {level}": share(sum(p < level for p in p_values), len(p_values))
           for level in (0.01, 0.05, 0.2, 0.5)},
        "cannot_tell": sum(row["verdict"] == "cannot_tell" for row in counted),
        "p_values": {name: sorted(values) for name, values in groups.items()},
    }


def share(count, total):
    if not total:
        return {"models": count, "interval": [0, 1]}
    z = 1.96
    middle = (count + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(count * (total - count) / total + z * z / 4)
    return {"models": count, "interval": [round(max(0, middle - half), 3),
                                          round(min(1, middle + half), 3)]}


if __name__ == "__main__":
    main()
