"""What the tools draw on a terminal."""

import os
import pty
import re
import subprocess

import pytest
from workspace import TOOLS, TRAINING, environment

UNLEARN = [
    "cleanclip", "sanitize", "model.onnx", "--method", "unlearn", "--images", "images", "--tokenizer",
    "bpe.txt", "--threads", "1", "--persistence-steps", "2", "-o", "x.onnx"]
COMMANDS = {
    "unlearn": UNLEARN,
    "sanitize": ["cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1", "-o", "x.onnx"],
    "check": [
        "cleanclip", "check", "model", "model.onnx", "--images", "images", "--tokenizer", "bpe.txt",
        "--steps", "10", "--kinds", "patch", "--threads", "1"],
}


def on_terminal(arguments, folder):
    """Runs a tool whose standard error is a terminal; returns its exit code and what was drawn."""
    leader, follower = pty.openpty()
    tool, *rest = arguments
    process = subprocess.Popen(
        [str(TOOLS / tool), *rest], cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    drawn = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(leader)
    return process.wait(timeout=300), drawn.decode("utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_bars_are_drawn_to_their_end(name, folder):
    code, drawn = on_terminal(COMMANDS[name], folder)
    assert code in (0, 3, 4), drawn[-2000:]
    bars = re.findall(r"\r\x1b\[K(.*?) ([█·]+) (\S+)", drawn)
    assert bars and all(len(bar) == 24 for _, bar, _ in bars)
    assert "█" * 24 in bars[-1][1]


def test_unlearning_names_its_phases(folder):
    code, drawn = on_terminal(UNLEARN, folder)
    assert code in (0, 3, 4), drawn[-2000:]
    titles = [title for title, _, _ in re.findall(r"\r\x1b\[K(.*?) ([█·]+) (\S+)", drawn)]
    for phase in ("reading images", "choosing candidates", "searching for targets"):
        assert f"sanitize: {phase}" in titles
