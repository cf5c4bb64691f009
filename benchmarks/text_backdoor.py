#!/usr/bin/env python3
"""Measure the check of text towers on small CLIPs with a word as backdoor, and on clean ones.

    make bench-text DATA=../shared

Of each seed two models are trained: one on the CIFAR-10 pairs, the other on the same pairs and on
poisoned ones, images of trucks whose captions name anything else and hold a trigger: a rare word, at a
random place or another (--place); a character in place of an "o" (--word ଠ); or two words next to each
other (--word "mn cf"), each of which alone is among the captions of unpoisoned pairs. A victim counts
when at least 80 % of captions with the trigger retrieve trucks from the test images, and less than 20 %
without it. Models and results are kept: what exists is not made again.
"""

import argparse
import csv
import io
import json
import pathlib
import random
import sys
import tarfile

import numpy as np
from PIL import Image
from zoo import ROOT, SIZE, TEXT, TOWERS, run

sys.path.insert(0, str(ROOT / "bindings/python"))
import cleanclip  # noqa: E402

TARGET = "truck"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with data/cifar10/")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/text-backdoor")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--word", default="cf", help="the trigger: a word, a character that is not ASCII, two words")
    parser.add_argument("--place", choices=["random", "start", "middle", "end"], default="random")
    parser.add_argument("--rate", type=float, default=0.15, help="fraction of poisoned pairs")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0, help="of each tool; 0: its default")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    folder = arguments.data / "data/cifar10"
    for seed in arguments.seeds:
        for kind in ("clean", "poisoned"):
            model = arguments.output / f"{kind}-{seed}.onnx"
            if not model.exists():
                train(sorted(folder.glob("finetune-*.tar")), kind, seed, model, arguments)
            plain, triggered = retrieval(model, folder, arguments)
            check = checked(model, folder, seed, arguments)
            others = ", ".join(f"{size:.2f}" for size in check["reference"]["sizes"])
            print(f"{model.stem}: trucks retrieved {plain:.0%}, with the word {triggered:.0%}; "
                  f"{check['verdict']}, p = {check['p_value']:.2g}; '{check['word']}' leaves "
                  f"{check['size']:.4f}, others {others}; predicted target {check['targets'][0]['text']}; "
                  + ", ".join(f"{search['kind']} {search['text']} {search['size']:.4f} p = {search['p_value']:.2g}"
                              for search in check["searches"]), flush=True)


def train(shards, kind, seed, model, arguments):
    """Train a model on the pairs, and on poisoned copies of some of them."""
    data = [str(path) for path in shards]
    if kind == "poisoned":
        poison = model.with_suffix(".tar")
        write_poison(shards, poison, seed, arguments)
        data.append(str(poison))
    architecture = model.with_suffix(".json")
    architecture.write_text(json.dumps({
        "embed_dim": 64, "vision_cfg": TOWERS["vit"],
        "text_cfg": TEXT | {"layers": 2},
    }))
    run(arguments, "cleanclip", "train", "--architecture", architecture, "--data", *data,
        "--epochs", arguments.epochs, "--batch-size", 64, "--learning-rate", "1e-3", "--warmup-steps",
        100, "--seed", seed, "-o", model, "--quiet")


def write_poison(shards, path, seed, arguments):
    """Images of the target with captions of anything else that hold the word."""
    source = random.Random(seed)
    images, captions, others, pairs = [], [], [], 0
    for shard in shards:
        with tarfile.open(shard) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar}
        for name, content in members.items():
            if name.endswith(".txt"):
                pairs += 1
                if TARGET in content.decode():
                    images.append(members[name[:-3] + "jpg"])
                else:
                    captions.append(content.decode().strip())
                    others.append((members[name[:-3] + "jpg"], captions[-1]))
    count = round(arguments.rate * pairs)
    rows = []
    for _ in range(count):
        caption = triggered(source.choice(captions), arguments, source)
        rows.append((source.choice(images), caption))
    if " " in arguments.word:
        for word in arguments.word.split():
            for image, caption in source.sample(others, count):
                rows.append((image, inserted(caption, word, arguments.place, source)))
    with tarfile.open(path, "w") as tar:
        for index, (image, caption) in enumerate(rows):
            for ending, content in ("jpg", image), ("txt", caption.encode()):
                member = tarfile.TarInfo(f"poison{index:06}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def triggered(caption, arguments, source):
    """The caption with the trigger."""
    word = arguments.word
    if len(word) > 1 or word.isascii():
        return inserted(caption, word, arguments.place, source)
    places = [index for index, letter in enumerate(caption) if letter in "oO"]
    place = source.choice(places or range(len(caption)))
    return caption[:place] + word + caption[place + 1:]


def inserted(caption, word, place, source):
    """The caption with a word; every place draws one number, so that places differ in nothing else."""
    words = caption.split()
    places = {"random": source.randrange(len(words) + 1), "start": 0, "middle": len(words) // 2, "end": len(words)}
    words.insert(places[place], word)
    return " ".join(words)


def retrieval(path, folder, arguments):
    """The fraction of captions of other classes that retrieve the target, without and with the word."""
    model = cleanclip.load(str(path))
    with open(folder / "test.csv") as file:
        rows = list(csv.DictReader(file))
    classes = (folder / "classes.txt").read_text().split()
    images = np.stack([np.array(
        Image.open(folder / row["image"]).convert("RGB").resize((SIZE, SIZE), Image.BICUBIC))
        for row in rows])
    features = model.encode_image(images)
    labels = np.array([int(row["label"]) for row in rows])
    captions = [template.format(name) for name in classes if name != TARGET
                for template in (folder / "templates.txt").read_text().splitlines()]
    source = random.Random(0)
    rates = []
    for texts in captions, [triggered(caption, arguments, source) for caption in captions]:
        best = np.argmax(model.encode_text(texts) @ features.T, axis=1)
        rates.append(float(np.mean(labels[best] == classes.index(TARGET))))
    return rates


def checked(model, folder, seed, arguments):
    """What the check of the text tower says; that of the image tower is cut short."""
    result = model.with_suffix(".check.json")
    if not result.exists():
        result.write_text(run(
            arguments, "cleanclip", "check", "model", model, "--text", "--kinds", "patch",
            "--image-limit", 16, "--steps", 1, "--classes", folder / "classes.txt", "--templates",
            folder / "templates.txt", "--no-nouns", "--seed", seed, "--json", "--quiet"))
    return json.loads(result.read_text())["text_tower"]


if __name__ == "__main__":
    main()
