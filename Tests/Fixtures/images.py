"""Writes Tests/Fixtures/images: image files and what Pillow and torchvision make of them.

Needs Pillow, torchvision and numpy. Run from anywhere: python Tests/Fixtures/images.py

Expected pixels are kept in `*.images` files: the line `cleanclip-images 1`, a line with the
versions that made them, then per image the line `name type width height` and its values (type u8:
height x width x 3 bytes; f32: 3 x height x width little-endian floats).
"""

import io
import math
import pathlib
import struct
import zlib

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from torchvision.transforms.autoaugment import AutoAugment, _apply_op

FOLDER = pathlib.Path(__file__).resolve().parent / "images"
VERSIONS = f"Pillow {PIL.__version__}, torchvision {torchvision.__version__.split('+')[0]}"
MEAN = (0.48145466, 0.4578275, 0.40821073)
STANDARD_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class Images:
    """Collects expected images and writes them to one file."""

    def __init__(self, name):
        self.path = FOLDER / f"{name}.images"
        self.parts = [f"cleanclip-images 1\n{VERSIONS}\n".encode()]

    def add(self, name, values):
        values = np.ascontiguousarray(values)
        if values.dtype == np.uint8:
            height, width, channels = values.shape
            kind = "u8"
        else:
            channels, height, width = values.shape
            values = values.astype("<f4")
            kind = "f32"
        assert channels == 3
        self.parts.append(f"{name} {kind} {width} {height}\n".encode() + values.tobytes())

    def write(self):
        self.path.write_bytes(b"".join(self.parts))


def scene(width, height, seed, low=0, high=255):
    """Waves, discs and noise: smooth ramps, hard edges and texture in one image."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    values = np.empty((height, width, 3))
    for channel in range(3):
        wave = 110 + 40 * rng.normal()
        for octave in range(4):
            fx, fy = rng.normal(0, 3 * 2**octave, 2)
            wave = wave + 60 / 2**octave * np.sin(fx * x + fy * y + rng.uniform(0, 2 * math.pi))
        values[..., channel] = wave
    for _ in range(5):
        cx, cy, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.25)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
        values[inside] = 0.25 * values[inside] + 0.75 * rng.uniform(0, 255, 3)
    values += rng.normal(0, 5, values.shape)
    values = np.clip(values, 0, 255) / 255
    return np.round(low + (high - low) * values).astype(np.uint8)


# PNG kinds that Pillow does not write.


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(rows, depth):
    """Filter type 0 and the samples of each row; samples is `[height, width * channels]`."""
    lines = []
    for row in rows:
        if depth == 16:
            data = row.astype(">u2").tobytes()
        elif depth == 8:
            data = row.astype(np.uint8).tobytes()
        else:
            bits = (row[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            data = np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()
        lines.append(b"\0" + data)
    return b"".join(lines)


def png(samples, depth, colour, interlaced=False, extra=b""):
    """Encodes `[height, width, channels]` samples; `extra` comes between header and pixels."""
    height, width, channels = samples.shape
    if interlaced:
        starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
        starts += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in starts]
    else:
        passes = [samples]
    data = b"".join(packed(p.reshape(p.shape[0], -1), depth) for p in passes if p.size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
        + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    )


def over_white(rgba):
    alpha = rgba[..., 3:].astype(int)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def encoded(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def jpeg_files():
    rgb = Image.fromarray(scene(31, 23, 1))
    for sampling in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"):
        name = "rgb-" + sampling.replace(":", "")
        yield f"{name}.jpg", encoded(rgb, "JPEG", quality=80, subsampling=sampling)
    yield "progressive.jpg", encoded(rgb, "JPEG", quality=80, progressive=True)
    yield "grey.jpg", encoded(rgb.convert("L"), "JPEG", quality=80)
    cmyk = np.dstack([255 - np.asarray(rgb), scene(31, 23, 2, 0, 120)[..., 0]])
    yield "cmyk.jpg", encoded(Image.fromarray(cmyk, "CMYK"), "JPEG", quality=80)
    # Luma and chroma stored as if they were CMYK, then declared as YCCK.
    ycck = np.dstack([255 - np.asarray(rgb.convert("YCbCr")), cmyk[..., 3]])
    data = bytearray(encoded(Image.fromarray(ycck, "CMYK"), "JPEG", quality=80))
    data[data.index(b"Adobe") + 11] = 2
    yield "ycck.jpg", bytes(data)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotated by 90 degrees
    yield "rotated-by-exif.jpg", encoded(rgb, "JPEG", quality=80, exif=exif)


def opaque_png_files():
    rgb = scene(31, 23, 3)
    grey = rgb[..., :1].astype(int)
    for depth in (1, 2, 4, 8):
        yield f"grey{depth}.png", png(grey >> (8 - depth), depth, 0)
        palette = scene(2**depth, 1, 4)[0]
        yield f"palette{depth}.png", png(
            grey >> (8 - depth), depth, 3, extra=chunk(b"PLTE", palette.tobytes()))
    wide = rgb.astype(int) * 257 - scene(31, 23, 5)
    yield "rgb8.png", png(rgb, 8, 2)
    yield "rgb16.png", png(np.clip(wide, 0, 65535), 16, 2)
    yield "rgb8-interlaced.png", png(rgb, 8, 2, interlaced=True)
    yield "grey4-interlaced.png", png(grey >> 4, 4, 0, interlaced=True)
    yield "narrow-interlaced.png", png(rgb[:3, :1], 8, 2, interlaced=True)
    opaque = np.dstack([rgb, np.full((23, 31), 255)])
    yield "rgba-opaque.png", png(opaque, 8, 6)


def transparent_files():
    """Yields a name, a file, and the RGBA image that it holds."""
    rgb = scene(31, 23, 6)
    alpha = scene(31, 23, 7)[..., 0]
    rgba = np.dstack([rgb, alpha])
    yield "rgba8.png", png(rgba, 8, 6), rgba
    yield "rgba16-interlaced.png", png(rgba.astype(int) * 256 + 99, 16, 6, interlaced=True), rgba
    grey_alpha = np.dstack([rgb[..., :1]] * 3 + [alpha])
    yield "grey-alpha8.png", png(grey_alpha[..., 2:], 8, 4), grey_alpha
    yield "grey-alpha16.png", png(grey_alpha[..., 2:].astype(int) * 257, 16, 4), grey_alpha
    palette = scene(16, 1, 8)[0]
    steps = np.arange(0, 160, 16)
    indices = rgb[..., :1] >> 4
    alphas = np.concatenate([steps, np.full(6, 255)])
    yield "palette-alpha.png", png(
        indices, 4, 3,
        extra=chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", steps.astype(np.uint8).tobytes())
    ), np.dstack([palette[indices[..., 0]], alphas[indices[..., 0]]])
    level = int(np.bincount(indices.ravel()).argmax())
    yield "grey-key.png", png(indices, 4, 0, extra=chunk(b"tRNS", struct.pack(">H", level))), (
        np.dstack([indices * 17] * 3 + [np.where(indices == level, 0, 255)]))
    for name, options in (("alpha-lossless", {"lossless": True, "exact": True}),
                          ("alpha-lossy", {"quality": 80, "exact": True})):
        data = encoded(Image.fromarray(rgba, "RGBA"), "WEBP", **options)
        yield f"{name}.webp", data, np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    # On white it looks like `shown`; readers that drop the alpha channel see `stored`.
    shown = scene(31, 23, 9, 128, 255)[..., 0].astype(int)
    stored = scene(31, 23, 10, 0, 120)[..., 0].astype(int)
    hiding = np.round(255 * (255 - shown) / (255 - stored)).astype(int)
    yield "hidden.png", png(np.dstack([stored, hiding]), 8, 4), np.dstack([stored] * 3 + [hiding])
    y, x = np.mgrid[0:23, 0:31]
    disc = np.clip(9 - np.hypot(x - 15, y - 11), 0, 1)
    logo = np.dstack([np.full((23, 31), v) for v in (200, 30, 60)])
    logo = np.where(disc[..., None] > 0, logo, 0)  # black under the transparent background
    logo = np.dstack([logo, np.round(255 * disc)]).astype(np.uint8)
    yield "logo.png", png(logo, 8, 6), logo


def write_decoded():
    expected = Images("decoded")

    def keep(name, data, pixels):
        (FOLDER / name).write_bytes(data)
        expected.add(name, pixels)

    def converted(data):
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    for name, data in list(jpeg_files()) + list(opaque_png_files()):
        keep(name, data, converted(data))
    rgb = scene(31, 23, 11)
    for name, options in (("lossy", {"quality": 80}), ("lossless", {"lossless": True})):
        data = encoded(Image.fromarray(rgb), "WEBP", **options)
        keep(f"{name}.webp", data, converted(data))
    frames = [Image.fromarray(scene(31, 23, seed)) for seed in (12, 13)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    keep("animated.webp", data, converted(data))
    for name, data, rgba in transparent_files():
        keep(name, data, over_white(rgba.astype(np.uint8)))
    # Pillow clips 16-bit grey at 255; the high byte is what it takes of 16-bit colour.
    grey = scene(31, 23, 14)[..., :1]
    keep("grey16.png", png(grey.astype(int) * 256 + 77, 16, 0), np.dstack([grey] * 3))
    expected.write()


def write_resized():
    expected = Images("resized")
    source = scene(61, 47, 20)
    expected.add("source", source)
    sizes = [(32, 25), (17, 40), (75, 59), (61, 20), (25, 47), (61, 90), (7, 5), (1, 1), (1, 47)]
    # Pillow filters vertically first when the height loses more than twice as much as the width.
    sizes += [(80, 20), (55, 11), (61, 47)]
    for size in sizes:
        image = Image.fromarray(source).resize(size, Image.Resampling.BICUBIC)
        expected.add(f"{size[0]}x{size[1]}", np.asarray(image))
    expected.write()


def write_preprocessed():
    expected = Images("preprocessed")
    for name, width, height in (("wide", 61, 37), ("tall", 23, 58), ("square", 31, 31),
                                ("exact", 24, 24), ("strip", 130, 5)):
        source = scene(width, height, 30 + width)
        size = 24
        transform = transforms.Compose([
            transforms.Resize(size, interpolation=InterpolationMode.BICUBIC),
            transforms.CenterCrop(size), transforms.ToTensor(),
            transforms.Normalize(MEAN, STANDARD_DEVIATION)])
        expected.add(name, source)
        expected.add(name + "-24", transform(Image.fromarray(source)).numpy())
    expected.write()


def write_augmented():
    expected = Images("augmented")
    sources = {"scene": scene(31, 23, 40), "dull": scene(23, 31, 41, 90, 140)}
    for name, source in sources.items():
        expected.add(name, source)
    scene_only = [("ShearX", m) for m in (0.16666667, -0.16666667, 0.3, -0.03)]
    scene_only += [("Rotate", m) for m in (30.0, -30.0, 26.666667, -10.0)]
    scene_only += [("Color", m) for m in (0.8, -0.8, 0.2, -0.4)]
    scene_only += [("Sharpness", m) for m in (0.7, -0.7, 0.9, -0.1)]
    scene_only += [("Posterize", float(m)) for m in (4, 5, 6, 7, 8)]
    scene_only += [("Solarize", m) for m in (28.333334, 113.33333, 141.66667, 255.0, 0.0)]
    scene_only += [("Invert", 0.0)]
    both = [("Contrast", m) for m in (0.8, -0.8)] + [("AutoContrast", 0.0), ("Equalize", 0.0)]
    cases = [("scene", *c) for c in scene_only + both] + [("dull", *c) for c in both]
    for source, operation, magnitude in cases:
        magnitude = float(np.float32(magnitude))
        image = _apply_op(Image.fromarray(sources[source]), operation, magnitude,
                          InterpolationMode.NEAREST, None)
        expected.add(f"{source}/{operation}/{magnitude!r}", np.asarray(image))
    expected.write()


def write_policies():
    """Two lines a sub-policy: operation, probability, magnitude with either sign."""
    policy = AutoAugment()
    space = policy._augmentation_space(10, (224, 224))
    lines = ["cleanclip-policies 1", VERSIONS]
    for pair in policy.policies:
        for operation, probability, index in pair:
            magnitudes, is_signed = space[operation]
            value = float(magnitudes[index].item()) if index is not None else 0.0
            lines.append(f"{operation} {probability} {-value if is_signed else value!r} {value!r}")
    (FOLDER / "policies.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write_decoded()
    write_resized()
    write_preprocessed()
    write_augmented()
    write_policies()
