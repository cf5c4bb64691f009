"""Checkpoints that are bytes or file objects, not files."""

import gc
import io
import os

import numpy as np
import pytest
from conftest import ROOT, TINY

import cleanclip

CHECKPOINTS = ROOT / "Tests/Fixtures/checkpoints"
ONNX = CHECKPOINTS / "vit.onnx"


def same(model, other):
    mine, theirs = model.state_dict(), other.state_dict()
    assert list(mine) == list(theirs)
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_are_what_the_file_is(kind):
    model = cleanclip.load(kind(ONNX.read_bytes()))
    same(model, cleanclip.load(ONNX))
    assert "/proc" not in repr(model)


def test_a_file_object_is_read_from_where_it_stands(tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(b"header" + ONNX.read_bytes())
    with open(path, "rb") as file:
        file.seek(6)
        same(cleanclip.load(file), cleanclip.load(ONNX))


def test_safetensors_are_told_by_their_content():
    model = cleanclip.load(ONNX)
    same(cleanclip.load(model.to_bytes("safetensors")), model)


def test_new_weights_go_into_the_same_graph(tmp_path):
    model, of_file = cleanclip.load(ONNX.read_bytes()), cleanclip.load(ONNX)
    changed = {name: values + 1 for name, values in model.state_dict().items()}
    for one in (model, of_file):
        one.load_state_dict(changed)
    of_file.save(tmp_path / "changed.onnx")
    assert model.to_bytes() == (tmp_path / "changed.onnx").read_bytes()


def test_weights_in_files_of_their_own_are_not_lost(tmp_path):
    onnx = pytest.importorskip("onnx")
    onnx.save_model(
        onnx.load(str(ONNX)), str(tmp_path / "split.onnx"), save_as_external_data=True,
        location="weights.bin", size_threshold=64)
    model = cleanclip.load(tmp_path / "split.onnx")
    with pytest.raises(cleanclip.UnsupportedError, match="weights in files of their own"):
        model.to_bytes()
    same(cleanclip.load(model.to_bytes("safetensors")), model)
    with pytest.raises(cleanclip.NotFoundError, match="weights.bin"):
        cleanclip.load((tmp_path / "split.onnx").read_bytes())


def test_bytes_do_not_reach_open_files_of_the_process(tmp_path):
    onnx = pytest.importorskip("onnx")
    onnx.save_model(
        onnx.load(str(ONNX)), str(tmp_path / "split.onnx"), save_as_external_data=True,
        location="weights.bin", size_threshold=64)
    with open(tmp_path / "weights.bin", "rb") as secret:
        graph = onnx.load(str(tmp_path / "split.onnx"), load_external_data=False)
        for tensor in graph.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = str(secret.fileno())
        with pytest.raises(cleanclip.NotFoundError, match="expected weights inside a graph"):
            cleanclip.load(graph.SerializeToString())


def test_bytes_have_nothing_beside_them(tmp_path, monkeypatch):
    """What lies in the current folder belongs to other models."""
    monkeypatch.chdir(tmp_path)
    onnx = pytest.importorskip("onnx")
    onnx.save_model(
        onnx.load(str(ONNX)), "split.onnx", save_as_external_data=True, location="weights.bin",
        size_threshold=64)
    (tmp_path / "preprocessor_config.json").write_text('{"do_resize": true, "resample": 2}')
    (tmp_path / "<buffer>").write_bytes(b"other")
    assert cleanclip.load(ONNX.read_bytes()).describe()["interpolation"] == "bicubic"
    with pytest.raises(cleanclip.NotFoundError, match="in a file of its own"):
        cleanclip.load((tmp_path / "split.onnx").read_bytes())
    file = cleanclip.load(ONNX.read_bytes()).describe()["files"][0]
    assert file == {"path": "<buffer>", "bytes": ONNX.stat().st_size}


def test_towers_in_two_buffers(tmp_path):
    for tower in ("vision_cfg", "text_cfg"):
        part = {"embed_dim": TINY["embed_dim"], tower: TINY[tower]}
        cleanclip.create(part).save(tmp_path / f"{tower}.onnx")
    visual, textual = tmp_path / "vision_cfg.onnx", tmp_path / "text_cfg.onnx"
    model = cleanclip.load((visual.read_bytes(), textual))
    same(model, cleanclip.load((visual, textual)))
    with pytest.raises(cleanclip.UnsupportedError, match="expected one graph, got two"):
        model.to_bytes("onnx")
    same(cleanclip.load(model.to_bytes("safetensors")), model)


def test_preprocessing_goes_with_bytes():
    model = cleanclip.load(ONNX.read_bytes(), preprocessing={"resize_mode": "squash"})
    assert model.describe()["resize_mode"] == "squash"
    again = cleanclip.load(model.to_bytes("onnx"))
    assert again.describe()["resize_mode"] == "squash"


def test_memory_is_given_back():
    data = ONNX.read_bytes()
    cleanclip.load(data).close()
    before = descriptors()
    for _ in range(4):
        cleanclip.load(data).close()
        with pytest.raises(cleanclip.CleanCLIPError):
            cleanclip.load(data[:100])
    assert descriptors() == before


def test_errors_name_bytes_and_not_a_descriptor():
    with pytest.raises(cleanclip.FormatError, match="'<buffer>': is not an ONNX model") as caught:
        cleanclip.load(ONNX.read_bytes()[:3000])
    assert "/proc" not in str(caught.value)
    with pytest.raises(cleanclip.UnsupportedError, match="'<buffer>': is text"):
        cleanclip.load(io.BytesIO(b"not a model"))
    with pytest.raises(ValueError, match="expected the bytes of a checkpoint, got none"):
        cleanclip.load(b"")


def test_texts_are_no_checkpoints():
    with pytest.raises(TypeError, match="open it with 'rb'"):
        cleanclip.load(io.StringIO("text"))


def test_one_part_may_be_bytes_and_errors_name_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.onnx"):
        cleanclip.load((ONNX.read_bytes(), tmp_path / "missing.onnx"))


def test_other_forms_are_refused():
    with pytest.raises(ValueError, match="expected onnx or safetensors, got 'pt'"):
        cleanclip.load(ONNX).to_bytes("pt")
