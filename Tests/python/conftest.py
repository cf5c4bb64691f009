"""What the tests share: a tiny model, its vocabulary, coloured images, the data beside the project."""

import os
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))
# PyTorch's waiting threads should leave the processor to those that compute.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import cleanclip  # noqa: E402

TINY = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 520, "width": 24, "heads": 2, "layers": 2},
}
COLOURS = {"red": (220, 20, 30), "green": (20, 220, 30), "blue": (20, 30, 220), "grey": (90, 90, 90)}


@pytest.fixture(scope="session")
def torch():
    """PyTorch, fit for libraries that import torchvision: its wheel is built for CUDA, and beside a
    PyTorch without it the operators that it describes must be declared."""
    torch = pytest.importorskip("torch")
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield torch
    del library


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory):
    """A vocabulary of 518 ids in OpenAI's form."""
    path = tmp_path_factory.mktemp("vocabulary") / "bpe.txt"
    path.write_text("#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n")
    return path


@pytest.fixture
def model(vocabulary):
    """An untrained model of 32 x 32 pixels and features of 16 numbers."""
    return cleanclip.create(TINY, seed=1, tokenizer=vocabulary)


def striped_image(index, size=(36, 40)):
    """A striped image of one of four colours, uint8 [H, W, 3], and its colour."""
    name = list(COLOURS)[index % 4]
    image = np.empty((*size, 3), dtype=np.uint8)
    image[:] = COLOURS[name]
    image[:, (np.arange(size[1]) + index) // 5 % 2 == 0] //= 2
    return image, name


def striped_pairs():
    """32 images with captions and labels."""
    result = []
    for index in range(32):
        image, name = striped_image(index)
        result.append((image, f"a {name} box", index % 4))
    return result


@pytest.fixture
def pairs():
    return striped_pairs()


@pytest.fixture(scope="session")
def shared():
    """The folder with real checkpoints and images; without it, its tests are skipped."""
    path = pathlib.Path(os.environ.get("CLEANCLIP_SHARED", ROOT.parent / "shared"))
    if not (path / "models").is_dir():
        pytest.skip(f"no checkpoints in {path}; set CLEANCLIP_SHARED to their folder")
    return path


def features_with_strangers(count=300, strangers=6, width=8, seed=1):
    """Features in which a few are far from all others, and which those are."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, width)).astype(np.float32)
    chosen = np.arange(strangers) * (count // strangers)
    features[chosen] *= 12
    return features, chosen


def noise(count):
    """Images of nothing, uint8 [32, 32, 3]."""
    return np.random.default_rng(4).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)
