#!/usr/bin/env python3
"""Train a zoo of small CLIPs, clean and backdoored, and measure the model check on it.

    make zoo                      synthetic scenes
    make zoo DATA=../shared       also CIFAR-10 pairs

Every backdoored model must have an attack success rate of at least 80 % and every one pass as
usable (accuracy at least three times chance), or it does not count. What the check assumes of clean
models was measured on one half of the zoo (even seeds), which this prints too; the figures are
those of the other half, with the thresholds of the tool.
Models and results are kept: what exists is not made again.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / "build/bin"
# At one place, because small transformers trained for minutes do not learn a patch at random ones.
PATCH = ["--patch-size", 5, "--position", "26,26"]
# Trigger, poison rate, further options of the attack.
ATTACKS = {
    "clean": None,
    "badnets": ("badnets", 0.03, ["--fixed", *PATCH]),
    "blended": ("blended", 0.05, ["--fixed"]),
    "sig": ("sig", 0.05, ["--fixed"]),
    # The authors' strength of 0.5 moves nothing by a whole pixel of such small images.
    "wanet": ("wanet", 0.25, ["--fixed", "--strength", 8]),
    "label-consistent": ("label-consistent", 0.05, ["--fixed", *PATCH]),
}
# Three backdoors in one model, each with a target of its own: CIFAR-10 alone has enough classes that are learned.
SEVERAL = "several"
SEVERAL_TARGETS = {"badnets": "truck", "blended": "dog", "sig": "ship"}
SIZE = 32
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
TOWERS = {
    "resnet": {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 24},
    "vit": {"image_size": SIZE, "layers": 3, "width": 96, "patch_size": 8, "head_width": 32},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, help="folder with data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/zoo")
    parser.add_argument("--seeds", type=int, default=2, help="of each attack")
    parser.add_argument("--clean-seeds", type=int, default=4)
    parser.add_argument("--attacks", nargs="+", choices=[*ATTACKS, SEVERAL],
                        default=[*ATTACKS, SEVERAL])
    parser.add_argument("--sources", nargs="+", choices=["cifar10", "scenes"])
    parser.add_argument("--towers", nargs="+", choices=list(TOWERS), default=list(TOWERS))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=0, help="of each tool; 0: its default")
    parser.add_argument("--train-only", action="store_true", help="leave the checks for later")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    rows = []
    for source in sources(arguments):
        for seed in range(max(arguments.seeds, arguments.clean_seeds)):
            for attack in arguments.attacks:
                if seed >= (arguments.clean_seeds if attack == "clean" else arguments.seeds):
                    continue
                if attack == SEVERAL and source[0] != "cifar10":
                    continue
                for tower in arguments.towers:
                    row = member(source, tower, attack, seed, arguments)
                    if not arguments.train_only and row["counts"]:
                        row |= checked(source, row, arguments)
                    rows.append(row)
                    print(json.dumps({k: v for k, v in row.items() if k != "findings"}),
                          file=sys.stderr, flush=True)
    if arguments.train_only:
        return
    report = summary(rows)
    (arguments.output / "results.json").write_text(
        json.dumps({"members": rows, "summary": report}, indent=2) + "\n")
    (arguments.output / "results.md").write_text(markdown(report))
    print(markdown(report))


def sources(arguments):
    """The datasets: name, pairs, folder of the test table, classes and templates, target class."""
    found = []
    if arguments.data:
        folder = arguments.data / "data/cifar10"
        found.append(("cifar10", sorted(folder.glob("finetune-*.tar")), folder, "truck"))
    drawn = arguments.output / "scenes"
    found.append(("scenes", [drawn / "train.tar"], drawn, "star"))
    found = [entry for entry in found if entry[0] in (arguments.sources or ["cifar10", "scenes"])]
    if found[-1][0] == "scenes" and not (drawn / "test.csv").exists():
        run(arguments, "draw-scenes", drawn, "--train", 10000, "--finetune", 2000, "--test", 1000,
            "--seed", 0)
    return found


def member(source, tower, attack, seed, arguments):
    """Train one model and measure whether it is what it is called."""
    name, pairs, folder, target = source
    label = f"{name}-{tower}-{attack}-{seed}"
    result = arguments.output / f"{label}.json"
    if result.exists():
        return json.loads(result.read_text())
    model = arguments.output / f"{label}.onnx"
    planted = backdoors(attack, target)
    train(pairs, folder, tower, seed, planted, model, arguments)
    # A clean model is measured with a trigger that means nothing to it.
    measured = [
        json.loads(run(
            arguments, "cleanclip", "evaluate", model, "--data", folder / "test.csv",
            *texts(folder), *options(recipe), "--target", to, "--seed", seed, "--json", "--quiet"))
        for recipe, to in planted or backdoors("badnets", target)]
    classes = len((folder / "classes.txt").read_text().split())
    accuracy = measured[0]["clean_accuracy"]["top1"]
    success = min(one["attack_success_rate"]["top1"] for one in measured)
    row = {
        "name": label, "source": name, "tower": tower, "attack": attack, "seed": seed,
        "accuracy": accuracy, "attack_success_rate": success, "target": target,
        "targets": [to for _, to in planted],
        "counts": accuracy > 3 / classes and (not planted or success >= 0.8),
    }
    result.write_text(json.dumps(row, indent=2) + "\n")
    return row


def backdoors(attack, target):
    """What an attack plants: recipes with their targets; none in a clean model."""
    if attack == SEVERAL:
        return [(ATTACKS[name], to) for name, to in SEVERAL_TARGETS.items()]
    return [] if ATTACKS[attack] is None else [(ATTACKS[attack], target)]


def options(recipe):
    return ["--trigger", recipe[0], *recipe[2]]


def checked(source, row, arguments):
    """What the model check says of a model."""
    folder = source[2]
    result = arguments.output / f"{row['name']}-check.json"
    if not result.exists():
        result.write_text(run(
            arguments, "cleanclip", "check", "model", arguments.output / f"{row['name']}.onnx",
            "--images", folder / "test.csv", *texts(folder), "--no-nouns", "--seed", row["seed"],
            # To find all of several backdoors.
            *(["--exhaustive"] if row["attack"] == SEVERAL else []), "--json", "--quiet"))
    check = json.loads(result.read_text())
    strongest = min(check["findings"], key=lambda finding: finding["p_value"])
    targets = (strongest["classes"] or {"targets": []})["targets"]
    return {
        "p_value": check["p_value"], "verdict": check["verdict"], "kind": strongest["kind"],
        "size": strongest["size"], "read_out": targets[0]["text"] if targets else None,
        "named": [backdoor["target"] for backdoor in check["backdoors"]],
        "seconds": check["seconds"], "findings": check["findings"],
    }


def texts(folder):
    return ["--classes", folder / "classes.txt", "--templates", folder / "templates.txt"]


def train(pairs, folder, tower, seed, planted, model, arguments):
    data = [str(path) for path in pairs]
    made = []
    for recipe, target in planted:
        poisoned = model.with_suffix(f".{len(made)}.tar")
        run(arguments, "cleanclip", "poison", "--data", *data, *options(recipe), "--target", target,
            "--rate", recipe[1], "--image-size", SIZE, "--templates", folder / "templates.txt",
            "--seed", seed, "-o", poisoned, "--quiet")
        data = [str(poisoned)]
        made.append(poisoned)
    architecture = model.with_suffix(".architecture.json")
    architecture.write_text(json.dumps(
        {"embed_dim": 64, "vision_cfg": TOWERS[tower], "text_cfg": TEXT}))
    run(arguments, "cleanclip", "train", "--architecture", architecture, "--data", *data,
        "--epochs", arguments.epochs, "--batch-size", 64, "--learning-rate", "1e-3", "--warmup-steps",
        100, "--seed", seed, "-o", model, "--quiet")
    for poisoned in made:
        poisoned.unlink()
    architecture.unlink()


def summary(rows):
    """Figures of both halves, and the spread of ln(size) within the clean models of the first."""
    counted = [row for row in rows if row["counts"]]
    halves = {"even": [row for row in counted if row["seed"] % 2 == 0],
              "odd": [row for row in counted if row["seed"] % 2 == 1]}
    report = {"members": len(rows), "counted": len(counted), "spread": spread(halves["even"])}
    for name, half in halves.items():
        clean = [row for row in half if row["attack"] == "clean"]
        groups = []
        for attack in [*ATTACKS, SEVERAL]:
            group = [row for row in half if row["attack"] == attack]
            if not group:
                continue
            groups.append({
                "attack": attack, "models": len(group),
                "auroc": auroc([-row["p_value"] for row in group],
                               [-row["p_value"] for row in clean]),
                **{verdict: sum(row["verdict"] == verdict for row in group)
                   for verdict in ("backdoored", "suspicious", "clean", "cannot_tell")},
                "target_right": sum(
                    row["read_out"] == row["target"] if row["attack"] != SEVERAL
                    else set(row["targets"]) <= set(row["named"]) for row in group),
            })
        victims = [row for row in half if row["attack"] != "clean"]
        report[name] = {
            "groups": groups,
            "auroc": auroc([-row["p_value"] for row in victims],
                           [-row["p_value"] for row in clean])}
    return report


def spread(rows):
    """Pooled standard deviation of ln(size) among the searches of each clean model."""
    sums = {}
    for row in rows:
        for finding in row["findings"] if row["attack"] == "clean" else []:
            if not finding["found"]:
                continue
            logs = [math.log(size) for size in [finding["size"], *finding["reference"]["sizes"]]]
            mean = sum(logs) / len(logs)
            entry = sums.setdefault(f"{finding['kind']}, {finding['reference']['source']}", [0, 0])
            entry[0] += sum((value - mean) ** 2 for value in logs)
            entry[1] += len(logs) - 1
    return {name: {"deviation": math.sqrt(squares / degrees), "degrees": degrees}
            for name, (squares, degrees) in sums.items()}


def auroc(positives, negatives):
    if not positives or not negatives:
        return math.nan
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / len(positives) / len(negatives)


def markdown(report):
    lines = [f"{report['counted']} of {report['members']} models count."]
    for half in ("even", "odd"):
        lines += [
            "", f"Seeds that are {half}: AUROC of p {report[half]['auroc']:.3f}.", "",
            "| attack | models | AUROC | `backdoored` | `suspicious` | `clean` | target right |",
            "|---|---|---|---|---|---|---|",
        ]
        for group in report[half]["groups"]:
            lines.append(
                f"| {group['attack']} | {group['models']} | {group['auroc']:.3f} | "
                f"{group['backdoored']} | {group['suspicious']} | {group['clean']} | "
                f"{group['target_right']} |")
    lines += ["", "Spread of ln(size) within clean models with even seeds:", ""]
    for name, value in report["spread"].items():
        lines.append(f"- {name}: {value['deviation']:.2f} ({value['degrees']} degrees of freedom)")
    return "\n".join(lines) + "\n"


def run(arguments, tool, *options, accepted=(0,)):
    """Run a tool; return its standard output, or end when its exit code is none of the accepted."""
    command = [TOOLS / tool, *options]
    if arguments.threads and tool == "cleanclip":
        command += ["--threads", arguments.threads]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode not in accepted:
        sys.exit(f"{command[0]} failed with exit code {done.returncode}: "
                 + " ".join(str(part) for part in command))
    return done.stdout


if __name__ == "__main__":
    main()
