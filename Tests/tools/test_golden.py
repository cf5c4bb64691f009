"""Whole standard outputs and every help text; `make goldens` writes them anew."""

import difflib
import re

import pytest
from cases import OUTPUTS, help_cases, masked
from workspace import ROOT, run
from write_goldens import GOLDEN


def compare(name, text):
    expected = (GOLDEN / f"{name}.txt").read_text()
    difference = "\n".join(
        difflib.unified_diff(expected.splitlines(), text.splitlines(), "golden", "now", lineterm=""))
    assert not difference, f"{difference}\nif this is meant: make goldens"


@pytest.mark.parametrize("name", OUTPUTS)
def test_standard_output(name, shared_folder):
    result = run(OUTPUTS[name], shared_folder)
    assert result.returncode == 0, result.stderr
    compare(name, masked(result.stdout))


def test_help_texts(shared_folder):
    cases = help_cases(shared_folder)
    for name, arguments in cases.items():
        result = run(arguments, shared_folder)
        assert (result.returncode, result.stderr) == (0, "")
        compare(name, masked(result.stdout))
    # Every command that is written is one that can be called.
    written = {
        name for path in (ROOT / "Sources/cleanclip").rglob("*.swift")
        for name in re.findall(r'commandName: "([\w-]+)"', path.read_text())}
    assert written == {arguments[-2] for arguments in cases.values()} - {"onnx-import"}
    # No text of a command that is gone.
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(cases) | set(OUTPUTS)
