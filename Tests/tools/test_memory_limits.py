"""Limits of the address space: a result, or an error that says so; no crash, and no end that is waited for."""

import shlex
import subprocess

import pytest
from workspace import TOOLS, environment

COMMANDS = {
    "embed": ["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "x.npy", "--quiet"],
    "sanitize": [
        "cleanclip", "sanitize", "model.onnx", "--data", "pairs.csv", "--tokenizer", "bpe.txt",
        "--epochs", "1", "--batch-size", "8", "--precision", "f32", "-o", "x.onnx", "--quiet"],
}
OUT_OF_MEMORY = 71
#: MiB, from which on such small work has a result.
ENOUGH = 1500


@pytest.mark.parametrize("mebibytes", [170, 190, 210, 240, 270, 300, 340, 380, 420, 500, 600, 700, ENOUGH])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_limit_of_the_address_space_is_an_error(name, mebibytes, folder):
    tool, *rest = COMMANDS[name]
    line = shlex.join([str(TOOLS / tool), *rest, "--threads", "2"])
    result = subprocess.run(
        ["bash", "-c", f"ulimit -v {mebibytes * 1024}; exec {line}"], cwd=folder,
        env=environment() | {"OPENBLAS_NUM_THREADS": "2"}, capture_output=True, text=True, timeout=60)
    if result.returncode == OUT_OF_MEMORY and mebibytes < ENOUGH:
        assert "address space" in result.stderr
    else:
        assert result.returncode == 0, result.stderr
