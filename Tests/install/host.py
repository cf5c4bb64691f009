"""What a host in Python needs of an installation: an image and a caption through a tiny model."""

import os
import sys
import tempfile

import numpy as np

import cleanclip

CONFIG = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}
model = cleanclip.create(CONFIG)
images = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
features = model.encode_image(list(images))
assert features.shape == (2, 16) and np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
assert model.encode_text(["a photo of a cat"]).shape == (1, 16)
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "tiny.onnx"))
    again = cleanclip.load(os.path.join(folder, "tiny.onnx"))
    assert np.allclose(again.encode_image(list(images)), features, atol=1e-5)
print("cleanclip", cleanclip.__version__, cleanclip.library_path, "Python", sys.version.split()[0])
