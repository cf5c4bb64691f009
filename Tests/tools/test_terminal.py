"""What the tools draw on a terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

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


def on_terminal(arguments, folder, columns=0):
    """Runs a tool whose standard error is a terminal; returns its exit code and what was drawn."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
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


@pytest.mark.parametrize("columns", [80, 40, 20])
@pytest.mark.parametrize("name", COMMANDS)
def test_bars_are_no_wider_than_the_terminal(name, columns, folder):
    code, drawn = on_terminal(COMMANDS[name], folder, columns)
    assert code in (0, 3, 4), drawn[-2000:]
    lines = re.findall(r"\r\x1b\[K([^\r\n]*)", drawn)
    assert lines and max(map(len, lines)) < columns
    # What it is about stays, and how far it is where there is room.
    assert all(re.match(r"[a-z]{4}", line) for line in lines)
    if columns >= 40:
        assert all(re.search(r" \d+(/\d+)? ", line) for line in lines), lines


def test_phases_go_on_where_a_run_was_interrupted(folder):
    run_whole = [*UNLEARN, "--state-directory", "state", "--triggers", "blended", "--save-every", "1"]
    code, drawn = on_terminal(run_whole, folder)
    assert code in (0, 3, 4) and "unlearning, round" in drawn and "testing whether" in drawn
    code, drawn = on_terminal([*run_whole, "--resume"], folder)
    assert code in (0, 3, 4), drawn[-2000:]
    # All was done: neither training nor the test of persistence is repeated.
    assert "unlearning, round" not in drawn and "testing whether it comes back" not in drawn
