"""One process with other libraries that bring their own OpenMP, BLAS and oneDNN."""

import importlib.util
import os
import subprocess
import sys

import pytest
from conftest import ROOT, TINY

WORK = f"""
import numpy as np
import cleanclip
model = cleanclip.create({TINY!r}, seed=1)
pixels = np.random.default_rng(0).random((4, 3, 32, 32), dtype=np.float32)
ours = model.encode_image(pixels)
ids = np.array([[516, 5, 517], [516, 9, 517]])
words = model.encode_text(ids)
import os, tempfile
path = os.path.join(tempfile.mkdtemp(), "a.onnx")
model.save(path)
cleanclip.load(path).save(path)
"""

OTHERS = {
    "torch": """
import torch
a = torch.randn(256, 256)
assert torch.isfinite(a @ a).all()
torch.nn.functional.conv2d(torch.randn(2, 3, 32, 32), torch.randn(8, 3, 3, 3))
""",
    "onnx": """
import os, sys
sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
import onnx
from onnx import TensorProto, helper
sys.setdlopenflags(os.RTLD_NOW)
value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [value], [
    helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
onnx.checker.check_model(helper.make_model(graph))
""",
    "onnxruntime": """
import onnxruntime
assert onnxruntime.get_available_providers()
""",
}

AGAIN = """
np.testing.assert_array_equal(model.encode_image(pixels), ours)
np.testing.assert_array_equal(model.encode_text(ids), words)
print("done")
"""


def run(code):
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python"))
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("done")


def needs(name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("name", OTHERS)
def test_imported_before(name):
    needs(name)
    run(OTHERS[name] + WORK + AGAIN)


@pytest.mark.parametrize("name", OTHERS)
def test_imported_after(name):
    needs(name)
    run(WORK + OTHERS[name] + AGAIN)


def test_onnxruntime_computes_what_the_library_computes(shared, tmp_path):
    """The graph that is written back runs elsewhere, with the same features."""
    needs("onnxruntime")
    import numpy as np
    import onnxruntime

    import cleanclip

    model = cleanclip.load(shared / "models/rn-badnets-bn.onnx")
    tensors = model.state_dict()
    random = np.random.default_rng(0)
    for name, values in tensors.items():
        if values.ndim > 1:
            values *= 1 + 0.05 * random.standard_normal(values.shape, dtype=np.float32)
    model.load_state_dict(tensors)
    model.save(tmp_path / "changed.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "changed.onnx"))
    inputs = random.standard_normal((2, 3, 64, 64), dtype=np.float32)
    ids = np.zeros((2, 77), np.int64)
    ids[:, :3] = [[49406, 320, 49407], [49406, 1929, 49407]]
    image, text = session.run(["image_features", "text_features"], {"image": inputs, "text": ids})
    np.testing.assert_allclose(model.encode_image(inputs, preprocess=False), image, atol=1e-4)
    np.testing.assert_allclose(model.encode_text(ids), text, atol=1e-4)


def test_torch_modules_are_accepted(model):
    needs("torch")
    import numpy as np
    import torch

    import cleanclip

    tensors = {name: torch.from_numpy(values) for name, values in model.state_dict().items()}

    class Module(torch.nn.Module):
        def state_dict(self, *arguments, **options):
            return dict(tensors, attn_mask=torch.zeros(3, 3))

    loaded = cleanclip.load(Module(), tokenizer=model.tokenizer, architecture=TINY)
    np.testing.assert_array_equal(loaded.state_dict()["ln_final.bias"], tensors["ln_final.bias"])
    tensors["ln_final.bias"] = torch.ones(24, dtype=torch.float64)
    model.load_state_dict(Module())
    assert (model.state_dict()["ln_final.bias"] == 1).all()
