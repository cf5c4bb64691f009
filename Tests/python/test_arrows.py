"""The check that folders of the engine do not use each other in a circle."""

import subprocess
import sys

from conftest import ROOT


def arrows(root, *options):
    return subprocess.run(
        [sys.executable, ROOT / "scripts/arrows.py", root, *options], capture_output=True,
        text=True)


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("_", "/", 1)
        path = path.with_suffix(".swift")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_the_engine_has_no_circle():
    result = arrows(ROOT / "Sources/CleanCLIPKit")
    assert result.returncode == 0, result.stderr


def test_a_circle_is_named_with_its_types_and_files(tmp_path):
    write(tmp_path, A_One="package struct One { let two: Two }",
          B_Two="final class Two {}\nextension Two { func f() -> Three { Three() } }",
          C_Three="enum Three { case one(One) }")
    result = arrows(tmp_path)
    assert result.returncode == 1
    assert "A, B, C use each other" in result.stderr
    assert "C -> A: One (Three.swift)" in result.stderr


def test_comments_strings_and_hidden_types_do_not_count(tmp_path):
    write(tmp_path, A_One='struct One { let two: Two }\nprivate struct Hidden {}',
          B_Two='// One\n/* One /* One */ One */\nstruct Two { let a = "One"; let b = """\n One\n """ }'
                '\nprivate struct Hidden {}')
    assert arrows(tmp_path).returncode == 0
    write(tmp_path, B_More='let text = "\\(One.self)"')
    assert arrows(tmp_path).returncode == 1


def test_arrows_are_listed(tmp_path):
    write(tmp_path, A_One="struct One { let two: Two }", B_Two="struct Two {}")
    assert arrows(tmp_path, "--list").stdout == "A -> B: Two\n"
    assert arrows(tmp_path / "nothing").returncode != 0
