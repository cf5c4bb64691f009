"""What people see: texts of objects, pages and curves in notebooks, bars."""

import html
import re
import sys
import types

import numpy as np
import pytest
from conftest import striped_image

import cleanclip
from cleanclip._display import curve, page, table
from cleanclip._progress import Bar

CLASSES = ["red box", "green box", "blue box", "grey box"]
TRAINING = {"epochs": 1, "batch_size": 8, "precision": "f32"}


@pytest.fixture
def history(model, pairs):
    return cleanclip.sanitize(model, pairs, **TRAINING)


def test_objects_say_what_they_are(model, pairs, history):
    assert repr(model) == (
        "<cleanclip.Model: vision transformer, 32 px; causal transformer, 16 tokens; "
        "60,513 parameters>")
    assert repr(cleanclip.Dataset.from_pairs(pairs)) == (
        "<cleanclip.Dataset: 32 images with captions and labels>")
    assert repr(model.tokenizer) == "<cleanclip.Tokenizer: 518 token ids>"
    assert repr(cleanclip.Trigger("badnets")) == "<cleanclip.Trigger: badnets>"
    first, last = history.losses[0], history.losses[-1]
    assert repr(history) == f"<cleanclip.History: 4 steps, loss {first:.4f} to {last:.4f}>"


def test_a_file_is_named(model, tmp_path):
    model.save(tmp_path / "clip.onnx")
    assert str(tmp_path / "clip.onnx") in repr(cleanclip.load(tmp_path / "clip.onnx"))


def test_closed_objects_say_so(model):
    model.close()
    assert repr(model) == "<cleanclip.Model: closed>"


def test_a_model_is_a_table(model):
    text = model._repr_html_()
    assert "vision transformer, 32 px" in text and "60,513" in text and "16 numbers" in text


def test_a_history_is_a_table_and_a_curve(history):
    text = history._repr_html_()
    points = re.search(r'points="([^"]*)"', text)[1].split()
    assert ">cleanclip<" in text and len(points) == 4
    heights = [float(point.split(",")[1]) for point in points]
    # The higher the loss, the higher the point: y counts from the top.
    assert np.argmin(heights) == np.argmax(history.losses)
    assert np.argmax(heights) == np.argmin(history.losses)


def test_an_evaluation_is_a_table(model, pairs):
    evaluation = cleanclip.evaluate(model, pairs, CLASSES)
    rate = evaluation["clean_accuracy"]["top1"]
    assert "clean accuracy, top1</th>" in evaluation._repr_html_()
    assert f">{rate:.1%} (" in evaluation._repr_html_()
    assert dict(evaluation)["images"] == 32


def test_a_check_is_its_page(model, tmp_path):
    images = [striped_image(index)[0] for index in range(60)]
    features = model.encode_image(images, normalize=False)
    pairs = [(image, f"a box {index}") for index, image in enumerate(images)]
    check = cleanclip.check_data(model, pairs, precision="f32")
    assert repr(check).startswith(f"<cleanclip.DatasetCheck: {check.verdict}; ")
    check.write(tmp_path / "check.html")
    text = check._repr_html_()
    assert text.startswith("<iframe sandbox ")
    inside = html.unescape(re.search(r'srcdoc="([^"]*)"', text)[1])
    assert inside == (tmp_path / "check.html").read_text(encoding="utf-8")
    assert repr(cleanclip.Bank(features)) == "<cleanclip.Bank>"


def test_texts_of_strangers_are_no_markup():
    hostile = '"><script>alert(1)</script>'
    for text in (table(hostile, [(hostile, hostile)]), page(hostile), curve(hostile, [1, 2])):
        assert "<script" not in text


def test_curves_leave_out_what_is_no_number():
    assert curve("loss", []) == curve("loss", [1.0]) == curve("loss", [float("nan")] * 3) == ""
    points = re.search(r'points="([^"]*)"', curve("loss", [1, float("inf"), 3], 100, 108))[1]
    assert points == "0.0,104.0 100.0,4.0"


class Terminal:
    """Standard error that is a terminal, and keeps what is written."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


CALLS = {
    "sanitize": lambda model, pairs, tmp_path: cleanclip.sanitize(
        model, pairs, **TRAINING, progress=True),
    "evaluate": lambda model, pairs, tmp_path: cleanclip.evaluate(
        model, pairs, CLASSES, progress=True),
    "evaluate_retrieval": lambda model, pairs, tmp_path: cleanclip.evaluate_retrieval(
        model, pairs, progress=True),
    "check_data": lambda model, pairs, tmp_path: cleanclip.check_data(
        model, pairs, precision="f32", progress=True),
    "check_inputs": lambda model, pairs, tmp_path: cleanclip.check_inputs(
        model, [row[0] for row in pairs],
        cleanclip.Bank(np.random.default_rng(0).normal(size=(100, 16)).astype(np.float32)),
        progress=True),
    "poison": lambda model, pairs, tmp_path: cleanclip.poison(
        pairs, cleanclip.Trigger("badnets"), tmp_path / "poisoned.tar", target=CLASSES[0],
        progress=True),
}


@pytest.mark.parametrize("name", CALLS)
def test_true_draws_a_bar(name, model, pairs, tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    CALLS[name](model, pairs, tmp_path)
    last = terminal.text.rstrip("\n").split("\r")[-1]
    assert last.startswith("[" + "#" * 24 + "] ")
    done, total = re.search(r" (\d+)/(\d+)", last).groups()
    assert done == total and terminal.text.endswith("\n")


def test_elsewhere_tenths_are_lines(capsys):
    bar = Bar("work")
    for done in range(1, 101):
        bar.update(done, 100)
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"work {done}/100" for done in range(10, 101, 10)]


def test_a_bar_that_stops_ends_its_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = Bar("work")
    bar.update(1, 3)
    bar.close()
    bar.close()
    assert terminal.text.count("\n") == 1


def test_a_notebook_has_one_bar_that_changes(monkeypatch):
    shown = []

    class Handle:
        def update(self, content):
            shown.append(("update", content))

    def display(content, display_id):
        shown.append(("display", content))
        return Handle()

    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    shell.display = types.ModuleType("IPython.display")
    shell.display.HTML = str
    shell.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell.display)
    bar = Bar("<work>")
    bar.update(1, 2)
    bar.update(2, 2)
    assert [kind for kind, _ in shown] == ["display", "update"]
    assert shown[1][1] == '<progress value="2" max="2"></progress> &lt;work&gt; 2/2'


def test_bars_are_no_wider_than_the_terminal():
    from cleanclip import _progress

    line = "recovering triggers towards 'a truck' 120/1170"
    for columns in (120, 80, 60, 40, 20):
        drawn = _progress._drawn(120, 1170, line, columns)
        assert len(drawn) < columns and line[:15] in drawn
    assert _progress._drawn(120, 1170, line, 0) == f"[##{'.' * 22}] {line}"
    assert _progress._drawn(5, 0, "step 5/0", 80).startswith("[####")
