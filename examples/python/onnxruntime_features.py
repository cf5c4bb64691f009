#!/usr/bin/env python3
"""Features of images in ONNX Runtime before and after: the graph is the same, its weights are not.

    examples/python/onnxruntime_features.py poisoned.onnx clean.onnx a.jpg b.jpg
"""

import argparse

import numpy as np
import onnxruntime
from PIL import Image

import cleanclip


def prepared(model, path):
    """Prepare an image as CLIP does: its shortest side resized, the middle cropped, normalised."""
    facts, side = model.describe(), model.image_size
    image = Image.open(path).convert("RGB")
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    pixels = (np.asarray(image, np.float32) / 255 - facts["image_mean"]) / facts["image_std"]
    return pixels.transpose(2, 0, 1).astype(np.float32)


def features(path, pixels):
    """Run the image output of a graph, feeding every other input with zeros."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {}
    for item in session.get_inputs():
        if len(item.shape) == 4:
            feeds[item.name] = pixels
        else:
            shape = [size if isinstance(size, int) else 1 for size in item.shape]
            feeds[item.name] = np.zeros(shape, np.int64)
    name = next(item.name for item in session.get_outputs() if "image" in item.name)
    return session.run([name], feeds)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("images", nargs="+")
    arguments = parser.parse_args()

    model = cleanclip.load(arguments.after)
    pixels = np.stack([prepared(model, path) for path in arguments.images])
    before, after = features(arguments.before, pixels), features(arguments.after, pixels)
    difference = np.abs(after - model.encode_image(pixels, preprocess=False)).max()
    print(f"ONNX Runtime and cleanclip differ by {difference:.1e} at most")
    for path, old, new in zip(arguments.images, before, after):
        print(f"{path}: cosine of before and after {float(old @ new):.3f}")


if __name__ == "__main__":
    main()
