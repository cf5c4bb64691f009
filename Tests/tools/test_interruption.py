"""Ctrl-C and kills."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from workspace import TOOLS, TRAINING, environment, run

LONG = ["--epochs", "100000", "--save-every", "1"]


def start(arguments, folder):
    return subprocess.Popen(
        [str(TOOLS / arguments[0]), *arguments[1:]], cwd=folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def wait_for(condition, process):
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("the tool did not start to work")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sanitize_ends_after_the_step_and_can_be_resumed(number, folder):
    command = [
        "cleanclip", "sanitize", "model.onnx", *TRAINING, *LONG, "--state-directory", "state",
        "--history", "history.json", "--report", "run.html", "-o", "clean.onnx"]
    process = start(command, folder)
    wait_for((folder / "state/training-state.safetensors").exists, process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and output == ""
    assert "CleanCLIP (run not completed)" in (folder / "run.html").read_text()
    assert "cancelled after step" in errors and "cleanclip: cleanclip" not in errors
    assert "--resume --state-directory state" in errors
    history = json.loads((folder / "history.json").read_text())
    assert history["completed"] is False and not (folder / "clean.onnx").exists()


def test_the_history_of_a_resumed_run_is_whole(folder):
    command = [
        "cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "4", "--quiet", "-o", "clean.onnx"]
    saving = [*command, "--save-every", "1", "--state-directory", "state", "--history"]
    assert run([*command, "--history", "whole.json"], folder).returncode == 0
    whole = json.loads((folder / "whole.json").read_text())
    process = start([*saving, "part.json"], folder)
    wait_for((folder / "state/training-state.safetensors").exists, process)
    process.kill()
    process.communicate()
    resumed = run([*saving, "resumed.json", "--resume"], folder)
    assert resumed.returncode == 0, resumed.stderr
    history = json.loads((folder / "resumed.json").read_text())
    assert [step["step"] for step in history["steps"]] == list(range(1, 33))
    assert history["steps"] == whole["steps"]


def test_embed_and_check_end_with_a_message(folder):
    (folder / "many.txt").write_text("a red box on a blue box\n" * 300_000)
    commands = [
        ["cleanclip", "embed", "model.onnx", "--texts", "many.txt", "--tokenizer", "bpe.txt",
         "-o", "x.npy"],
        ["cleanclip", "check", "model", "model.onnx", "--tokenizer", "bpe.txt", "--steps", "100000",
         "--no-nouns"],
    ]
    for command in commands:
        process = start(command, folder)
        # Progress is shown at once, and then every 15 seconds.
        first = process.stderr.readline()
        assert first, process.communicate()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert output == "" and "cancelled" in errors
    assert not (folder / "x.npy").exists()


KILLED = {
    "sanitize": [
        "cleanclip", "sanitize", "model.onnx", *TRAINING, *LONG, "--state-directory", "state",
        "-o", "clean.onnx"],
    "poison": [
        "cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red",
        "--count", "4", "--image-size", "512", "-o", "poisoned.csv", "--truth-path", "truth.csv"],
    "embed": ["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "x.npy"],
}


@pytest.mark.parametrize("name", KILLED)
def test_kills_leave_nothing_after_the_next_run(name, folder):
    drawn = random.Random(name)
    command = KILLED[name]
    before = {path.name for path in folder.iterdir()}
    for _ in range(int(os.environ.get("CLEANCLIP_KILLS", 10))):
        process = start(command, folder)
        time.sleep(drawn.uniform(0.01, 0.35))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    if name == "sanitize":
        command = [part if part != "100000" else "1" for part in command]
    result = run(command, folder)
    assert result.returncode == 0, result.stderr
    after = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    strays = [path for path in after if "cleanclip-" in path]
    assert not strays
    new = {path.name for path in folder.iterdir()} - before
    assert new == {
        "sanitize": {"state", "clean.onnx"},
        "poison": {"poisoned.csv", "poisoned-images", "truth.csv"},
        "embed": {"x.npy"},
    }[name]
