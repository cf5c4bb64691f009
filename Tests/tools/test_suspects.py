"""Pairs that are left out before a model learns from them, and the page on a run."""

import json

from workspace import TRAINING, run

SANITIZE = ["cleanclip", "sanitize", "model.onnx", *TRAINING, "--epochs", "1", "-o", "clean.onnx"]


def test_rows_of_a_check_are_left_out_by_sanitize(folder):
    result = run(
        ["cleanclip", "check", "data", "model.onnx", "--data", "pairs.csv", "--tokenizer", "bpe.txt",
         "--threads", "1", "--cleaned", "kept.txt", "--suspects", "bad.txt", "--quiet"], folder)
    assert result.returncode == 0, result.stderr
    kept = (folder / "kept.txt").read_text().splitlines()
    bad = (folder / "bad.txt").read_text().splitlines()
    assert sorted(int(line.split("\t")[0]) for line in kept + bad) == list(range(64))
    (folder / "bad.txt").write_text("".join(line + "\n" for line in kept[:8]))
    result = run([*SANITIZE, "--suspects", "bad.txt", "--json", "--quiet"], folder)
    assert result.returncode == 0, result.stderr
    assert "8 of 64 pairs are left out of the data" in result.stderr
    printed = json.loads(result.stdout)
    assert printed["cleaning_set"]["left_out"] == 8
    assert printed["epochs"][0]["steps"] == 7


def test_a_list_of_other_data_is_refused(folder):
    (folder / "bad.txt").write_text("0\tanother.png\n")
    result = run([*SANITIZE, "--suspects", "bad.txt"], folder)
    assert result.returncode == 64 and "is of other data" in result.stderr
    assert not (folder / "clean.onnx").exists()


def test_suspects_of_all_rows_are_not_those_of_the_kept(folder):
    (folder / "kept.txt").write_text("".join(f"{i}\timages/{i:02}.png\n" for i in range(8, 64)))
    (folder / "bad.txt").write_text("3\timages/03.png\n")
    result = run([*SANITIZE, "--suspects", "bad.txt", "--keep", "kept.txt"], folder)
    assert result.returncode == 64 and "counted among those that keep names" in result.stderr
    (folder / "bad.txt").write_text("0\timages/08.png\n")
    result = run([*SANITIZE, "--suspects", "bad.txt", "--keep", "kept.txt", "--json"], folder)
    assert result.returncode == 0 and json.loads(result.stdout)["cleaning_set"]["left_out"] == 1


def test_the_page_on_a_run_of_cleanclip(folder):
    result = run([*SANITIZE, "--report", "run.html"], folder)
    assert result.returncode == 0, result.stderr
    assert "cleanclip: the pairs are not checked: 64 are too few" in result.stderr
    page = (folder / "run.html").read_text()
    assert "CleanCLIP has run to its end" in page and "The loss went from" in page
    assert "The pairs are not checked: 64 are too few" in page and "<path class=\"curve total" in page
    assert "Attack success counts" not in page


def test_the_page_on_a_run_of_unlearning(folder):
    arguments = [
        "cleanclip", "sanitize", "model.onnx", "--method", "unlearn", "--images", "images",
        "--tokenizer", "bpe.txt", "--threads", "1", "--persistence-steps", "2", "-o", "clean.onnx",
        "--quiet", "--history", "run.json"]
    result = run([*arguments, "--report", "run.pdf"], folder)
    assert "--report is of an unknown kind" in result.stderr
    assert not (folder / "clean.onnx").exists()
    result = run([*arguments, "--report", "run.html", "--triggers", "trigger.png"], folder)
    assert result.returncode in (0, 3, 4), result.stderr
    page = (folder / "run.html").read_text()
    history = json.loads((folder / "run.json").read_text())
    verdict = history["outcome"]["verdict"]
    headline = {
        "removed": "A backdoor was found and removed",
        "weakened": "A backdoor was found and weakened",
        "not_removed": "A backdoor was found and not removed",
        "nothing_found": "No backdoor was found"}[verdict]
    assert headline in page
    assert page.count("data:image/png;base64,") == 2 * len(history.get("examples", []))
    for trigger in history["outcome"]["triggers"]:
        assert f"{trigger['family']} towards" in page
