"""Images, texts and rows in the forms that programs have them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, TINY, striped_image

import cleanclip
from cleanclip import inputs


@pytest.fixture
def image():
    return striped_image(3)[0]


@pytest.fixture
def files(tmp_path):
    """The four striped images as PNG files."""
    pil = pytest.importorskip("PIL.Image")
    paths = []
    for index in range(4):
        path = tmp_path / f"{index}.png"
        pil.fromarray(striped_image(index)[0]).save(path)
        paths.append(path)
    return paths


def features_of(model, count=4):
    return np.concatenate([model.encode_image(striped_image(i)[0][None]) for i in range(count)])


# Images ------------------------------------------------------------------------------------------


def test_images_in_every_form_have_the_same_features(model, files):
    pil = pytest.importorskip("PIL.Image")
    arrays = [striped_image(i)[0] for i in range(4)]
    expected = features_of(model)
    forms = {
        "paths": files,
        "paths as text": [str(path) for path in files],
        "an array of paths": np.array([str(path) for path in files]),
        "bytes of files": [path.read_bytes() for path in files],
        "PIL images": [pil.open(path) for path in files],
        "PIL images with a palette": [pil.open(p).convert("P", palette=1) for p in files],
        "arrays": arrays,
        "a tuple of arrays": tuple(arrays),
        "a generator": (array for array in arrays),
        "numbers in 0 to 1": [array / 255 for array in arrays],
        "channels first": [array.transpose(2, 0, 1) for array in arrays],
        "opaque RGBA": [np.dstack([a, np.full(a.shape[:2], 255, np.uint8)]) for a in arrays],
        "different things": [files[0], arrays[1], files[2].read_bytes(), pil.open(files[3])],
        "an array of images": np.stack(arrays),
    }
    for name, form in forms.items():
        atol = 0.2 if "palette" in name else 1e-5
        np.testing.assert_allclose(model.encode_image(form), expected, atol=atol, err_msg=name)


def test_one_image_is_a_batch_of_one(model, files, image):
    pil = pytest.importorskip("PIL.Image")
    expected = features_of(model)[3:]
    for single in (image, files[3], str(files[3]), files[3].read_bytes(), pil.open(files[3])):
        np.testing.assert_allclose(model.encode_image(single), expected, atol=1e-5)
    square = striped_image(1, (32, 32))[0].transpose(2, 0, 1) / 255
    assert model.encode_image(square).shape == (1, 16)


def test_element_types_of_numbers_do_not_matter(model):
    pixels = np.stack([striped_image(i, (32, 32))[0].transpose(2, 0, 1) / 255 for i in range(3)])
    expected = model.encode_image(pixels.astype(np.float32))
    np.testing.assert_array_equal(model.encode_image(pixels), expected)
    np.testing.assert_allclose(model.encode_image(pixels.astype(np.float16)), expected, atol=2e-3)
    last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(model.encode_image(last), expected)
    with pytest.raises(TypeError, match="int64; expected float32 or uint8"):
        model.encode_image(np.zeros((1, 32, 32, 3), np.int64))


def test_tensors_are_images(model, torch):
    pixels = np.stack([striped_image(i, (32, 32))[0] for i in range(2)])
    expected = model.encode_image(pixels)
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    np.testing.assert_allclose(model.encode_image(tensor), expected, atol=1e-5)
    np.testing.assert_allclose(model.encode_image(tensor.double() / 255), expected, atol=1e-5)
    np.testing.assert_allclose(model.encode_image(list(tensor / 255)), expected, atol=1e-5)


def test_transparent_images_are_on_white():
    pil = pytest.importorskip("PIL.Image")
    clear = pil.new("RGBA", (4, 3), (0, 0, 0, 0))
    assert (inputs.image_data(clear) == 255).all()
    half = inputs.image_data(pil.new("RGBA", (4, 3), (100, 0, 0, 128)))
    assert half.shape == (3, 4, 3) and half[0, 0, 1] == 127


@pytest.mark.parametrize("wrong, words", [
    (np.zeros((5, 4, 6), np.uint8), r"expected \[height, width, 3\], got uint8 \[5, 4, 6\]"),
    (np.zeros((0, 4, 3), np.uint8), "expected"), (np.zeros((4, 4, 3), np.int32), "int32"),
    (np.full((4, 4, 3), 2.0), "another scale"), (np.full((4, 4, 3), np.nan), "another scale"),
])
def test_what_is_no_image_says_so(model, wrong, words):
    with pytest.raises((ValueError, TypeError), match=words):
        inputs.image_data(wrong)
    with pytest.raises(cleanclip.CleanCLIPError) as caught:
        model.encode_image([wrong])
    assert isinstance(caught.value.__cause__, (ValueError, TypeError))


def test_an_image_that_cannot_be_read_is_named(model, files):
    with pytest.raises(cleanclip.NotFoundError) as caught:
        model.encode_image([files[0], "missing.png"])
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(cleanclip.FormatError, match="pair 1"):
        model.encode_image([files[0].read_bytes(), b"no image"])


# Texts -------------------------------------------------------------------------------------------


def test_texts_in_every_form_have_the_same_features(model):
    texts = ["a red box", "blue"]
    expected = model.encode_text(texts)
    for form in (tuple(texts), np.array(texts), np.array(texts, object), (t for t in texts)):
        np.testing.assert_array_equal(model.encode_text(form), expected)
    np.testing.assert_allclose(model.encode_text(np.str_("blue")), expected[1:], atol=1e-6)
    with pytest.raises(TypeError, match=r"texts\[1\]: expected str, got int"):
        model.encode_text(["a", 3])
    with pytest.raises(TypeError, match="expected str or several, got bytes"):
        inputs.texts(b"a", "classes")


def test_names_come_from_a_file_or_a_list(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes("\ufeffred\r\ngreen \nred\n\n".encode())
    assert inputs.lines(path, "classes") == ["red", "green", "red"]
    assert inputs.lines(str(path), "classes") == ["red", "green", "red"]
    assert inputs.lines(np.array(["a", "b"]), "classes") == ["a", "b"]
    path.write_text("red\n\ngreen\n")
    with pytest.raises(ValueError, match="line 2 of .* is blank"):
        inputs.lines(path, "classes")
    path.write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        inputs.lines(path, "classes")
    with pytest.raises(FileNotFoundError):
        inputs.lines(tmp_path / "missing.txt", "classes")


# Datasets ----------------------------------------------------------------------------------------


def accuracy(model, data):
    classes = ["red", "green", "blue", "grey"]
    return cleanclip.evaluate(model, data, classes)["clean_accuracy"]


def test_rows_in_every_form_give_the_same_result(model, pairs, tmp_path, torch):
    pil = pytest.importorskip("PIL.Image")
    expected = accuracy(model, pairs)
    rows = [{"image": i, "text": c, "label": n} for i, c, n in pairs]

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return len(pairs)

        def __getitem__(self, index):
            image, _, label = pairs[index]
            return pil.fromarray(image), label

    class Frame:
        """What is used of a DataFrame."""

        columns, iloc = ["image", "caption", "label"], None

        def to_dict(self, orient):
            assert orient == "records"
            return [{"image": i, "caption": c, "label": n} for i, c, n in pairs]

    forms = {
        "mappings": rows,
        "a generator": (pair for pair in pairs),
        "image and label": [(image, label) for image, _, label in pairs],
        "image and label as a tensor": [(i, torch.tensor(n)) for i, _, n in pairs],
        "a PyTorch dataset": Rows(),
        "a DataLoader": torch.utils.data.DataLoader(Rows(), batch_size=8, num_workers=2),
        "a DataFrame": Frame(),
        "several captions": [(i, [c, "another"], n) for i, c, n in pairs],
    }
    for name, form in forms.items():
        assert accuracy(model, form) == expected, name


def test_images_alone_are_rows(model, pairs):
    images = [image for image, _, _ in pairs]
    for form in (images, np.stack(images), [(image, None) for image in images]):
        result = cleanclip.check_model(
            model, form, image_limit=16, steps=1, batch_size=4, nouns=False, class_searches=0)
        assert result.verdict


def test_image_files_and_patterns_are_datasets(model, files):
    assert len(cleanclip.Dataset(files)) == 4
    assert len(cleanclip.Dataset(str(files[0].parent / "*.png"))) == 4
    mixed = cleanclip.Dataset([files[0], files[0].parent])
    assert len(mixed) == 5
    extra = files[0].parent / "no-ending"
    extra.write_bytes(files[1].read_bytes())
    assert len(cleanclip.Dataset([extra])) == 1
    (files[0].parent / "a.pdf").write_bytes(b"%PDF-1.4")
    with pytest.raises(cleanclip.UnsupportedError, match="a folder or a JPEG"):
        cleanclip.Dataset(files[0].parent / "a.pdf")


def test_metadata_of_an_image_folder(files):
    import json

    folder = files[0].parent
    rows = [
        {"file_name": "0.png", "text": "a red box"},
        {"file_name": "./1.png", "text": "zwölf \u2028 Boxen", "label": 3},
    ]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    dataset = cleanclip.Dataset(folder)
    assert len(dataset) == 4  # two rows, and two images that the metadata do not name
    assert dataset.describe()["has_captions"]
    assert len(cleanclip.Dataset(folder / "metadata.jsonl")) == 2
    (folder / "metadata.jsonl").write_text('{"file": "0.png"}\n')
    with pytest.raises(cleanclip.NotFoundError, match="no member 'image'"):
        cleanclip.Dataset(folder / "metadata.jsonl")
    (folder / "metadata.jsonl").write_text('{"file_name": "0.png"}\nno json\n[1]\n')
    broken = cleanclip.Dataset(folder / "metadata.jsonl")
    assert len(broken) == 3


def test_what_is_no_row_says_so(model, pairs):
    for item, words in [
        ({"picture": pairs[0][0]}, "no image; expected a member 'image'"),
        ((pairs[0][0], 3.5), "expected str, got float"), ((1, 2, 3, 4), "got 4 values"),
    ]:
        with pytest.raises((ValueError, TypeError), match=words):
            inputs.row(item)
    with pytest.raises(TypeError, match="got int"):
        cleanclip.evaluate(model, 3, ["red"])


def test_the_first_exception_is_the_cause(model, pairs):
    class Broken:
        def __len__(self):
            return len(pairs)

        def __getitem__(self, index):
            if index > 0:
                raise KeyError(f"row {index} is not there\nsecond line")
            return pairs[0]

    with pytest.raises(cleanclip.CleanCLIPError) as caught:
        cleanclip.sanitize(model, Broken(), epochs=1, batch_size=8)
    assert isinstance(caught.value.__cause__, KeyError)
    assert "cannot be handed over; expected a pair from the callback, got KeyError" in str(caught.value)
    # It is not the cause of the next failure.
    with pytest.raises(cleanclip.CleanCLIPError) as other:
        cleanclip.load("missing.onnx")
    assert other.value.__cause__ is None


def test_a_dataset_may_be_used_in_its_own_callback(model, pairs):
    class Curious:
        dataset = None

        def __len__(self):
            return len(pairs)

        def __getitem__(self, index):
            if self.dataset is not None and index == 1:
                self.seen = (len(self.dataset), self.dataset.describe()["rows"])
                with pytest.raises(cleanclip.CleanCLIPError, match="inside its own callback"):
                    accuracy(model, self.dataset)
            return pairs[index]

    rows = Curious()
    rows.dataset = cleanclip.Dataset.from_pairs(rows)
    assert accuracy(model, rows.dataset) == accuracy(model, pairs)
    assert rows.seen == (len(pairs), len(pairs))


# Ctrl-C ------------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import cleanclip
# A shell starts what runs in its background with the signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
model = cleanclip.create({architecture!r}, seed=1)
def interrupt():
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
{prepare}
threading.Thread(target=interrupt, daemon=True).start()
start = time.time()
try:
    while True:
        {work}
except KeyboardInterrupt:
    print("interrupted", time.time() - start < 5)
"""


@pytest.mark.parametrize("prepare, work", [
    ("x = np.zeros((4000, 3, 32, 32), np.float32)", "model.encode_image(x)"),
    ("x = [np.zeros((32, 32, 3), np.uint8)] * 4000", "model.encode_image(x)"),
    ("import tempfile; p = tempfile.mkdtemp() + '/a.safetensors'", "model.save(p)"),
    ("import tempfile; p = tempfile.mkdtemp() + '/a.onnx'; model.save(p)", "cleanclip.load(p)"),
    ("x = np.zeros((32, 32, 3), np.uint8)",
     "cleanclip.check_model(model, [x] * 64, steps=50, batch_size=4, nouns=False)"),
    ("x = [(np.full((32, 32, 3), i % 255, np.uint8), 'a') for i in range(4000)]",
     "cleanclip.check_data(model, x)"),
])
def test_ctrl_c_ends_every_long_call(prepare, work):
    code = INTERRUPTED.format(architecture=TINY, prepare=prepare, work=work)
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python"))
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert result.stdout.split() == ["interrupted", "True"], result.stdout + result.stderr


def test_a_check_takes_the_path_of_class_names(model, pairs, tmp_path, monkeypatch):
    """A text file is read, not taken apart into letters."""
    from cleanclip import _capi

    seen = []
    real = _capi.check_model

    def spy(handle, options, *rest):
        given = options._obj
        seen.append([given.classes[i].decode() for i in range(given.class_count)])
        seen.append([given.templates[i].decode() for i in range(given.template_count)])
        return real(handle, options, *rest)

    monkeypatch.setattr(_capi, "check_model", spy)
    (tmp_path / "classes.txt").write_text("red\ngreen\nblue\ngrey\n")
    (tmp_path / "templates.txt").write_text("a photo of a {}\n")
    cleanclip.check_model(
        model, [image for image, _, _ in pairs], classes=tmp_path / "classes.txt",
        templates=str(tmp_path / "templates.txt"), image_limit=16, steps=2, batch_size=4,
        nouns=False, class_searches=0)
    assert seen == [["red", "green", "blue", "grey"], ["a photo of a {}"]]
