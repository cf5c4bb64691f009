"""A folder with what the tools need: images, tables, a vocabulary, a tiny trained model."""

import os
import pathlib
import struct
import subprocess
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get("CLEANCLIP_TOOLS", ROOT / "build/bin"))
COLOURS = {"red": (220, 20, 30), "green": (20, 220, 30), "blue": (20, 30, 220), "grey": (90, 90, 90)}
PAIRS = 64

TINY = """{
  "embed_dim": 16,
  "quick_gelu": true,
  "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
  "text_cfg": {"context_length": 16, "vocab_size": 520, "width": 24, "heads": 2, "layers": 2}
}
"""
TRAINING = [
    "--data", "pairs.csv", "--tokenizer", "bpe.txt", "--batch-size", "8", "--precision", "f32",
    "--threads", "1"]


def environment():
    """The environment of the tools, the same on every machine."""
    return dict(os.environ, COLUMNS="80", LC_ALL="C.UTF-8")


def run(arguments, folder, **options):
    """Runs a tool to its end; the result has text of both streams unless they were redirected."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 300,
               "env": environment()} | options
    tool, *rest = arguments
    return subprocess.run(
        [str(TOOLS / tool), *rest], cwd=folder, text=True, stdin=subprocess.DEVNULL, **options)


def array(path, rows):
    """Writes a NumPy file of 64-bit numbers."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    numbers = [number for row in rows for number in row]
    path.write_bytes(
        b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
        + struct.pack(f"<{len(numbers)}d", *numbers))


def png(width, height, pixel):
    """A PNG file whose pixel at x, y is pixel(x, y)."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def make(folder):
    """Fills a folder; the model is trained by the tool itself."""
    (folder / "images").mkdir()
    pairs, labels = ["image,caption,label"], ["image,label"]
    for index in range(PAIRS):
        name = list(COLOURS)[index % 4]
        colour = COLOURS[name]
        dark = tuple(channel // 2 for channel in colour)
        path = f"images/{index:02}.png"
        (folder / path).write_bytes(
            png(40, 36, lambda x, y: dark if (x + index) // (3 + index // 6) % 2 else colour))
        pairs.append(f"{path},a {name} box,{index % 4}")
        labels.append(f"{path},{index % 4}")
    (folder / "pairs.csv").write_text("\n".join(pairs) + "\n")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    (folder / "classes.txt").write_text("".join(name + "\n" for name in COLOURS))
    (folder / "texts.txt").write_text("a red box\na blue box\n")
    (folder / "trigger.png").write_bytes(png(6, 6, lambda x, y: (255 * ((x + y) % 2),) * 3))
    (folder / "bpe.txt").write_text("#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n")
    (folder / "tiny.json").write_text(TINY)
    for output in ("model.onnx", "model.safetensors"):
        result = run(
            ["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--epochs", "1",
             "-o", output], folder)
        assert result.returncode == 0, result.stderr
