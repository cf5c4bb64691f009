#!/usr/bin/env python3
"""Measure the dataset check and the input check on the poisoned CIFAR-10 checkpoint.

    make bench-checks DATA=../shared

Dataset: how `rn-badnets` ranks the pairs that it was trained on. Inputs: random banks of 200 test
images judge the other images, and triggered copies of those that are no trucks. Needs Pillow.
"""

import argparse
import csv
import pathlib
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bindings/python"))
import cleanclip  # noqa: E402

SIDE = 64
TARGET = 9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True,
                        help="folder with models/ and data/cifar10/")
    parser.add_argument("--banks", type=int, default=40)
    arguments = parser.parse_args()
    model = cleanclip.load(str(arguments.data / "models/rn-badnets.onnx"))
    measure_dataset(model, arguments.data / "data/cifar10")
    measure_inputs(model, arguments.data, arguments.banks)


def measure_dataset(model, folder):
    check = cleanclip.check_data(model, str(folder / "pretrain-badnets-*.tar"))
    with open(folder / "pretrain-badnets-truth.csv") as file:
        truth = np.array([row["poisoned"] == "1" for row in csv.DictReader(file)])
    scores = check.scores
    head = np.argsort(-scores)[:int(0.02 * len(scores))]
    print(f"dataset: {len(truth)} pairs, {truth.sum()} poisoned: "
          f"AUROC {auroc(scores[~truth], scores[truth]):.4f}, "
          f"{truth[head].sum() / truth.sum():.1%} of the poison in the top 2 %")


class Encoded:
    """A model for images whose features are there already: each is judged by many banks."""

    def encode_image(self, features, **_):
        return features


def measure_inputs(model, data, banks):
    random = np.random.default_rng(0)
    with open(data / "data/cifar10/test.csv") as file:
        rows = list(csv.DictReader(file))
    images = [Image.open(data / "data/cifar10" / row["image"]).convert("RGB")
                .resize((SIDE, SIDE), Image.BICUBIC) for row in rows]
    clean = model.encode_image(np.stack([np.array(p) for p in images]), normalize=False)
    trigger = Image.open(data / "models/rn-badnets-trigger.png").convert("RGB")
    for image in images:
        image.paste(trigger, tuple(int(x) for x in random.integers(SIDE - trigger.width + 1, size=2)))
    triggered = model.encode_image(np.stack([np.array(p) for p in images]), normalize=False)
    is_target = np.array([int(row["label"]) == TARGET for row in rows])
    results = {0.01: [], 0.05: []}
    for _ in range(banks):
        order = random.permutation(len(rows))
        bank = cleanclip.Bank(clean[order[:200]])
        rest = order[200:]
        for rate, list_of in results.items():
            negative = cleanclip.check_inputs(Encoded(), clean[rest], bank, false_alarm_rate=rate)
            positive = cleanclip.check_inputs(
                Encoded(), triggered[rest[~is_target[rest]]], bank, false_alarm_rate=rate)
            list_of.append((negative.flagged.mean(), positive.flagged.mean(),
                            auroc(negative.scores, positive.scores)))
    for rate, list_of in results.items():
        alarms, found, area = np.array(list_of).T
        print(f"inputs, {rate:.0%} promised: false alarms {alarms.mean():.1%}, deviation "
              f"{100 * alarms.std():.1f}, worst bank {alarms.max():.1%}; found {found.mean():.1%}, "
              f"worst bank {found.min():.1%}; AUROC {area.mean():.3f}")


def auroc(negative, positive):
    ranks = np.argsort(np.argsort(np.concatenate([negative, positive])))
    above = ranks[len(negative):].sum() - len(positive) * (len(positive) - 1) / 2
    return above / len(negative) / len(positive)


if __name__ == "__main__":
    main()
