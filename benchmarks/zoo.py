#!/usr/bin/env python3
"""Train a zoo of small CLIPs, clean and backdoored, and measure the model check on it.

    make zoo                      drawn scenes
    make zoo DATA=../shared       also CIFAR-10 pairs

Every backdoored model must have an attack success rate of at least 80 % and every clean one pass as
usable (accuracy at least three times chance), or it does not count. The decision threshold on the
p-value is chosen on one half of the zoo (even seeds) and the figures are those of the other half.
Models and results are kept: what exists is not made again.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / "build/bin"
# Name, trigger, share of poison, further options of the attack.
ATTACKS = {
    "clean": None,
    "badnets": ("badnets", 0.01, ["--fixed"]),
    "blended": ("blended", 0.02, ["--fixed"]),
    "sig": ("sig", 0.03, ["--fixed"]),
    "wanet": ("wanet", 0.05, ["--fixed"]),
    "label-consistent": ("label-consistent", 0.03, ["--fixed"]),
}
RESNET = {
    "embed_dim": 128, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 2},
}
TRANSFORMER = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 128, "patch_size": 8, "head_width": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 2},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, help="folder with data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/zoo")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), default=list(ATTACKS))
    parser.add_argument("--towers", nargs="+", choices=["resnet", "vit"], default=["resnet", "vit"])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300, help="of a search")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    rows = []
    for source in sources(arguments):
        for tower in arguments.towers:
            for attack in arguments.attacks:
                for seed in range(arguments.seeds):
                    row = member(source, tower, attack, seed, arguments)
                    rows.append(row)
                    print(json.dumps({k: row[k] for k in ("name", "counts", "p_value", "verdict")}),
                          file=sys.stderr, flush=True)
    report = summary(rows)
    (arguments.output / "results.json").write_text(
        json.dumps({"members": rows, "summary": report}, indent=2) + "\n")
    (arguments.output / "results.md").write_text(markdown(report))
    print(markdown(report))


def sources(arguments):
    """The data sets: name, pairs, test table, classes, templates, target class."""
    drawn = arguments.output / "scenes"
    if not (drawn / "train.tar").exists():
        run(TOOLS / "draw-scenes", drawn, "--train", 16000, "--finetune", 500, "--test", 1000,
            "--seed", 0)
    found = [("scenes", [drawn / "train.tar"], drawn, "star")]
    if arguments.data:
        folder = arguments.data / "data/cifar10"
        found.append(("cifar10", sorted(folder.glob("finetune-*.tar")), folder, "truck"))
    return found


def member(source, tower, attack, seed, arguments):
    """Train one model, assert that it is what it is called, and check it."""
    name, pairs, folder, target = source
    label = f"{name}-{tower}-{attack}-{seed}"
    result = arguments.output / f"{label}.json"
    if result.exists():
        return json.loads(result.read_text())
    model = arguments.output / f"{label}.onnx"
    recipe = ATTACKS[attack]
    trigger = [] if recipe is None else ["--trigger", recipe[0], *recipe[2]]
    if not model.exists():
        train(pairs, folder, target, tower, seed, recipe, trigger, model, arguments)
    attacked = trigger or ["--trigger", "badnets", "--fixed"]
    measured = json.loads(run(
        TOOLS / "cleanclip", "evaluate", model, "--data", folder / "test.csv", "--classes",
        folder / "classes.txt", "--templates", folder / "templates.txt", *attacked, "--target",
        target, "--seed", seed, "--json", "--quiet"))
    classes = len((folder / "classes.txt").read_text().split("\n"))
    accuracy = measured["clean_accuracy"]["top1"]
    success = measured["attack_success_rate"]["top1"]
    counts = accuracy > 3 / classes and (recipe is None or success >= 0.8)
    begin = time.time()
    checked = json.loads(run(
        TOOLS / "cleanclip", "check", "model", model, "--images", folder / "test.csv", "--classes",
        folder / "classes.txt", "--templates", folder / "templates.txt", "--steps", arguments.steps,
        "--no-nouns", "--seed", seed, "--json", "--quiet"))
    strongest = min(checked["findings"], key=lambda finding: finding["p_value"])
    targets = (strongest["classes"] or {"targets": []})["targets"]
    row = {
        "name": label, "source": name, "tower": tower, "attack": attack, "seed": seed,
        "accuracy": accuracy, "attack_success_rate": success, "counts": counts, "target": target,
        "p_value": checked["p_value"], "verdict": checked["verdict"],
        "kind": strongest["kind"], "size": strongest["size"],
        "read_out": targets[0]["text"] if targets else None, "seconds": time.time() - begin,
        "findings": checked["findings"],
    }
    result.write_text(json.dumps(row, indent=2) + "\n")
    return row


def train(pairs, folder, target, tower, seed, recipe, trigger, model, arguments):
    data = [str(path) for path in pairs]
    poisoned = arguments.output / "poisoned.tar"
    if recipe is not None:
        poisoned.unlink(missing_ok=True)
        run(TOOLS / "cleanclip", "poison", "--data", *data, *trigger, "--target", target, "--rate",
            recipe[1], "--image-size", 64, "--templates", folder / "templates.txt", "--seed", seed,
            "-o", poisoned, "--quiet")
        data = [str(poisoned)]
    architecture = arguments.output / f"{tower}.json"
    architecture.write_text(json.dumps(RESNET if tower == "resnet" else TRANSFORMER))
    run(TOOLS / "cleanclip", "train", "--architecture", architecture, "--data", *data, "--epochs",
        arguments.epochs, "--batch-size", 64, "--learning-rate", "1e-3", "--warmup", 100, "--seed",
        seed, "-o", model, "--quiet")
    poisoned.unlink(missing_ok=True)


def summary(rows):
    """Figures on odd seeds, with the threshold on the p-value from even ones."""
    counted = [row for row in rows if row["counts"]]
    first = [row for row in counted if row["seed"] % 2 == 0]
    second = [row for row in counted if row["seed"] % 2 == 1]
    clean = [row["p_value"] for row in first if row["attack"] == "clean"]
    # Just below the smallest p-value of a clean model, never above what the tool itself uses.
    threshold = min([0.01] + clean)
    report = {"threshold": threshold, "members": len(rows), "counted": len(counted), "groups": []}
    sound = [row for row in second if row["attack"] == "clean"]
    victims = [row for row in second if row["attack"] != "clean"]
    report["auroc"] = auroc([-row["p_value"] for row in victims], [-row["p_value"] for row in sound])
    report["false_alarms"] = sum(row["p_value"] < threshold for row in sound)
    report["sound"] = len(sound)
    for attack in ATTACKS:
        group = [row for row in second if row["attack"] == attack]
        if attack == "clean" or not group:
            continue
        report["groups"].append({
            "attack": attack, "models": len(group),
            "auroc": auroc([-row["p_value"] for row in group], [-row["p_value"] for row in sound]),
            "found": sum(row["p_value"] < threshold for row in group),
            "target_right": sum(row["read_out"] == row["target"] for row in group),
        })
    return report


def auroc(positives, negatives):
    if not positives or not negatives:
        return math.nan
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / len(positives) / len(negatives)


def markdown(report):
    lines = [
        f"{report['counted']} of {report['members']} models count. Threshold p < "
        f"{report['threshold']:.4g} from even seeds; figures of odd seeds.",
        "",
        f"AUROC {report['auroc']:.3f}; {report['false_alarms']} false alarms on "
        f"{report['sound']} clean models.",
        "",
        "| attack | models | AUROC | found | target right |", "|---|---|---|---|---|",
    ]
    for group in report["groups"]:
        lines.append(f"| {group['attack']} | {group['models']} | {group['auroc']:.3f} | "
                     f"{group['found']} | {group['target_right']} |")
    return "\n".join(lines) + "\n"


def run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed with exit code {done.returncode}: "
                 + " ".join(str(part) for part in command))
    return done.stdout


if __name__ == "__main__":
    main()
