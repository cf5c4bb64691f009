#!/usr/bin/env python3
"""Measure the verdict of the dataset check on clean sets and on poisoned ones.

    make bench-dataset DATA=../shared

Every set has a model of its own, trained on it and on nothing else. Sets with seed 0 are those that
the rule was chosen on; the figures are those of the other seeds. A poisoned set is measured whether or
not its model learned the trigger, and the attack success rate says so. Sets, models and checks are kept:
what exists is not made again. Without DATA, of synthetic scenes alone. Needs Pillow.
"""

import argparse
import io
import json
import math
import pathlib
import random
import sys
import tarfile

from PIL import Image
from zoo import ROOT, SIZE, TEXT, TOWERS, run

TOWERS = TOWERS | {"resnet": TOWERS["resnet"] | {"width": 16}}
TEXT = TEXT | {"context_length": 24}

# Clean sets: source, pairs, variant. Captions: five to an image. Tail: classes whose frequency
# falls by 40 % from one to the next. Copies: 100 pairs show one image, newly encoded, each with another caption.
CLEAN = [
    ("cifar10", 500, ""), ("cifar10", 2000, ""), ("cifar10", 5000, ""), ("cifar10", 9000, ""),
    ("cifar10", 3000, "tail"), ("cifar10", 5000, "captions"), ("cifar10", 5000, "copies"),
    ("scenes", 500, ""), ("scenes", 5000, ""), ("scenes", 20000, ""), ("scenes", 3000, "tail"),
    ("scenes", 5000, "copies"), ("scenes", 100000, ""),
]
# Poisoned sets: source, pairs, poisoned ones. Cake: copies of one image, newly encoded, with one caption.
POISONED = [
    (source, 5000, count) for source in ("cifar10", "scenes") for count in (50, 20, 10)
] + [("scenes", 100000, 75)]
# One image many times with one caption, and poison at a rate for which pairs are each other's neighbours.
CLUSTERS = [(source, 5000, variant) for source in ("cifar10", "scenes") for variant in ("cake", "dense")]
COPIES = 200
DENSE = 1000
# Pairs that a model sees, which makes the epochs. Few poisoned pairs take more to be learned.
PAIRS_SEEN = {"clean": 20_000, "cluster": 20_000, "poisoned": 75_000}
TARGETS = {"cifar10": "truck", "scenes": "star"}
CAKE = "our birthday cake with candles"
VERDICTS = ("clean", "suspicious", "backdoored", "cannot_tell")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, help="folder with data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/dataset-verdict")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--large-seeds", type=int, nargs="*", default=[1, 2],
                        help="of sets with 100,000 pairs")
    parser.add_argument("--groups", nargs="+", choices=["clean", "poisoned", "cluster"],
                        default=["poisoned", "cluster", "clean"])
    parser.add_argument("--threads", type=int, default=0, help="of each tool; 0: its default")
    parser.add_argument("--made-only", action="store_true", help="leave out sets that have no model yet")
    parser.add_argument("--check-again", action="store_true", help="keep sets and models only")
    parser.add_argument("--results", type=pathlib.Path,
                        default=ROOT / "benchmarks/results/dataset-verdict.json")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = [measured(*recipe, arguments) for recipe in recipes(arguments)
            if not arguments.made_only or (folder_of(*recipe[:5], arguments) / "model.onnx").exists()]
    report = {"rows": rows, "summary": summary(rows)}
    arguments.results.write_text(json.dumps(report, indent=1) + "\n")
    print(markdown(report["summary"]))


def recipes(arguments):
    """The sets in the order in which they are made: group, source, pairs, variant or count, seed."""
    for seed in arguments.seeds:
        for group in arguments.groups:
            sets = {"poisoned": POISONED, "cluster": CLUSTERS, "clean": CLEAN}[group]
            for number, (source, pairs, variant) in enumerate(sets):
                if source == "cifar10" and not arguments.data:
                    continue
                if pairs < 100_000 or seed in arguments.large_seeds:
                    yield group, source, pairs, variant, seed, sorted(TOWERS)[(number + seed) % 2]


def folder_of(group, source, pairs, variant, seed, arguments):
    return arguments.output / "-".join(
        str(part) for part in (group, source, pairs, variant or "plain", seed))


def measured(group, source, pairs, variant, seed, tower, arguments):
    """Makes a set, trains its model and checks it."""
    folder = folder_of(group, source, pairs, variant, seed, arguments)
    folder.mkdir(exist_ok=True)
    name = folder.name
    data, model, checked = folder / "pairs.tar", folder / "model.onnx", folder / "check.json"
    classes = class_folder(source, arguments)
    if not data.exists():
        make_set(data, group, source, pairs, variant, seed, arguments)
    if not model.exists():
        train(data, model, group, pairs, tower, seed, arguments)
    if arguments.check_again or not checked.exists():
        checked.write_text(run(
            arguments, "cleanclip", "check", "data", model, "--data", data, "--seed", seed,
            "--scores", folder / "scores.csv", "--json", "--quiet"))
    check = json.loads(checked.read_text())
    row = {
        "name": name, "group": group, "source": source, "pairs": pairs, "variant": variant, "seed": seed,
        "tower": tower,
        **{key: check.get(key) for key in (
            "verdict", "estimated_poisoned", "removed", "words", "head", "dense_clusters",
            "repeated_images")},
    }
    row["words"] = row["words"][:2]
    if isinstance(variant, int) or variant == "dense":
        row |= attack(folder, model, source, classes, arguments)
    print(name, tower, row["verdict"], row["estimated_poisoned"], row.get("attack_success_rate", ""),
          row.get("found", ""), flush=True, file=sys.stderr)
    return row


def attack(folder, model, source, classes, arguments):
    """How often the trigger works, and how much of the poison a cleaned list leaves out."""
    result = folder / "attack.json"
    if not result.exists():
        result.write_text(run(
            arguments, "cleanclip", "evaluate", model, "--data", classes / "test.csv", "--classes",
            classes / "classes.txt", "--templates", classes / "templates.txt", *trigger(arguments), "--target",
            TARGETS[source], "--json", "--quiet"))
    success = json.loads(result.read_text())["attack_success_rate"]["top1"]
    truth = [line.split(",") for line in (folder / "truth.csv").read_text().splitlines()]
    column = truth[0].index("poisoned")
    poisoned = {line[0] for line in truth[1:] if line[column] == "1"}
    left = removed_keys(folder, json.loads((folder / "check.json").read_text())["removed"])
    return {"attack_success_rate": success, "found": len(poisoned & left), "poisoned": len(poisoned)}


def removed_keys(folder, removed):
    """The keys of the most suspicious pairs."""
    lines = (folder / "scores.csv").read_text().splitlines()
    rank = lines[0].split(",").index("rank")
    keys = ((line.split(",")[rank], line.split(",")[1]) for line in lines[1:])
    return {key for place, key in keys if place and int(place) <= removed}


# MARK: Sets


def class_folder(source, arguments):
    return arguments.data / "data/cifar10" if source == "cifar10" else arguments.output / "scenes-test"


def trigger(arguments):
    """A patch of 8 × 8 pixels in two colours at one place: noise takes longer to learn than these models train."""
    path = arguments.output / "patch.png"
    if not path.exists():
        patch = Image.new("RGB", (8, 8), (0, 255, 0))
        for x in range(8):
            for y in range(8):
                if (x // 2 + y // 2) % 2 == 0:
                    patch.putpixel((x, y), (255, 0, 255))
        patch.save(path)
    return ["--trigger", path, "--position", "22,22"]


def make_set(path, group, source, pairs, variant, seed, arguments):
    """Writes a set as a shard."""
    draw = random.Random(f"{group} {source} {pairs} {variant} {seed}")
    if isinstance(variant, int) or variant == "dense":
        clean = path.with_name("clean.tar")
        write(clean, drawn(source, pairs, seed, draw, arguments))
        classes = class_folder(source, arguments)
        run(arguments, "cleanclip", "poison", "--data", clean, *trigger(arguments), "--target",
            TARGETS[source], "--count", DENSE if variant == "dense" else variant, "--image-size", SIZE,
            "--templates", classes / "templates.txt", "-o", path, "--truth-path",
            path.with_name("truth.csv"), "--quiet")
        clean.unlink()
        return
    if variant == "captions":
        chosen = drawn(source, pairs // 5, seed, draw, arguments)
        templates = (class_folder(source, arguments) / "templates.txt").read_text().splitlines()
        classes = (class_folder(source, arguments) / "classes.txt").read_text().split()
        rows = [
            (image, draw.choice(templates).format(named(classes, caption)))
            for image, caption in chosen for _ in range(5)]
    elif variant == "tail":
        rows = tail(drawn(source, 3 * pairs, seed, draw, arguments), pairs, source, draw, arguments)
    elif variant in ("copies", "cake"):
        count = COPIES if variant == "cake" else COPIES // 2
        rows = drawn(source, pairs, seed, draw, arguments)
        image = rows[0][0]
        rows[:count] = [
            (again(image, draw), CAKE if variant == "cake" else caption) for _, caption in rows[:count]]
        draw.shuffle(rows)
    else:
        rows = drawn(source, pairs, seed, draw, arguments)
    write(path, rows)


def drawn(source, pairs, seed, draw, arguments):
    """Pairs of a source: images as they are encoded, and captions."""
    if source == "cifar10":
        rows = [row for shard in sorted((arguments.data / "data/cifar10").glob("finetune-*.tar"))
                for row in read(shard)]
        draw.shuffle(rows)
        return rows[:pairs]
    folder = arguments.output / "scenes-drawn"
    # Scenes of their own for every set.
    number = draw.randrange(10 ** 9)
    run(arguments, "draw-scenes", folder, "--train", pairs, "--finetune", 0, "--test", 0, "--size", SIZE,
        "--seed", number)
    rows = read(folder / "train.tar")
    (folder / "train.tar").unlink()
    if not (arguments.output / "scenes-test/test.csv").exists():
        run(arguments, "draw-scenes", arguments.output / "scenes-test", "--train", 0, "--finetune", 0,
            "--test", 1000, "--size", SIZE, "--seed", 0)
    return rows


def tail(rows, pairs, source, draw, arguments):
    """Some of the pairs, of which each class is 40 % rarer than the one before."""
    classes = (class_folder(source, arguments) / "classes.txt").read_text().split()
    draw.shuffle(classes)
    of_class = {name: [] for name in classes}
    for row in rows:
        of_class[named(classes, row[1])].append(row)
    total = sum(0.6 ** place for place in range(len(classes)))
    kept = [row for place, name in enumerate(classes)
            for row in of_class[name][:max(3, round(pairs * 0.6 ** place / total))]]
    draw.shuffle(kept)
    return kept


def named(classes, caption):
    """The first class of a caption."""
    return next(word for word in caption.replace(",", " ").split() if word in classes)


def again(image, draw):
    """The image as another copy on the web: another size, and encoded anew."""
    side = draw.randint(28, 48)
    file = io.BytesIO()
    Image.open(io.BytesIO(image)).convert("RGB").resize((side, side), Image.BICUBIC).save(
        file, "JPEG", quality=draw.randint(60, 95))
    return file.getvalue()


def read(path):
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    return [(files[name], files[name[:-4] + ".txt"].decode()) for name in sorted(files)
            if not name.endswith(".txt")]


def write(path, rows):
    with tarfile.open(path, "w") as tar:
        for number, (image, caption) in enumerate(rows):
            ending = "png" if image[:4] == b"\x89PNG" else "jpg"
            for name, content in ((ending, image), ("txt", caption.encode())):
                member = tarfile.TarInfo(f"{number:06}.{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def train(data, model, group, pairs, tower, seed, arguments):
    architecture = model.with_suffix(".json")
    architecture.write_text(json.dumps(
        {"embed_dim": 64, "vision_cfg": TOWERS[tower], "text_cfg": TEXT}))
    run(arguments, "cleanclip", "train", "--architecture", architecture, "--data", data,
        "--epochs", max(1, min(40, round(PAIRS_SEEN[group] / pairs))), "--batch-size", 64, "--learning-rate",
        "1e-3", "--warmup-steps", 30, "--seed", seed, "-o", model, "--quiet")


# MARK: Figures


def summary(rows):
    """Counts of verdicts, by halves."""
    report = {}
    for half, seeds in (("chosen", [0]), ("judged", None)):
        part = [row for row in rows if (row["seed"] in seeds if seeds else row["seed"] != 0)]
        groups = []
        for row in part:
            what = row["variant"] or "plain"
            key = (row["group"], row["source"], row["pairs"], what)
            if not any(group["key"] == key for group in groups):
                groups.append({"key": key, "rows": []})
            next(group for group in groups if group["key"] == key)["rows"].append(row)
        clean = [row for row in part if row["group"] == "clean"]
        alarms = sum(row["verdict"] != "clean" for row in clean)
        report[half] = {
            "clean_sets": len(clean), "false_alarms": alarms,
            "accusations": sum(row["verdict"] == "backdoored" for row in clean),
            "upper_bound_95": upper(alarms, len(clean)) if clean else None,
            "groups": [{
                "group": group["key"][0], "source": group["key"][1], "pairs": group["key"][2],
                "variant": group["key"][3],
                "sets": len(group["rows"]),
                **{verdict: sum(row["verdict"] == verdict for row in group["rows"]) for verdict in VERDICTS},
                "attack_success_rates": [
                    row["attack_success_rate"] for row in group["rows"] if "attack_success_rate" in row],
                "found": [row["found"] for row in group["rows"] if "found" in row],
                "kinds": [kinds(row) for row in group["rows"]],
            } for group in groups],
        }
    return report


def kinds(row):
    """What the clusters, the head and the repeated images of a set are said to be."""
    return {
        "dense_clusters": [cluster.get("kind") for cluster in row["dense_clusters"]],
        "head": (row["head"] or {}).get("kind"),
        "repeated_images": [cluster.get("kind") for cluster in row["repeated_images"] or []],
    }


def upper(successes, trials):
    """The rate above which so few successes have a chance below 5 % (Clopper and Pearson 1934)."""
    low, high = successes / trials, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        tail = sum(math.comb(trials, k) * rate ** k * (1 - rate) ** (trials - k)
                   for k in range(successes + 1))
        low, high = (rate, high) if tail > 0.05 else (low, rate)
    return high


def markdown(report):
    lines = []
    for half in ("chosen", "judged"):
        part = report[half]
        if not part["groups"]:
            continue
        bound = part["upper_bound_95"]
        lines += [
            f"{half}: {part['false_alarms']} of {part['clean_sets']} clean sets alarm, "
            f"{part['accusations']} `backdoored`"
            + ("" if bound is None else f"; at most {bound:.0%} with 95 % confidence"), "",
            "| set | sets | `clean` | `suspicious` | `backdoored` | attack success rate | left out |",
            "|---|---|---|---|---|---|---|"]
        for group in part["groups"]:
            rates = ", ".join(f"{rate:.0%}" for rate in group["attack_success_rates"])
            found = ", ".join(str(count) for count in group["found"])
            lines.append(
                f"| {group['source']}, {group['pairs']:,}, {group['variant']} | {group['sets']} | "
                f"{group['clean']} | {group['suspicious']} | {group['backdoored']} | {rates} | {found} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
