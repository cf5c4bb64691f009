"""Features that are made in parts by the tool, and joined."""

import csv
import json

import pytest
from workspace import run

EMBED = ["cleanclip", "embed", "model.onnx", "--tokenizer", "bpe.txt", "--threads", "1", "--quiet",
         "--batch-size", "16", "--no-normalize"]
CHECK = ["cleanclip", "check", "data", "--quiet", "--threads", "1"]


def done(arguments, folder):
    result = run(arguments, folder)
    assert result.returncode == 0, result.stderr
    return result


def error(arguments, folder, code=64):
    result = run(arguments, folder)
    assert result.returncode == code, (result.returncode, result.stderr)
    return result.stderr


def embed(folder, *more):
    return done([*EMBED, *more], folder)


def test_parts_are_whole_batches_and_give_the_bits_of_one_run(folder):
    (folder / "parts").mkdir()
    for number in (2, 0, 1):
        embed(folder, "--data", "pairs.csv", "--part", f"{number}/3", "-o", f"parts/{number}.safetensors")
    embed(folder, "--data", "pairs.csv", "-o", "whole.safetensors")
    for features, scores in (("whole.safetensors", "a.csv"), ("parts", "b.csv")):
        done([*CHECK, "--image-features", features, "--trusted-features", features, "--scores", scores],
             folder)
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
    with (folder / "b.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["key"] for row in rows] == [f"images/{i:02}.png" for i in range(64)]
    assert rows[1]["caption"] == "a green box" and rows[1]["trusted_cosine"]


def test_images_that_cannot_be_read_are_left_out_of_parts(folder):
    (folder / "images/17.png").write_bytes(b"no image")
    result = run([*EMBED, "--data", "pairs.csv", "-o", "part.safetensors"], folder)
    assert result.returncode == 0 and "images/17.png" in result.stderr
    done([*CHECK, "--image-features", "part.safetensors", "--scores", "s.csv"], folder)
    with (folder / "s.csv").open(newline="") as file:
        keys = [row["key"] for row in csv.DictReader(file)]
    assert len(keys) == 63 and "images/17.png" not in keys
    result = done([*CHECK, "--data", "pairs.csv", "--image-features", "part.safetensors", "--json"], folder)
    assert "left out rows without features (1): 'images/17.png'" in result.stderr
    facts = json.loads(result.stdout)
    assert (facts["pairs"], facts["rows"], facts["unread"]) == (63, 64, 1)
    assert facts["left_out"]["rows_without_features"]["count"] == 1


def test_what_does_not_fit_is_refused(folder):
    assert "--data gives two arrays" in error([*EMBED, "--data", "pairs.csv", "-o", "x.npy"], folder)
    assert "expected at most 4 parts of 64 rows" in error(
        [*EMBED, "--data", "pairs.csv", "--part", "0/9", "-o", "x.safetensors"], folder)
    assert "'3/3' is invalid" in error(
        [*EMBED, "--data", "pairs.csv", "--part", "3/3", "-o", "x.safetensors"], folder)
    for part in ("0/2", "1/2"):
        done(["cleanclip", "embed", "model.onnx", "--images", "pairs.csv", "--part", part, "--batch-size", "16",
              "--no-normalize", "--quiet", "-o", f"{part[0]}.safetensors"], folder)
    result = done(
        [*CHECK, "--data", "pairs.csv", "--image-features", "0.safetensors", "--json"], folder)
    assert "left out rows without features (32): 'images/32.png'" in result.stderr
    assert json.loads(result.stdout)["verdict"] != "clean"
    message = error([*CHECK, "--image-features", "0.safetensors", "0.safetensors"], folder)
    assert "'0.safetensors': is the part '0.safetensors' again" in message
    message = error([*CHECK, "--trusted-features", "?.safetensors"], folder)
    assert "'0.safetensors': lacks text_features" in message
    done(["cleanclip", "embed", "model.safetensors", "--images", "pairs.csv", "--quiet", "-o",
          "1.safetensors"], folder)
    message = error([*CHECK, "--image-features", "?.safetensors"], folder)
    assert "'1.safetensors': parts disagree; expected " in message and "as in '0.safetensors'" in message
    assert "are L2-normalized" in error([*CHECK, "--image-features", "1.safetensors"], folder)


@pytest.mark.parametrize("budget, code", [("20M", 64), ("1G", 0)])
def test_a_budget_is_kept_or_refused(budget, code, folder):
    embed(folder, "--data", "pairs.csv", "-o", "part.safetensors")
    result = run([*CHECK, "--image-features", "part.safetensors", "--memory-budget", budget], folder)
    assert result.returncode == code and ("--memory-budget is too small" in result.stderr) == (code != 0)


def test_captions_are_given_once(folder):
    embed(folder, "--data", "pairs.csv", "-o", "part.safetensors")
    captions = [f"a box {row}" for row in range(64)]
    (folder / "captions.txt").write_text("\n".join(captions) + "\n")
    message = error([*CHECK, "--image-features", "part.safetensors", "--captions", "captions.txt"], folder)
    assert "have captions of their own" in message


def test_a_table_without_captions_is_no_clean_one(folder):
    pairs = (folder / "pairs.csv").read_text()
    check = ["cleanclip", "check", "data", "model.onnx", "--quiet", "--gate", "--data"]
    # Spaces and capitals of a header do not hide a column.
    for header in ("image,Caption,label", "image, caption, label"):
        (folder / "other.csv").write_text(pairs.replace("image,caption,label", header, 1))
        assert "verdict: clean" in done([*check, "other.csv"], folder).stdout
    (folder / "other.csv").write_text(pairs.replace("image,caption,label", "image,words,label", 1))
    for data in ("other.csv", "labels.csv", "images"):
        result = run([*check, data], folder)
        assert result.returncode == 3 and "verdict: cannot_tell" in result.stdout
        assert "without captions" in result.stdout and "data: no captions; expected them in a column" in result.stderr
    assert "'image', 'words', 'label'; name the column" in run([*check, "other.csv"], folder).stderr
    done([*check, "other.csv", "--caption-column", "words"], folder)
    embedded = embed(folder, "--data", "other.csv", "-o", "part.safetensors")
    assert "data: no captions" in embedded.stderr


def test_features_say_that_they_are_normalized(folder):
    written = done(["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "unit.npy", "--quiet"], folder)
    assert written.stdout == "unit.npy: 64 x 16, L2-normalized\n"
    (folder / "captions.txt").write_text("".join(f"a box {row}\n" for row in range(64)))
    check = [*CHECK, "--captions", "captions.txt", "--gate", "--image-features"]
    result = run([*check, "unit.npy"], folder)
    assert result.returncode == 3 and "of length 1" in result.stdout
    done(["cleanclip", "embed", "model.onnx", "--images", "images", "-o", "whole.npy", "--quiet", "--no-normalize"],
         folder)
    done([*check, "whole.npy"], folder)


def test_entries_behind_the_end_of_a_shard_count(folder):
    done(["cleanclip", "poison", "--data", "pairs.csv", "--trigger", "trigger.png", "--target", "red", "--count", "1",
          "--image-size", "32", "-o", "one.tar", "--quiet"], folder)
    whole = (folder / "one.tar").read_bytes()
    (folder / "two.tar").write_bytes(whole + whole)
    described = json.loads(run(
        ["cleanclip", "embed", "model.onnx", "--tokenizer", "bpe.txt", "--data", "two.tar", "-o", "two.safetensors",
         "--json", "--quiet"], folder).stdout)
    assert described["count"] == 128
    (folder / "junk.tar").write_bytes(whole + b"junk" * 512)
    result = run([*EMBED, "--data", "junk.tar", "-o", "junk.safetensors"], folder)
    assert result.returncode == 65 and "'junk.tar': cannot be read" in result.stderr
