"""Requests that cannot be meant: refused before the work, in words that help, leaving nothing behind."""

import json
import os
import re
import struct

import pytest
from workspace import PAIRS, TRAINING, array, run

SANITIZE = ["cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1"]
UNLEARN = [
    "cleanclip", "sanitize", "model.onnx", "--method", "unlearn", "--images", "images",
    "--tokenizer", "bpe.txt", "-o", "x.onnx"]
POISON = [
    "cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red",
    "--count", "4"]
CHECK_DATA = [
    "cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv"]
CHECK_INPUT = ["cleanclip", "check", "input", "model.onnx", "--images", "images"]

# Command lines, and what their messages say.
REFUSED = {
    "a trigger larger than the images": (
        [*POISON, "--image-size", "4", "-o", "x.tar"],
        "expected at most 4x4 pixels, got 6x6"),
    "a size of other images": (
        [*POISON, "--image-size", "32", "--preprocessing", '{"size": 224}', "-o", "x.tar"],
        "expected 32 pixels, the side of the images, got 224; leave the size out, or make image_size "
        "the same"),
    "a state with an option that is refused": (
        [*UNLEARN, "--epochs", "3", "--state-directory", "state"],
        "--epochs has no effect with method unlearn"),
    "a state with a model that is missing": (
        ["cleanclip", "sanitize", "absent.onnx", *TRAINING, "-o", "x.onnx", "--state-directory",
         "state"], "'absent.onnx': cannot open the file: no such file or directory; check the path"),
    "a folder that cannot be made": (
        ["cleanclip", "check", "model", "model.onnx", "--triggers", "/proc/x"],
        "'/proc/x': cannot make the folder: no such file"),
    "a folder without images": (
        ["cleanclip", "check", "model", "model.onnx", "--images", "empty"],
        "dataset is empty; expected images in 'empty'"),
    "no file of images": (
        ["cleanclip", "check", "model", "model.onnx", "--images", "absent"],
        "'absent': no such file; expected images or files that list them"),
    "a tokenizer that is missing": (
        [*UNLEARN, "--text", "--tokenizer", "absent.txt"],
        "cleanclip: 'absent.txt': no such file; expected a file that can be read"),
    "a pattern of features that matches nothing": (
        ["cleanclip", "check", "data", "--image-features", "absent-*.npy"],
        "'absent-*.npy': matches no file; expected files of features; check the path"),
    "features that are given twice": (
        ["cleanclip", "check", "data", "--image-features", "features.npy", "images/../features.npy"],
        "'images/../features.npy': is the part 'features.npy' again; expected each part once"),
    "a model beside its features": (
        [*CHECK_DATA, "--image-features", "features.npy"],
        "MODEL has no effect with --image-features, which are taken for its features; give one of them"),
    "a trusted model beside its features": (
        [*CHECK_DATA, "--trusted", "model.onnx", "--trusted-features", "features.npy", "features.npy"],
        "--trusted has no effect with --trusted-features"),
    "a weight of another method, though it is a default": (
        ["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--method", "roclip", "--inmodal-weight", "1",
         "-o", "x.onnx"], "--inmodal-weight has no effect with --method roclip; leave it out"),
    "rows of data that is not there": (
        ["cleanclip", "check", "data", "--image-features", "features.npy", "--keep", "pairs.csv"],
        "--keep has no effect without --data"),
    "a precision of nothing": (
        ["cleanclip", "check", "data", "--image-features", "features.npy", "--precision", "bf16"],
        "--precision has no effect without MODEL and --trusted"),
    "a column of a folder": (
        ["cleanclip", "embed", "model.onnx", "--images", "images", "--image-column", "title", "-o", "x.npy"],
        "--image-column has no effect without a table"),
    "saving without a place": (
        [*SANITIZE, "--save-every", "5", "-o", "x.onnx"], "--save-every has no effect without --state-directory"),
    "a seed of nothing": (
        ["cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt", "--seed=5"],
        "--seed has no effect without --trigger"),
    "a method that never does what it is for": (
        ["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--method", "roclip", "--epochs", "1", "-o",
         "x.onnx"], "--epochs is too small for roclip, which would never match; expected at least 2"),
    "a pool of nothing": (
        ["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "--method", "roclip", "--epochs", "2",
         "--pool-fraction", "0.001", "-o", "x.onnx"], "--pool-fraction is too small"),
    "searches in place of references that are given": (
        ["cleanclip", "check", "model", "model.onnx", "--references", "model.safetensors", "--reference-searches", "3"],
        "--reference-searches has no effect with --references"),
    "an output among the state": (
        [*SANITIZE, "-o", "state/training-state.safetensors", "--state-directory", "state"],
        "is a file of the state"),
    "a state that is none, by the names of flags": (
        [*SANITIZE, "-o", "x.onnx", "--resume"],
        "cleanclip: --resume has no effect without --state-directory; expected a folder, got none"),
    "--data and --images": (
        [*SANITIZE, "--images", "images", "-o", "x.onnx"], "--data and --images name the same pairs"),
    "neither --data nor --images": (
        ["cleanclip", "sanitize", "model.onnx", "-o", "x.onnx"], "--data is missing"),
    "a report on nothing": (
        ["cleanclip", "report", "-o", "x.html"],
        "there is nothing to report; give --before, --after, --control, --history, --control-history"),
    "a page of another kind": (
        ["cleanclip", "check", "model", "model.onnx", "--report", "r.pdf"],
        "--report is of an unknown kind; expected .html, got 'r.pdf'"),
    "a page of another kind, data": ([*CHECK_DATA, "--report", "r.csv"], "--report is of an unknown kind"),
    "a page of another kind, input": (
        [*CHECK_INPUT, "--bank", "b.safetensors", "--report", "r"], "--report is of an unknown kind"),
    "a set of another kind": ([*POISON, "--image-size", "32", "-o", "x.pdf"], "unknown kind of output"),
    "a flag with a value": (
        [*POISON, "--image-size", "32", "-o", "x.tar", "--also", "trigger=badnets;target=blue;fixed=0"],
        "fixed takes no value; expected it alone, or not at all, got 'fixed=0'"),
    "a key without a value": (
        [*POISON, "--image-size", "32", "-o", "x.tar", "--also", "trigger=badnets;target=blue;seed"],
        "seed has no value"),
    "features without classes": (
        ["cleanclip", "check", "model", "model.onnx", "--class-features", "features.npy"],
        "--class-features are rows for classes; give --classes too"),
    "features without classes, sanitize": (
        [*UNLEARN, "--class-features", "features.npy"], "give --classes too"),
    "features and templates": (
        ["cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt",
         "--templates", "texts.txt", "--class-features", "features.npy"],
        "--templates have no effect with --class-features"),
    "kinds with commas": (
        ["cleanclip", "check", "model", "model.onnx", "--kinds", "patch,additive"],
        "expected some of patch, additive, warp, sinusoid, separated by spaces"),
    "a kind twice": (
        ["cleanclip", "check", "model", "model.onnx", "--kinds", "patch", "patch"],
        "--kinds names one twice"),
    **{f"a report's {option} without images": (
        ["cleanclip", "report", "--model", "model.onnx", "-o", "x.html", option, value],
        f"{option} has no effect without --images")
       for option, value in {"--target": "red", "--classes": "classes.txt", "--image-size": "32",
                             "--trigger": "trigger.png"}.items()},
    "a state in the place of the model": (
        [*SANITIZE, "-o", "x.onnx", "--state-directory", "x.onnx"], "is given for two outputs"),
    "a negative loss": (
        [*UNLEARN, "--max-accuracy-loss", "-1"],
        "cleanclip: --max-accuracy-loss is out of range; expected more than 0, at most 100, got -1"),
    "a negative fraction": (
        ["cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--assumed-poison-rate",
         "-.5"], "--assumed-poison-rate is out of range"),
}

# An output, and which input it is.
REPLACED = {
    "sanitize": ([*SANITIZE, "-o", "model.onnx"], "model.onnx"),
    "sanitize, by another path": ([*SANITIZE, "-o", "images/../model.onnx"], "model.onnx"),
    "sanitize --history": ([*SANITIZE, "-o", "x.onnx", "--history", "pairs.csv"], "pairs.csv"),
    "sanitize, two files": (
        ["cleanclip", "sanitize", "model.onnx,linked.onnx", *TRAINING, "-o", "linked.onnx"],
        "model.onnx"),
    "train": (
        ["cleanclip", "train", "--architecture", "tiny.json", *TRAINING, "-o", "x.onnx",
         "--history", "tiny.json"], "tiny.json"),
    "poison": ([*POISON, "--image-size", "32", "-o", "pairs.csv"], "pairs.csv"),
    "poison, a pattern": (
        ["cleanclip", "poison", "--data", "pair?.csv", *POISON[4:], "-o", "pairs.csv"], "pairs.csv"),
    "embed": (
        ["cleanclip", "embed", "model.onnx", "--texts", "texts.npy", "-o", "texts.npy"],
        "texts.npy"),
    "check model": (
        ["cleanclip", "check", "model", "model.onnx", "--images", "page.html", "--report", "page.html"],
        "page.html"),
    "check model, classes": (
        ["cleanclip", "check", "model", "model.onnx", "--classes", "page.html", "--report", "page.html"],
        "page.html"),
    "check model, tokenizer": (
        ["cleanclip", "check", "model", "model.onnx", "--tokenizer", "page.html", "--report",
         "page.html"], "page.html"),
    "sanitize, tokenizer": ([*SANITIZE, "-o", "x.onnx", "--history", "bpe.txt"], "bpe.txt"),
    "poison, preprocessing": (
        [*POISON, "--image-size", "32", "--preprocessing", "tiny.json", "-o", "x.tar", "--truth-path",
         "tiny.json"], "tiny.json"),
    "embed, tokenizer": (
        ["cleanclip", "embed", "model.onnx", "--texts", "texts.txt", "--tokenizer", "bpe.npy", "-o",
         "bpe.npy"], "bpe.npy"),
    "check data": ([*CHECK_DATA, "--scores", "pairs.csv"], "pairs.csv"),
    "check data, features": (
        ["cleanclip", "check", "data", "--image-features", "features.npy", "--scores", "features.npy"],
        "features.npy"),
    "check data, keys beside features": (
        ["cleanclip", "check", "data", "--image-features", "features.npy", "--cleaned", "features.txt"],
        "features.npy"),
    "check data, keys beside features of a folder": (
        ["cleanclip", "check", "data", "--image-features", ".", "--cleaned", "features.txt"],
        "features.npy"),
    "check input": ([*CHECK_INPUT, "--make-bank", "--bank", "model.onnx"], "model.onnx"),
    "an image of a folder": (
        ["cleanclip", "check", "data", "model.onnx", "--data", "images", "--cleaned", "images/05.png"],
        "images/05.png"),
    "an image of a table": (
        ["cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--scores", "images/07.png"],
        "images/07.png"),
    "a table": (["cleanclip", "check", "data", "model.onnx", "--data", ".", "--scores", "pairs.csv"], "pairs.csv"),
    "report": (["cleanclip", "report", "--history", "h.json", "-o", "h.json"], "h.json"),
    "onnx-import": (["onnx-import", "linked.onnx", "-o", "model.onnx"], "model.onnx"),
}


def listing(folder):
    return sorted((str(path.relative_to(folder)), path.stat().st_mtime_ns)
                  for path in folder.rglob("*"))


def refused(arguments, folder):
    before = listing(folder)
    result = run(arguments, folder)
    assert result.returncode in (64, 65, 66, 74), result.stderr
    assert result.stdout == "" and listing(folder) == before
    # No progress: the work had not begun.
    lines = result.stderr.splitlines()
    assert lines[0].startswith("Error: ") or len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_the_work(name, folder):
    for made in ("empty", "state"):
        (folder / made).mkdir()
    array(folder / "features.npy", [[1, 2], [3, 4]])
    arguments, expected = REFUSED[name]
    message = refused(arguments, folder)
    assert expected in message and "expected success" not in message


@pytest.mark.parametrize("case", REPLACED)
def test_what_is_read_is_not_replaced(case, folder):
    os.link(folder / "model.onnx", folder / "linked.onnx")
    (folder / "h.json").write_text('{"settings": {}, "steps": []}')
    (folder / "page.html").write_text("red\n")
    for name in ("texts", "bpe"):
        (folder / f"{name}.npy").write_bytes((folder / f"{name}.txt").read_bytes())
    array(folder / "features.npy", [[1, 2], [3, 4]])
    arguments, kept = REPLACED[case]
    assert "is both read and written" in refused(arguments, folder)
    assert (folder / kept).is_file()


def test_a_budget_for_unlearning_is_refused_before_the_searches(folder):
    result = run([*UNLEARN, "--memory-budget", "100K"], folder)
    assert result.returncode == 64 and "--memory-budget is too small" in result.stderr
    assert "reading images" in result.stderr
    assert "candidates" not in result.stderr and "searching" not in result.stderr


def test_the_memory_that_a_message_asks_for_is_enough(folder):
    command = [*SANITIZE, "--quiet", "-o", "x.onnx", "--memory-budget"]
    message = run([*command, "100K"], folder).stderr
    one, rounded, all_of_a_step = re.search(
        r"at least (\d+) bytes \((\d+)M\) .* at a time, (\d+)M with all 8", message).groups()
    assert int(rounded) - 1 < int(one) / 2**20 <= int(rounded) <= int(all_of_a_step)
    for budget in (one, rounded + "M", all_of_a_step + "M"):
        result = run([*command, budget], folder)
        assert result.returncode == 0, result.stderr
    # What is measured differs by some bytes from run to run.
    assert run([*command, str(int(one) * 99 // 100)], folder).returncode == 64


def test_a_time_out_of_ranks_without_ranks_is_refused(folder):
    result = run([*SANITIZE, "-o", "x.onnx", "--rank-timeout", "3"], folder)
    assert result.returncode == 64
    assert "--rank-timeout has no effect" in result.stderr
    assert not (folder / "x.onnx").exists()


def test_a_run_that_was_not_completed_is_named_in_reports(folder):
    assert run([*SANITIZE, "-o", "x.onnx", "--history", "h.json"], folder).returncode == 0
    history = json.loads((folder / "h.json").read_text())
    assert history["completed"] is True
    report = ["cleanclip", "report", "--history", "h.json", "-o", "h.html"]
    result = run(report, folder)
    assert result.stderr == "" and "not completed" not in (folder / "h.html").read_text()
    history["completed"] = False
    (folder / "h.json").write_text(json.dumps(history))
    result = run(report, folder)
    assert result.returncode == 0
    assert f"stopped after step {PAIRS // 8}" in result.stderr
    assert "CleanCLIP (run not completed)" in (folder / "h.html").read_text()


def test_class_names_that_stand_twice_are_named(folder):
    (folder / "twice.txt").write_text("red\ngreen\nblue\ngrey\nred\n")
    result = run(
        ["cleanclip", "check", "model", "model.onnx", "--images", "images", "--classes", "twice.txt",
         "--tokenizer", "bpe.txt", "--steps", "2", "--kinds", "patch", "--no-nouns", "--quiet",
         "--json"], folder)
    assert result.returncode == 0
    assert "5 class names are 4 different ones; several times: 'red'" in result.stderr


def test_a_vocabulary_that_is_not_read_is_said(folder):
    result = run(
        ["cleanclip", "embed", "model.onnx", "--images", "images", "--tokenizer", "bpe.txt", "-o", "x.npy"], folder)
    assert result.returncode == 0 and "--tokenizer is not read: there are images alone" in result.stderr
    result = run([*CHECK_DATA, "--tokenizer", "bpe.txt", "--quiet"], folder)
    assert result.returncode == 0 and "--tokenizer is not read: captions are encoded by --trusted" in result.stderr


def test_more_threads_than_processors_are_not_used(folder):
    usable = len(os.sched_getaffinity(0))
    result = run([*SANITIZE, "--threads", "1000", "--quiet", "--json", "-o", "x.onnx"], folder)
    assert result.returncode == 0
    used = json.loads(result.stdout)["settings"]["threads"]
    assert 1 <= used <= usable
    assert result.stderr.startswith(
        f"cleanclip: --threads 1000 is more than there are processors for this process; computing "
        f"with {used}\n")


def test_help_says_what_a_method_refuses_and_needs(folder):
    text = " ".join(run(["cleanclip", "sanitize", "--help"], folder).stdout.split())
    unlearn = re.search(r"unlearn: .*? Needs at least (\d+) images\. Refuses (.*?)\. ", text)
    assert unlearn.group(1) == "32"
    for option in unlearn.group(2).split(", "):
        values = {"--head-path": "h.safetensors", "--state-directory": "state"}
        is_flag = option == "--resume" or option.startswith("--no-")
        value = [] if is_flag else [values.get(option, "7")]
        message = run([*UNLEARN, option, *value], folder).stderr
        assert f"--{option.removeprefix('--').removeprefix('no-')} has" in message, option
        assert "no effect with method unlearn" in message, option


def test_a_file_of_one_tower_is_that_tower(folder):
    # OpenCLIP's names; a file called model.safetensors has Hugging Face's.
    assert run(["onnx-import", "model.onnx", "-o", "whole.safetensors"], folder).returncode == 0
    data = (folder / "whole.safetensors").read_bytes()
    length, = struct.unpack("<Q", data[:8])
    header, weights = json.loads(data[8:8 + length]), data[8 + length:]
    assert "text_cfg" in header["__metadata__"]["open_clip_config"]
    kept, data = {"__metadata__": header["__metadata__"]}, b""
    for name, entry in header.items():
        if name.startswith("visual."):
            start, end = entry["data_offsets"]
            kept[name] = {**entry, "data_offsets": [len(data), len(data) + end - start]}
            data += weights[start:end]
    text = json.dumps(kept).encode()
    (folder / "images.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    described = run(["cleanclip", "inspect", "images.safetensors", "--json"], folder)
    assert described.returncode == 0, described.stderr
    facts = json.loads(described.stdout)
    assert facts["image_tower"] and not facts.get("text_tower")
    embed = ["cleanclip", "embed", "images.safetensors", "--images", "images", "-o", "one.npy"]
    assert run(embed, folder).returncode == 0
    assert run([*embed[:2], "whole.safetensors", *embed[3:-1], "both.npy"], folder).returncode == 0
    assert (folder / "one.npy").read_bytes() == (folder / "both.npy").read_bytes()


def test_help_says_what_is_separated_and_known(folder):
    text = " ".join(run(["cleanclip", "check", "model", "--help"], folder).stdout.split())
    assert "What to search, separated by spaces: patch" in text
    text = " ".join(run(["cleanclip", "sanitize", "--help"], folder).stdout.split())
    message = run([*UNLEARN, "--triggers", "nosuch"], folder).stderr
    names = re.search(r"expected one of (.*?), a saved trigger", message).group(1)
    assert f"or names ({names})" in text


@pytest.mark.parametrize("change, expected", [
    ("zeros", "row 2 ('blue') is all zeros"), ("equal", "rows 0 ('red') and 2 ('blue') are equal"),
    ("nan", "row 2 is not usable; expected finite numbers")])
def test_features_of_classes_that_tell_nothing_apart_are_refused(change, expected, folder):
    assert run(
        ["cleanclip", "embed", "model.onnx", "--texts", "classes.txt", "--tokenizer", "bpe.txt", "-o",
         "features.npy"], folder).returncode == 0
    data = (folder / "features.npy").read_bytes()
    start, width = len(data) - 4 * 16 * 4, 16 * 4
    rows = [data[start + row * width:start + (row + 1) * width] for row in range(4)]
    rows[2] = {"zeros": bytes(width), "equal": rows[0], "nan": struct.pack("<f", float("nan")) * 16}[change]
    (folder / "features.npy").write_bytes(data[:start] + b"".join(rows))
    given = ["--classes", "classes.txt", "--class-features", "features.npy", "--quiet"]
    for command in (
            ["cleanclip", "evaluate", "model.onnx", "--data", "labels.csv"],
            ["cleanclip", "check", "model", "model.onnx", "--no-nouns"], UNLEARN):
        result = run([*command, *given], folder)
        assert result.returncode in (64, 65) and result.stdout == ""
        assert f"class_features: {expected}" in result.stderr and "remove the pair" not in result.stderr


def test_evaluations_of_different_measurements_are_not_compared(folder):
    evaluate = ["cleanclip", "evaluate", "model.onnx", "--data", "labels.csv", "--classes", "classes.txt",
                "--tokenizer", "bpe.txt", "--trigger", "trigger.png", "--json", "--quiet", "--target"]
    for target in ("red", "blue"):
        (folder / f"{target}.json").write_text(run([*evaluate, target], folder).stdout)
    report = ["cleanclip", "report", "--before", "red.json", "-o", "page.html", "--after"]
    assert run([*report, "red.json"], folder).returncode == 0
    (folder / "page.html").unlink()
    result = run([*report, "blue.json"], folder)
    assert result.returncode == 64 and not (folder / "page.html").exists()
    assert "expected the same target, got 'red' and 'blue'; evaluate both models alike" in result.stderr


def test_a_state_that_is_replaced_is_said(folder):
    saving = [*SANITIZE, "-o", "x.onnx", "--quiet", "--state-directory", "state"]
    first = run(saving, folder)
    assert first.returncode == 0 and "is replaced" not in first.stderr
    again = run([*saving, "--learning-rate", "1e-3"], folder)
    assert again.returncode == 0 and "the state of another run in 'state' is replaced" in again.stderr
