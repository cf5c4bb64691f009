"""Checkpoints that are bytes or file objects, not files."""

import gc
import io
import os

import numpy as np
import pytest
from conftest import ROOT

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
    with pytest.raises(ValueError, match="weights in files of their own"):
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
        with pytest.raises(cleanclip.FormatError, match="leaves the model's folder"):
            cleanclip.load(graph.SerializeToString())


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
    with pytest.raises(cleanclip.FormatError, match="'<bytes>': is not an ONNX model") as caught:
        cleanclip.load(ONNX.read_bytes()[:3000])
    assert "/proc" not in str(caught.value)
    with pytest.raises(cleanclip.CleanCLIPError, match="'<BytesIO>'"):
        cleanclip.load(io.BytesIO(b"not a model"))
    with pytest.raises(cleanclip.CleanCLIPError, match="'<bytes>'"):
        cleanclip.load(b"")


def test_texts_are_no_checkpoints():
    with pytest.raises(TypeError):
        cleanclip.load(io.StringIO("text"))


def test_one_part_may_be_bytes_and_errors_name_it(tmp_path):
    with pytest.raises(cleanclip.CleanCLIPError, match="missing.onnx"):
        cleanclip.load((ONNX.read_bytes(), tmp_path / "missing.onnx"))


def test_other_forms_are_refused():
    with pytest.raises(ValueError, match="expected onnx or safetensors, got 'pt'"):
        cleanclip.load(ONNX).to_bytes("pt")
