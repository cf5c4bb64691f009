"""One exit code for one kind of failure, in both tools, with a message on standard error only."""

import re

import pytest
from workspace import ROOT, TRAINING, run

FAILURE, USAGE, DATA, MISSING, IO = 1, 64, 65, 66, 74

FAILURES = [
    (["cleanclip", "inspect", "absent.onnx"], MISSING),
    (["onnx-import", "absent.onnx", "-o", "x.safetensors"], MISSING),
    (["cleanclip", "inspect", "pairs.csv"], DATA),
    (["onnx-import", "pairs.csv", "-o", "x.safetensors"], DATA),
    (["cleanclip", "inspect"], USAGE),
    (["cleanclip", "unknown"], USAGE),
    (["onnx-import", "model.onnx"], USAGE),
    (["onnx-import", "model.onnx", "-o", "x.pt"], USAGE),
    (["onnx-import", "model.onnx", "-o", "x.safetensors", "--tolerance", "0.1"], USAGE),
    (["cleanclip", "embed", "model.onnx", "--texts", "absent.txt", "-o", "x.npy"], MISSING),
    (["cleanclip", "embed", "model.onnx", "-o", "x.npy"], USAGE),
    (["cleanclip", "check", "model", "model.onnx", "--templates", "texts.txt"], USAGE),
    (["cleanclip", "check", "input", "model.onnx", "--images", "images", "--bank", "b.safetensors",
      "--classes", "classes.txt"], USAGE),
    (["cleanclip", "check", "input", "model.onnx", "--images", "images", "--bank", "b.safetensors",
      "--make-bank", "--gate"], USAGE),
    (["cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt",
      "--fixed"], USAGE),
    (["cleanclip", "sanitize", "model.onnx", *TRAINING, "--resume", "-o", "x.onnx"], USAGE),
    (["onnx-import", "model.onnx", "-o", "absent/x.safetensors"], IO),
    (["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "absent/x.npy"], IO),
]


@pytest.mark.parametrize("arguments, code", FAILURES, ids=lambda value: str(value)[:60])
def test_failures(arguments, code, shared_folder):
    result = run(arguments, shared_folder)
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith((arguments[0] + ": ", "Error: "))
    assert not list(shared_folder.glob("x.*"))


def test_features_that_differ_are_a_failure(folder):
    assert run(["onnx-import", "model.onnx", "-o", "x.safetensors"], folder).returncode == 0
    # The temperature of a checkpoint is the logarithm of what a file of features has.
    result = run(
        ["onnx-import", "model.onnx", "-o", "y.safetensors", "--verify", "x.safetensors"], folder)
    assert result.returncode == FAILURE and "features differ" in result.stderr
    assert result.stdout.splitlines()[-1].startswith("logit scale: largest difference")
    assert (folder / "y.safetensors").is_file()


def test_gate(folder):
    def check(*more):
        return run(
            ["cleanclip", "check", "input", "model.onnx", "--images", "images", "--bank",
             "bank.safetensors", *more], folder)

    assert check("--make-bank").returncode == 0
    assert check("--false-alarm-rate", "0.1").returncode == 0
    # Images that the bank has never seen.
    for path in (folder / "images").glob("*.png"):
        path.write_bytes((folder / "trigger.png").read_bytes())
    result = check("--false-alarm-rate", "0.1", "--gate")
    assert result.returncode == 3 and "TRIGGER" in result.stdout


def test_gate_fails_on_what_could_not_be_read(folder):
    images = [
        "cleanclip", "check", "input", "model.onnx", "--images", "images", "--bank",
        "bank.safetensors"]

    def check(*more):
        return run([*images, "--false-alarm-rate", "0.1", "--gate", *more], folder)

    assert run([*images, "--make-bank"], folder).returncode == 0
    assert check().returncode == 0
    (folder / "images/00.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    result = check()
    assert result.returncode == 3 and "TRIGGER" not in result.stdout
    assert "Not judged: " in result.stdout and "unreadable rows" in result.stderr
    assert check("--allow-unread", "1").returncode == 0
    assert check("--allow-unread", "-1").returncode == USAGE


def test_terminals_get_no_control_characters(folder):
    name = "\x1b[2J\n.png"
    (folder / "images" / name).write_bytes((folder / "images/00.png").read_bytes())
    (folder / "odd.csv").write_text(f'image,caption\n"images/{name}","a \x1b]0;box"\n' + "".join(
        f"images/{index:02}.png,a box\n" for index in range(20)))
    result = run(
        ["cleanclip", "check", "data", "model.onnx", "--data", "odd.csv", "--cleaned", "c.txt",
         "--scores", "s.csv", "--report", "r.html", "--threads", "1"], folder)
    assert result.returncode == 0, result.stderr
    written = [result.stdout, result.stderr]
    written += [(folder / name).read_text() for name in ("c.txt", "s.csv", "r.html")]
    assert not any("\x1b" in text for text in written)
    assert (folder / "c.txt").read_text().count("\n") <= 21
    kept = run(
        ["cleanclip", "poison", "--data", "odd.csv", "--keep", "c.txt", "--trigger", "trigger.png",
         "--target", "red", "--count", "1", "--image-size", "32", "-o", "p.tar", "--quiet"], folder)
    assert kept.returncode == 0, kept.stderr


def test_help_lists_the_codes(shared_folder):
    for tool in ("cleanclip", "onnx-import"):
        text = " ".join(run([tool, "--help"], shared_folder).stdout.split())
        codes = re.search(r"Exit codes: (.*?)\.", text).group(1)
        assert [int(part.split()[0]) for part in codes.split(", ") if part[0].isdigit()] == [
            0, 1, 3, 4, 64, 65, 66, 70, 71, 74, 130]


def test_one_version(shared_folder):
    header = (ROOT / "include/cleanclip/version.h").read_text()
    numbers = [re.search(rf"CLEANCLIP_VERSION_{part} (\d+)", header).group(1)
               for part in ("MAJOR", "MINOR", "PATCH")]
    version = ".".join(numbers)
    assert f'CLEANCLIP_VERSION_STRING "{version}"' in header
    for tool in ("cleanclip", "onnx-import"):
        assert run([tool, "--version"], shared_folder).stdout == version + "\n"
    assert (ROOT / "VERSION").read_text() == version + "\n"
    project = (ROOT / "bindings/python/pyproject.toml").read_text()
    assert re.search(r"^dynamic = \[.*\"version\".*\]", project, re.M)
    exports = (ROOT / "Sources/CleanCLIPC/link/exports.map").read_text()
    assert f"CLEANCLIP_{'.'.join(numbers[:2])}" in exports
    graph = (shared_folder / "model.onnx").read_bytes()
    assert b"cleanclip" in graph[:64] and version.encode() in graph[:64]
