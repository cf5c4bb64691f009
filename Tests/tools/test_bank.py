"""Banks of clean images: of one model, without doubles, told to machines too."""

import json
import os

import pytest
from workspace import TRAINING, run

BANK = ["--images", "images", "--bank", "bank.safetensors"]


def check(folder, *more, model="model.onnx", code=0):
    result = run(["cleanclip", "check", "input", model, *BANK, "--quiet", *more], folder)
    assert result.returncode == code, (result.stdout, result.stderr)
    return result


def test_a_bank_is_of_one_model(folder):
    check(folder, "--make-bank")
    # The same weights in another file are the same model.
    check(folder, "--false-alarm-rate", "0.1", model="model.safetensors")
    result = run(["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--epochs", "1", "--seed", "5",
                  "-o", "other.onnx", "--quiet"], folder)
    assert result.returncode == 0, result.stderr
    before = (folder / "bank.safetensors").read_bytes()
    for more in (["--false-alarm-rate", "0.1"], ["--extend-bank"]):
        message = check(folder, *more, model="other.onnx", code=64).stderr
        assert "'bank.safetensors': is of another model" in message and "make the bank with this model" in message
    assert (folder / "bank.safetensors").read_bytes() == before


def test_an_image_is_in_a_bank_once(folder):
    made = check(folder, "--make-bank").stdout
    assert "64 clean images" in made and "enough for a --false-alarm-rate of 0.0154 and more" in made
    assert "64 clean images, 0 of them new; 64 of those given were there already" in check(
        folder, "--extend-bank").stdout
    (folder / "images/more.png").write_bytes((folder / "trigger.png").read_bytes())
    told = json.loads(check(folder, "--extend-bank", "--json").stdout)
    assert (told["bank_images"], told["new"], told["known"]) == (65, 1, 64)
    assert told["smallest_false_alarm_rate"] == pytest.approx(1 / 66)
    made = json.loads(check(folder, "--make-bank", "--json").stdout)
    assert (made["bank_images"], made["new"], made["known"]) == (65, 65, 0)


def test_commands_that_do_not_divide_their_work_refuse_mpirun(folder):
    environment = dict(os.environ, OMPI_COMM_WORLD_SIZE="2", OMPI_COMM_WORLD_RANK="0")
    check(folder, "--make-bank")
    before = (folder / "bank.safetensors").read_bytes()
    embed = ["cleanclip", "embed", "model.onnx", "--images", "images", "--batch-size", "16", "-o", "f.npy"]
    for arguments in (
        ["cleanclip", "check", "input", "model.onnx", *BANK, "--extend-bank"],
        ["cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv"],
        ["cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt"],
        embed,
    ):
        result = run(arguments, folder, env=environment)
        assert result.returncode == 64, result.stderr
        assert "mpirun started 2 processes; expected one" in result.stderr
    assert (folder / "bank.safetensors").read_bytes() == before and not (folder / "f.npy").exists()
    # Parts are how such work is divided.
    assert run([*embed, "--part", "1/2"], folder, env=environment).returncode == 0
