"""Runs and checks that are to be resumed: what is said of a state that does not fit, or is not there."""

import signal

import pytest
from test_interruption import start
from workspace import TRAINING, run

SANITIZE = [
    "cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1", "-o", "x.onnx", "--quiet",
    "--state-directory", "state"]
UNLEARN = [
    "cleanclip", "sanitize", "model.onnx", "--method", "unlearn", "--images", "images", "--tokenizer",
    "bpe.txt", "--threads", "1", "--persistence-steps", "2", "-o", "x.onnx", "--state-directory", "state"]
CHECK_MODEL = [
    "cleanclip", "check", "model", "model.onnx", "--images", "images", "--classes", "classes.txt",
    "--tokenizer", "bpe.txt", "--steps", "3", "--kinds", "patch", "--threads", "1", "--quiet",
    "--state-directory", "state"]
CHECK_DATA = [
    "cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--tokenizer", "bpe.txt",
    "--quiet", "--state-directory", "state"]
WORK = {"method cleanclip": SANITIZE, "method unlearn": UNLEARN, "check model": CHECK_MODEL,
        "check data": CHECK_DATA}
USAGE, DATA = 64, 65


@pytest.mark.parametrize("first, second", [
    ("method cleanclip", "method unlearn"), ("method unlearn", "method cleanclip"),
    ("method cleanclip", "check model"), ("check data", "method unlearn"), ("check model", "check data")])
def test_the_state_of_other_work_is_refused(first, second, folder):
    assert run(WORK[first], folder).returncode in (0, 3, 4)
    result = run([*WORK[second], "--resume"], folder)
    assert result.returncode == USAGE and result.stdout == ""
    assert f"'state': has no state of {second}" in result.stderr and f"got that of {first}" in result.stderr
    assert "start without resume" in result.stderr


@pytest.mark.parametrize("work, option, before, now", [
    ("method cleanclip", "--seed", "0", "7"), ("method cleanclip", "--learning-rate", "1e-05", "0.001"),
    ("method cleanclip", "--memory-budget", "none", "8589934592"),
    ("method unlearn", "--seed", "0", "7"), ("method unlearn", "--max-accuracy-loss", "none", "5"),
    ("check model", "--seed", "0", "7"), ("check model", "--precision", "f32", "bf16"),
    ("check model", "--steps", "3", "4")])
def test_other_options_are_named_with_both_values(work, option, before, now, folder):
    assert run(WORK[work], folder).returncode in (0, 3, 4)
    result = run([*WORK[work], "--resume", option, now], folder)
    assert result.returncode == USAGE, result.stderr
    name = option[2:].replace("-", "_")
    assert f"{name}: expected {now}, got {before}" in result.stderr
    message = result.stderr.splitlines()[-1]
    assert "use the same options, or start without resume" in message
    # What follows from the option is not what differs.
    assert not any(name in message for name in ("images:", "classes:", "candidates:"))


def test_other_data_is_named(folder):
    assert run(CHECK_MODEL, folder).returncode == 0
    (folder / "classes.txt").write_text("red\ngreen\nblue\nbox\n")
    result = run([*CHECK_MODEL, "--resume"], folder)
    assert result.returncode == USAGE and "classes: expected " in result.stderr
    assert "use the same model, images and classes" in result.stderr


def test_what_may_be_otherwise_is_resumed(folder):
    assert run(SANITIZE, folder).returncode == 0
    result = run([*SANITIZE, "--resume", "--save-every", "3", "--history", "h.json"], folder)
    assert result.returncode == 0, result.stderr
    assert run(CHECK_DATA, folder) and run([*CHECK_DATA[:-1], "other"], folder).returncode == 0
    result = run(
        [*CHECK_DATA[:-1], "other", "--resume", "--seed", "5", "--assumed-poison-rate", "0.05"], folder)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("work, file", [
    ("method cleanclip", "training-state"), ("check model", "check-state"), ("check data", "pairs-000000")])
@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_what_to_do_about_a_truncated_state_is_said(work, file, kept, folder):
    assert run(WORK[work], folder).returncode == 0
    path = folder / f"state/{file}.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    result = run([*WORK[work], "--resume"], folder)
    assert result.returncode == DATA and result.stdout == ""
    assert file in result.stderr and result.stderr.rstrip().endswith("start without resume")


@pytest.mark.parametrize("command, line", [
    ([part for part in CHECK_MODEL if part != "--quiet"], "check model"), (UNLEARN, "sanitize")])
def test_nothing_is_said_to_be_saved_that_is_not(command, line, folder):
    command = ["100000" if part == "3" else part for part in command]
    process = start(command, folder)
    while not process.stderr.readline().startswith(line):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and output == ""
    assert "nothing is saved in 'state' yet, start again" in errors
    assert "--resume" not in errors
    assert not list((folder / "state").glob("*.safetensors"))


def test_what_was_there_before_is_not_what_was_saved(folder):
    assert run(SANITIZE, folder).returncode == 0
    assert run(CHECK_MODEL, folder).returncode == 0
    command = ["100000" if part == "3" else part for part in CHECK_MODEL if part != "--quiet"]
    process = start(command, folder)
    while not process.stderr.readline().startswith("check model"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "nothing is saved" in process.communicate(timeout=60)[1]
