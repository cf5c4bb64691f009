"""Preprocessing that lies beside models, against OpenCLIP's."""

import json
import shutil

import numpy as np
import pytest
from conftest import TINY

import cleanclip

SIZES = [(32, 32), (128, 32), (31, 97), (20, 50), (33, 32), (7, 200), (64, 48)]


@pytest.fixture(scope="module")
def open_clip(torch):
    return pytest.importorskip("open_clip")


def smooth(width, height):
    """An image of waves in each channel."""
    pil = pytest.importorskip("PIL.Image")
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 3 + c) * 90 + np.cos(y / 5 - c) * 37 + 128 for c in range(3)]
    return pil.fromarray(np.dstack(waves).astype(np.uint8))


@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_features_equal_those_of_open_clips_transform(
    open_clip, vocabulary, tmp_path, resize_mode, interpolation
):
    from open_clip.transform import image_transform

    preprocess = {
        "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4], "interpolation": interpolation,
        "resize_mode": resize_mode, "fill_color": 77,
    }
    cleanclip.create(TINY, seed=1).save(tmp_path / "a.safetensors")
    model = cleanclip.load(tmp_path / "a.safetensors", vocabulary, preprocessing=preprocess)
    transform = image_transform(
        32, is_train=False, mean=preprocess["mean"], std=preprocess["std"],
        resize_mode=resize_mode, interpolation=interpolation, fill_color=77)
    images = [smooth(*size) for size in SIZES]
    expected = np.stack([transform(image).numpy() for image in images])
    np.testing.assert_allclose(
        model.encode_image(images), model.encode_image(expected, preprocess=False), atol=1e-5)
    described = model.describe()
    assert described["resize_mode"] == resize_mode
    assert described["interpolation"] == interpolation
    assert described["preprocessing_source"] == "the options"


@pytest.mark.parametrize("name", ["b.onnx", "b.safetensors"])
def test_preprocessing_is_kept(vocabulary, tmp_path, name):
    config = {"model_cfg": TINY, "preprocess_cfg": {"resize_mode": "squash", "mean": [0, 0.5, 1]}}
    model = cleanclip.create(config, seed=1, tokenizer=vocabulary)
    model.save(tmp_path / name)
    again = cleanclip.load(tmp_path / name, vocabulary)
    image = smooth(90, 40)
    np.testing.assert_array_equal(again.encode_image([image]), model.encode_image([image]))
    # In the graph that it was loaded from, and in a second generation.
    again.save(tmp_path / f"again-{name}")
    third = cleanclip.load(tmp_path / f"again-{name}", vocabulary)
    assert third.describe()["resize_mode"] == "squash"
    assert third.describe()["image_mean"] == [0, 0.5, 1]


def test_every_caller_can_say_it(vocabulary, tmp_path):
    path = tmp_path / "a.onnx"
    cleanclip.create(TINY, seed=1).save(path)
    say = {"resize_mode": "longest"}
    file = tmp_path / "p.json"
    file.write_text(json.dumps(say))
    for preprocessing in (say, json.dumps(say), file, str(file)):
        model = cleanclip.load(path, vocabulary, preprocessing=preprocessing)
        assert model.describe()["resize_mode"] == "longest"
    with pytest.raises(cleanclip.UnsupportedError, match="resize_mode cannot be used"):
        cleanclip.load(path, preprocessing={"resize_mode": "stretch"})
    with pytest.raises(cleanclip.NotFoundError):
        cleanclip.load(path, preprocessing="missing.json")
    with pytest.raises(ValueError, match="expected it in architecture="):
        cleanclip.load({}, architecture="ViT-B-32", preprocessing=say)


def test_hugging_faces_processor_is_read(torch, tmp_path, vocabulary):
    transformers = pytest.importorskip("transformers")
    config = transformers.CLIPConfig(
        text_config={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "vocab_size": 520, "max_position_embeddings": 16},
        vision_config={"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
                       "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
        projection_dim=8)
    module = transformers.CLIPModel(config).eval()
    module.save_pretrained(tmp_path / "whole")
    module.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    text = transformers.CLIPTextModelWithProjection(config.text_config)
    text.save_pretrained(tmp_path / "text")
    vision = transformers.CLIPVisionModelWithProjection(config.vision_config)
    vision.save_pretrained(tmp_path / "vision")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    processor = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "resample": 2,
        "size": {"shortest_edge": 32}, "do_center_crop": True,
        "crop_size": {"height": 32, "width": 32}, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.1, 0.2, 0.3],
        "image_std": [0.5, 0.5, 0.5], "do_convert_rgb": True,
    }
    for folder in ("whole", "shards", "vision"):
        (tmp_path / folder / "preprocessor_config.json").write_text(json.dumps(processor))
    whole = cleanclip.load(tmp_path / "whole", vocabulary)
    assert whole.describe()["interpolation"] == "bilinear"
    np.testing.assert_allclose(whole.describe()["image_mean"], [0.1, 0.2, 0.3], atol=1e-6)
    shards = cleanclip.load(tmp_path / "shards", vocabulary)
    pixels = np.random.default_rng(0).random((2, 3, 32, 32), dtype=np.float32)
    np.testing.assert_array_equal(whole.encode_image(pixels), shards.encode_image(pixels))
    with torch.no_grad():
        inputs = (torch.from_numpy(pixels) - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / 0.5
        features = module.get_image_features(inputs)
        features = getattr(features, "pooler_output", features)
    np.testing.assert_allclose(
        whole.encode_image(pixels, normalize=False), features.numpy(), atol=2e-5)
    assert cleanclip.load(tmp_path / "text", vocabulary).image_size == 0
    only = cleanclip.load(tmp_path / "vision", vocabulary)
    assert only.context_length == 0 and only.describe()["interpolation"] == "bilinear"
    # And back: what is written is what transformers reads.
    whole.save(tmp_path / "out.safetensors")
    (tmp_path / "back").mkdir()
    whole.save(tmp_path / "back" / "model.safetensors")
    written = json.loads((tmp_path / "back" / "preprocessor_config.json").read_text())
    np.testing.assert_allclose(written["image_mean"], [0.1, 0.2, 0.3], atol=1e-6)
    assert written["resample"] == 2


def test_poisoned_images_get_their_size_as_the_model_has_it(tmp_path):
    pil = pytest.importorskip("PIL.Image")
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, :16, 0] = 255  # red beside what a center crop leaves

    def corner(preprocessing):
        cleanclip.poison(
            [(wide, "a thing")] * 4, "badnets", tmp_path / "set.csv", target="x", count=1,
            image_size=16, preprocessing=preprocessing, truth_path=tmp_path / "truth.csv")
        truth = (tmp_path / "truth.csv").read_text().splitlines()[1:]
        key = next(line.split(",")[0] for line in truth if line.split(",")[1] == "0")
        with pil.open(tmp_path / "set-images" / f"{key}.png") as image:
            result = image.convert("RGB").getpixel((0, 8))
        shutil.rmtree(tmp_path / "set-images")
        return result

    assert corner(None) == (0, 0, 0)
    assert corner({"resize_mode": "squash"}) == (255, 0, 0)
    (tmp_path / "preprocessing.json").write_text('{"resize_mode": "squash"}')
    assert corner(tmp_path / "preprocessing.json") == (255, 0, 0)
    with pytest.raises(cleanclip.UnsupportedError, match="resize_mode"):
        corner({"resize_mode": "stretch"})
