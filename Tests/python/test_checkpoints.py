"""Checkpoints against the libraries that people use them with: ONNX Runtime, OpenCLIP, transformers."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import cleanclip
from conftest import ROOT

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(3)

from reference import change, largest_difference, unit  # noqa: E402

FIXTURES = ROOT / "Tests/Fixtures/checkpoints"
# Half precision rounds in every layer.
LOOSE = {"tr_fp16_converter_rn": 5e-3, "tr_fp16_export_vit_ts17": 5e-3}
# ONNX Runtime has no bfloat16 on the CPU.
NOT_RUN = {"tr_bf16_visual_dynamo18"}


def zoo_forms():
    folder = pathlib.Path(os.environ.get("CLEANCLIP_SHARED", ROOT.parent / "shared")) / "onnx-zoo"
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except OSError:
        return []
    return [
        pytest.param(folder / entry["file"], id=entry["name"])
        for entry in manifest["models"]
        if entry["expect"] == "import" and entry["name"] not in NOT_RUN
    ]


def fixtures():
    return [pytest.param(FIXTURES / name, id=name) for name in ("vit.onnx", "vit-merged.onnx", "hf-free-sizes.onnx")]


def skeleton(path):
    """The model without payloads of weights and without where they lie."""
    model = onnx.load(str(path), load_external_data=False)
    tensors = list(model.graph.initializer)
    for node in model.graph.node:
        tensors += [attribute.t for attribute in node.attribute if attribute.HasField("t")]
    for tensor in tensors:
        for field in ("raw_data", "float_data", "int32_data", "external_data"):
            tensor.ClearField(field)
    return model


@pytest.mark.parametrize("path", fixtures() + zoo_forms())
def test_onnxruntime_computes_what_the_library_computes(path):
    model = cleanclip.load(path)
    assert largest_difference(path, model) <= LOOSE.get(path.stem, 2e-5)


@pytest.mark.parametrize("path", fixtures() + zoo_forms())
def test_changed_weights_change_the_same_graph(path, tmp_path):
    model = cleanclip.load(path)
    shared = model.describe()["shared_tensors"]
    change(model)
    target = tmp_path / path.name
    model.save(target)
    assert largest_difference(target, model) <= LOOSE.get(path.stem, 2e-5)
    before, after = skeleton(path), skeleton(target)
    if shared == 0:
        assert before.SerializeToString() == after.SerializeToString()
    else:
        assert len(before.graph.node) == len(after.graph.node)
        assert before.graph.output == after.graph.output


@pytest.mark.parametrize("path", fixtures() + zoo_forms())
def test_a_fresh_graph_computes_the_same(path, tmp_path):
    model = cleanclip.load(path)
    if not (model.image_size and model.context_length):
        pytest.skip("one tower")
    model.save(tmp_path / "copy.safetensors")
    again = cleanclip.load(tmp_path / "copy.safetensors")
    again.save(tmp_path / "fresh.onnx")
    onnx.checker.check_model(str(tmp_path / "fresh.onnx"))
    assert largest_difference(tmp_path / "fresh.onnx", again) <= 2e-5


def free_sizes(tmp_path, change):
    """The graph of free sizes with a changed table of text positions."""
    model = onnx.load(str(FIXTURES / "hf-free-sizes.onnx"))
    table, = (tensor for tensor in model.graph.initializer
              if tensor.name.endswith("text_model.embeddings.position_embedding.weight"))
    table.CopyFrom(onnx.numpy_helper.from_array(
        change(onnx.numpy_helper.to_array(table)), table.name))
    path = tmp_path / "changed.onnx"
    onnx.save(model, str(path))
    return path


def test_a_free_length_is_that_of_the_whole_table(tmp_path):
    # Position ids 0 to 76 stay in the graph, where 60 positions are left.
    path = free_sizes(tmp_path, lambda table: table[:60])
    assert cleanclip.load(path).context_length == 60


def test_a_free_length_that_no_table_tells_is_refused(tmp_path):
    # 77 position ids read a part of 100 positions.
    path = free_sizes(tmp_path, lambda table: np.concatenate([table, table[:23]]))
    with pytest.raises(cleanclip.CleanCLIPError, match="context length free.*fixed sizes"):
        cleanclip.load(path)


def test_a_graph_under_hugging_face_names(tmp_path):
    model = cleanclip.load(FIXTURES / "vit.onnx")
    target = tmp_path / "named.onnx"
    result = subprocess.run(
        [ROOT / "build/bin/onnx-import", FIXTURES / "vit.onnx", "-o", target, "--names",
         "huggingface"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    onnx.checker.check_model(str(target))
    graph = onnx.load(str(target)).graph
    assert [value.name for value in graph.input] == ["pixel_values", "input_ids"]
    assert [value.name for value in graph.output] == [
        "logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]
    assert largest_difference(target, model) <= 2e-5


def test_external_data_is_rewritten_beside_the_new_file(tmp_path):
    source = tmp_path / "source.onnx"
    model = onnx.load(str(FIXTURES / "vit.onnx"))
    onnx.save_model(
        model, str(source), save_as_external_data=True, all_tensors_to_one_file=True,
        location="weights.bin", size_threshold=64)
    loaded = cleanclip.load(source)
    change(loaded)
    (tmp_path / "out").mkdir()
    loaded.save(tmp_path / "out/clean.onnx")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "clean.onnx", "clean.onnx.data"]
    (tmp_path / "weights.bin").unlink()
    assert largest_difference(tmp_path / "out/clean.onnx", loaded) <= 2e-5


def test_two_files_are_written_back_to_two_files(shared, tmp_path):
    zoo = shared / "onnx-zoo"
    paths = (
        zoo / "openclip_visual_quick_ts14_nofold.onnx",
        zoo / "openclip_textual_quick_ts14_nofold.onnx",
    )
    model = cleanclip.load(paths)
    change(model)
    targets = (tmp_path / "visual.onnx", tmp_path / "textual.onnx")
    model.save(targets)
    for target in targets:
        assert largest_difference(target, model) <= 2e-5
    with pytest.raises(cleanclip.CleanCLIPError):
        model.save(tmp_path / "one.onnx")


def test_transformers_computes_the_same_from_our_safetensors(torch, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = cleanclip.load(FIXTURES / "vit.onnx")
    model.save(tmp_path / "model.safetensors")
    theirs = transformers.CLIPModel.from_pretrained(tmp_path).eval()
    rng = np.random.default_rng(2)
    pixels = rng.standard_normal((2, 3, 16, 16)).astype(np.float32)
    ids = np.array([[38, 5, 39, 0, 0, 0], [38, 7, 8, 9, 2, 39]])
    with torch.no_grad():
        output = theirs(input_ids=torch.tensor(ids), pixel_values=torch.tensor(pixels))
    mine = model.encode_image(pixels, preprocess=False)
    assert np.abs(unit(output.image_embeds.numpy()) - mine).max() < 1e-5
    assert np.abs(unit(output.text_embeds.numpy()) - model.encode_text(ids)).max() < 1e-5
    again = cleanclip.load(theirs)
    assert np.abs(again.encode_text(ids) - model.encode_text(ids)).max() < 1e-6


def test_open_clip_computes_the_same_from_our_safetensors(torch, tmp_path):
    open_clip = pytest.importorskip("open_clip", exc_type=ImportError)
    model = cleanclip.load(FIXTURES / "vit.onnx")
    model.save(tmp_path / "open_clip_model.safetensors")
    theirs = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    rng = np.random.default_rng(2)
    pixels = rng.standard_normal((2, 3, 16, 16)).astype(np.float32)
    ids = np.array([[38, 5, 39, 0, 0, 0], [38, 7, 8, 9, 2, 39]])
    with torch.no_grad():
        images = theirs.encode_image(torch.tensor(pixels), normalize=True).numpy()
        texts = theirs.encode_text(torch.tensor(ids), normalize=True).numpy()
    assert np.abs(images - model.encode_image(pixels, preprocess=False)).max() < 1e-5
    assert np.abs(texts - model.encode_text(ids)).max() < 1e-5
    again = cleanclip.load(theirs)
    assert np.abs(again.encode_text(ids) - texts).max() < 1e-5


def test_loading_and_saving_hold_the_weights_once(tmp_path):
    architecture = {
        "embed_dim": 8,
        "vision_cfg": {
            "image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
        "text_cfg": {
            "context_length": 8, "vocab_size": 1_500_000, "width": 64, "heads": 2, "layers": 1},
    }
    weights = 1_500_000 * 64 * 4
    made = cleanclip.create(architecture, seed=1)
    made.save(tmp_path / "big.safetensors")
    made.save(tmp_path / "small.onnx")
    del made
    graph = onnx.load(str(tmp_path / "small.onnx"))
    onnx.save_model(
        graph, str(tmp_path / "big.onnx"), save_as_external_data=True, location="big.data")
    del graph
    program = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import cleanclip
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
base = peak()
model = cleanclip.load(sys.argv[2])
loaded = peak() - base
model.save(sys.argv[3])
print(loaded, peak() - base)
"""
    for source, target in (
        ("big.onnx", "back.onnx"), ("small.onnx", "again.onnx"),
        ("big.safetensors", "back.safetensors"),
    ):
        output = subprocess.run(
            [sys.executable, "-c", program, str(ROOT / "bindings/python"),
             str(tmp_path / source), str(tmp_path / target)],
            check=True, capture_output=True, text=True).stdout
        for peak in map(int, output.split()):
            assert peak <= 1.3 * weights, (source, output)
