"""Bad places for outputs are found before the work, and nothing is lost at the end of it."""

import pytest
from workspace import TRAINING, run

SANITIZE = ["cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1", "-o", "x.onnx"]
CHECK_DATA = [
    "cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--tokenizer", "bpe.txt"]
CHECK_MODEL = [
    "cleanclip", "check", "model", "model.onnx", "--tokenizer", "bpe.txt", "--steps", "2",
    "--image-limit", "16", "--no-nouns"]
POISON = [
    "cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red",
    "--count", "4", "--image-size", "32", "-o"]

# What takes a path, and the option it is given with.
OUTPUTS = {
    "sanitize --history": [*SANITIZE, "--history"],
    "sanitize --head-path": [*SANITIZE, "--method", "supervised", "--head-path"],
    "sanitize --output": [*SANITIZE[:-2], "-o"],
    "sanitize --state-directory": [*SANITIZE, "--state-directory"],
    "train --history": [
        "cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--epochs", "1",
        "-o", "x.onnx", "--history"],
    "check data --scores": [*CHECK_DATA, "--scores"],
    "check data --cleaned": [*CHECK_DATA, "--cleaned"],
    "check data --report": [*CHECK_DATA, "--report"],
    "check data --state-directory": [*CHECK_DATA, "--state-directory"],
    "check model --report": [*CHECK_MODEL, "--report"],
    "check model --triggers": [*CHECK_MODEL, "--triggers"],
    "check model --state-directory": [*CHECK_MODEL, "--state-directory"],
    "check input --bank": [
        "cleanclip", "check", "input", "model.onnx", "--images", "images", "--make-bank", "--bank"],
    "embed --output": ["cleanclip", "embed", "model.onnx", "--images", "images", "-o"],
    "poison --truth-path": [*POISON, "x.tar", "--truth-path"],
    "poison --truth-path of a table": [*POISON, "x.csv", "--truth-path"],
    "poison --output": POISON,
    "report --output": ["cleanclip", "report", "--model", "model.onnx", "-o"],
    "onnx-import --output": ["onnx-import", "model.onnx", "-o"],
}
SUFFIXES = {
    "sanitize --output": ".onnx", "onnx-import --output": ".safetensors", "poison --output": ".tar",
    "report --output": ".html", "check model --report": ".html", "check data --report": ".html"}


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("place", ["a missing folder", "a folder", "a file as folder", "a device"])
def test_bad_places_are_found_before_the_work(name, place, folder):
    suffix = SUFFIXES.get(name, "")
    path = {
        "a missing folder": "absent/deep/x" + suffix,
        "a folder": "images" + suffix,
        "a file as folder": "pairs.csv/x" + suffix,
        "a device": "/dev/full",
    }[place]
    if place == "a folder":
        if name.endswith(("--state-directory", "--triggers")):
            pytest.skip("a folder is the right place")
        if suffix:
            (folder / path).mkdir()
    if place == "a device" and suffix:
        pytest.skip("a device has no such ending")
    before = listing(folder)
    result = run([*OUTPUTS[name], path], folder)
    assert result.returncode == 74, result.stderr
    assert result.stdout == ""
    # No progress: the work had not begun.
    assert len(result.stderr.splitlines()) == 1
    assert listing(folder) == before


def test_poison_can_be_repeated(folder):
    for output in ("x.tar", "x.csv"):
        bad = run([*POISON, output, "--truth-path", "absent/truth.csv"], folder)
        assert bad.returncode == 74
        good = run([*POISON, output, "--truth-path", "truth.csv"], folder)
        assert good.returncode == 0, good.stderr


@pytest.mark.parametrize("first, second", [
    ("x", "x"), ("x", "./x"), ("images/../x", "x"), ("linked/x", "images/x"), ("link", "there"),
    ("hard", "there")])
def test_two_outputs_cannot_be_one_file(first, second, folder):
    (folder / "linked").symlink_to("images")
    (folder / "there").write_text("")
    (folder / "link").symlink_to("there")
    (folder / "hard").hardlink_to(folder / "there")
    result = run([*CHECK_DATA, "--scores", first, "--cleaned", second], folder)
    assert result.returncode == 64 and "two outputs" in result.stderr
    different = run([*CHECK_DATA, "--scores", "x", "--cleaned", "images/x", "--quiet"], folder)
    assert different.returncode == 0, different.stderr


@pytest.mark.parametrize("arguments", [
    [*SANITIZE, "--history", "./x.onnx"],
    [*SANITIZE, "--method", "supervised", "--head-path", "x.onnx"],
    ["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--epochs", "1", "-o", "x.onnx",
     "--history", "x.onnx"],
])
def test_one_file_is_not_two_outputs(arguments, folder):
    """The model would be lost under what is written after it."""
    result = run(arguments, folder)
    assert result.returncode == 64
    assert "is given for two outputs" in result.stderr
    assert not (folder / "x.onnx").exists()
