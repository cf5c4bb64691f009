"""Models: features, weights, files."""

import numpy as np
import pytest
from conftest import TINY, striped_image

import cleanclip


def test_sizes(model):
    assert (model.embed_dim, model.image_size, model.context_length, model.vocab_size) == (
        16, 32, 16, 520)
    assert model.logit_scale == pytest.approx(1 / 0.07, rel=1e-5)
    assert model.describe()["image_tower"]["patch_size"] == 8


def test_encode_image_takes_numbers_bytes_and_files(model, tmp_path):
    pixels = np.stack([striped_image(i, (32, 32))[0] for i in range(3)])
    from_bytes = model.encode_image(pixels)
    numbers = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / 255
    from_numbers = model.encode_image(numbers)
    assert from_bytes.shape == (3, 16) and from_bytes.dtype == np.float32
    np.testing.assert_allclose(from_bytes, from_numbers, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(from_bytes, axis=1), 1, atol=1e-5)

    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32).reshape(1, 3, 1, 1)
    deviation = np.array([0.26862954, 0.26130258, 0.27577711], np.float32).reshape(1, 3, 1, 1)
    own_input = model.encode_image((numbers - mean) / deviation, preprocess=False)
    np.testing.assert_allclose(from_bytes, own_input, atol=1e-5)

    cleanclip.poison([(pixels[0], "a red box")], "sig", tmp_path / "one.csv", target="red",
                     count=1, image_size=32)
    files = model.encode_image([tmp_path / "one-images/0000000.png"])
    assert files.shape == (1, 16)


def test_encode_image_accepts_views_that_are_not_contiguous(model):
    pixels = np.random.default_rng(0).random((2, 32, 32, 3), dtype=np.float32)
    view = pixels.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(
        model.encode_image(view), model.encode_image(np.ascontiguousarray(view)))


def test_encode_image_raw_features_are_not_normalised(model):
    image = np.stack([striped_image(0)[0]])
    raw = model.encode_image(image, normalize=False)
    unit = model.encode_image(image)
    np.testing.assert_allclose(raw / np.linalg.norm(raw), unit, atol=1e-5)
    assert abs(np.linalg.norm(raw) - 1) > 1e-3


def test_encode_image_batches_do_not_matter(model):
    images = np.stack([striped_image(i)[0] for i in range(7)])
    np.testing.assert_allclose(
        model.encode_image(images, batch_size=2), model.encode_image(images), atol=1e-6)


@pytest.mark.parametrize("shape", [(32, 32), (1, 4, 32, 32), (1, 1, 3, 32, 32)])
def test_encode_image_rejects_wrong_shapes(model, shape):
    with pytest.raises(ValueError, match=r"expected \[n, 3"):
        model.encode_image(np.zeros(shape, np.float32))


def test_encode_image_rejects_wrong_sizes_and_scales(model):
    with pytest.raises(cleanclip.ShapeError, match=r"expected \[1, 3, 32, 32\]"):
        model.encode_image(np.zeros((1, 3, 16, 16), np.float32))
    with pytest.raises(cleanclip.InvalidArgumentError, match="another scale"):
        model.encode_image(np.full((1, 3, 32, 32), 255, np.float32))
    with pytest.raises(ValueError, match="expected one of"):
        model.encode_image(np.zeros((1, 3, 32, 32), np.float32), precision="f16")


def test_encode_nothing(model):
    assert model.encode_image(np.zeros((0, 3, 32, 32), np.float32)).shape == (0, 16)
    assert model.encode_text([]).shape == (0, 16)


def test_encode_text_and_token_ids(model):
    texts = ["a red box", "blue", "", "日本語 🙂"]
    features = model.encode_text(texts)
    ids = model.tokenizer.encode(texts, model.context_length)
    assert ids.shape == (4, 16) and ids.dtype == np.int32
    np.testing.assert_array_equal(features, model.encode_text(ids))
    np.testing.assert_array_equal(features, model.encode_text(ids.astype(np.int64)))
    np.testing.assert_allclose(features[:1], model.encode_text("a red box"), atol=1e-6)
    with pytest.raises(cleanclip.InvalidArgumentError, match="out of range"):
        model.encode_text(np.array([[1, 520]]))
    with pytest.raises(ValueError, match="NUL"):
        model.encode_text(["a\0b"])
    with pytest.raises(ValueError, match="expected integers"):
        model.encode_text(np.zeros((2, 3)))


def test_long_texts_are_cut_with_their_end(model):
    ids = model.tokenizer.encode("box " * 100, 16)
    assert ids[0, -1] == model.tokenizer.vocab_size - 1


def test_state_dict_round_trip(model):
    tensors = model.state_dict()
    assert tensors["visual.conv1.weight"].shape == (32, 3, 8, 8)
    assert tensors["logit_scale"].shape == ()
    other = cleanclip.create(TINY, seed=2, tokenizer=model.tokenizer)
    assert not np.array_equal(other.encode_text("red"), model.encode_text("red"))
    other.load_state_dict(tensors)
    np.testing.assert_array_equal(other.encode_text("red"), model.encode_text("red"))


def test_load_state_dict_is_strict(model):
    tensors = model.state_dict()
    del tensors["ln_final.bias"]
    with pytest.raises(KeyError, match="ln_final.bias"):
        model.load_state_dict(tensors)
    model.load_state_dict(tensors, strict=False)
    tensors = model.state_dict()
    tensors["ln_final.bias"] = np.zeros(7, np.float32)
    with pytest.raises(ValueError, match=r"'ln_final.bias' \[7\], expected \[24\]"):
        model.load_state_dict(tensors)
    tensors = model.state_dict()
    tensors["ln_final.bias"][0] = np.nan
    with pytest.raises(cleanclip.CleanCLIPError, match="ln_final.bias"):
        model.load_state_dict(tensors)


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.onnx"])
def test_save_and_load(model, tmp_path, name):
    path = tmp_path / name
    image = np.stack([striped_image(1)[0]])
    before = model.encode_image(image)
    model.save(path)
    loaded = cleanclip.load(path, tokenizer=model.tokenizer)
    np.testing.assert_allclose(loaded.encode_image(image), before, atol=1e-5)
    np.testing.assert_allclose(
        loaded.encode_text("a red box"), model.encode_text("a red box"), atol=1e-5)
    assert loaded.logit_scale == pytest.approx(model.logit_scale, rel=1e-6)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_load_takes_a_state_dict(model, tmp_path):
    loaded = cleanclip.load(model.state_dict(), tokenizer=model.tokenizer, architecture=TINY)
    assert loaded.embed_dim == model.embed_dim
    np.testing.assert_array_equal(loaded.encode_text("red"), model.encode_text("red"))
    with pytest.raises(ValueError, match="expected architecture="):
        cleanclip.load(model.state_dict())
    assert loaded.state_dict().keys() == model.state_dict().keys()


def test_copies_are_independent(model):
    copy = model.copy()
    before = copy.encode_text("red")
    tensors = model.state_dict()
    tensors["ln_final.bias"] += 1
    model.load_state_dict(tensors)
    np.testing.assert_array_equal(copy.encode_text("red"), before)
    assert not np.array_equal(model.encode_text("red"), before)


def test_use_after_close_raises(model):
    model.close()
    model.close()
    with pytest.raises(ValueError, match="used after close"):
        model.embed_dim
    with cleanclip.create(TINY) as other:
        assert other.embed_dim == 16
    with pytest.raises(ValueError, match="used after close"):
        other.logit_scale


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        cleanclip.load(tmp_path / "no.onnx")
    assert isinstance(caught.value, cleanclip.CleanCLIPError)
    assert "no.onnx" in str(caught.value)
    (tmp_path / "broken.onnx").write_bytes(b"\x01 not an ONNX file")
    with pytest.raises(cleanclip.FormatError, match="broken.onnx"):
        cleanclip.load(tmp_path / "broken.onnx")
    with pytest.raises(FileNotFoundError, match="expected one of"):
        cleanclip.create("ViT-Z-1")


def test_golden_features(shared):
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file

    for name, golden in [("rn-badnets", "rn-badnets"), ("rn-badnets-bn", "rn-badnets"),
                         ("rn-clean", "rn-clean")]:
        expected = load_file(shared / f"models/{golden}-golden.safetensors")
        model = cleanclip.load(shared / f"models/{name}.onnx")
        np.testing.assert_allclose(
            model.encode_image(expected["pixels"]), expected["image_features"], atol=2e-5)
        np.testing.assert_allclose(
            model.encode_text(expected["input_ids"]), expected["text_features"], atol=2e-5)
        assert model.logit_scale == pytest.approx(float(expected["logit_scale"].item()), rel=1e-5)
