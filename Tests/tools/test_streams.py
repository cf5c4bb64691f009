"""Standard streams that are closed or full, and arguments that are not text."""

import os
import shlex
import subprocess

import pytest
from workspace import TOOLS, TRAINING, environment, run

POISON = [
    "cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red",
    "--count", "4", "--image-size", "32", "-o", "x.tar"]
EMBED = ["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "x.npy"]
SANITIZE = ["cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1", "-o", "x.onnx"]
CHECK = [
    "cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--tokenizer", "bpe.txt",
    "--scores", "x.csv", "--report", "x.html"]
IMPORT = ["onnx-import", "model.onnx", "-o", "x.safetensors"]
COMMANDS = {"poison": POISON, "embed": EMBED, "sanitize": SANITIZE, "check": CHECK, "import": IMPORT}
WRITTEN = {"poison": ["x.tar"], "embed": ["x.npy"], "sanitize": ["x.onnx"],
           "check": ["x.csv", "x.html"], "import": ["x.safetensors"]}


def shell(arguments, redirection, folder):
    """Runs a tool in a shell, which can close descriptors."""
    line = shlex.join([str(TOOLS / arguments[0]), *arguments[1:]]) + " " + redirection
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment(), capture_output=True, text=True,
        timeout=300)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_standard_output_loses_no_file(name, folder):
    result = shell(COMMANDS[name], "> /dev/full", folder)
    assert result.returncode == 74
    assert "standard output: cannot write the result" in result.stderr
    assert "no space left on device" in result.stderr
    for path in WRITTEN[name]:
        assert (folder / path).stat().st_size > 0


@pytest.mark.parametrize("name", COMMANDS)
def test_a_broken_pipe_loses_no_file(name, folder):
    read, write = os.pipe()
    os.close(read)
    result = run(COMMANDS[name], folder, stdout=write)
    os.close(write)
    assert result.returncode == 74 and "broken pipe" in result.stderr
    for path in WRITTEN[name]:
        assert (folder / path).stat().st_size > 0


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_standard_output_is_found_before_the_work(name, folder):
    result = shell(COMMANDS[name], ">&-", folder)
    assert result.returncode == 74 and "standard output: is closed" in result.stderr
    assert not any((folder / path).exists() for path in WRITTEN[name])


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full", "<&- 2>&-"])
@pytest.mark.parametrize("name", COMMANDS)
def test_progress_never_ends_in_a_file(name, redirection, folder):
    assert run(COMMANDS[name], folder).returncode == 0
    expected = {path: (folder / path).read_bytes() for path in WRITTEN[name]}
    for path in WRITTEN[name]:
        (folder / path).unlink()
    assert shell(COMMANDS[name], redirection, folder).returncode == 0
    for path, content in expected.items():
        assert (folder / path).read_bytes() == content


def test_a_reader_of_progress_that_leaves_does_not_end_the_run(folder):
    read, write = os.pipe()
    os.close(read)
    result = run(SANITIZE, folder, stderr=write)
    os.close(write)
    assert result.returncode == 0 and (folder / "x.onnx").exists()


@pytest.mark.parametrize("tool", ["cleanclip", "onnx-import"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_cannot_be_written(tool, option, folder):
    assert shell([tool, option], "> /dev/full", folder).returncode == 74
    assert shell([tool, option], ">&-", folder).returncode == 74


@pytest.mark.parametrize("tool", ["cleanclip", "onnx-import"])
def test_arguments_that_are_not_text_are_refused(tool, folder):
    arguments = {"cleanclip": ["embed", "model.onnx", "--images", "images"],
                 "onnx-import": ["model.onnx"]}[tool]
    for name in (b"\xff.npy", b"\xfe.npy"):
        result = subprocess.run(
            [str(TOOLS / tool), *arguments, "-o", name], cwd=folder, env=environment(),
            capture_output=True, text=True)
        assert result.returncode == 64
        assert "is not UTF-8" in result.stderr
    assert not [name for name in os.listdir(os.fsencode(folder)) if name.endswith(b".npy")]


def test_a_file_size_limit_is_an_error(folder):
    line = "ulimit -f 8; exec " + shlex.join([str(TOOLS / SANITIZE[0]), *SANITIZE[1:], "--quiet"])
    result = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment(), capture_output=True, text=True)
    assert result.returncode == 74 and "file too large" in result.stderr
