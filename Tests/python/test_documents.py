"""What documents say of the tests, against the tests."""

import re

import pytest
from conftest import ROOT

TABLES = [line for line in (ROOT / "docs/security.md").read_text().splitlines()
          if line.startswith("|") and "`" in line]


@pytest.fixture(scope="module")
def defined():
    """The names of tests, of their suites and files."""
    found = set()
    for path in [*ROOT.glob("Tests/**/*"), *ROOT.glob("bindings/*/test*/**/*")]:
        if path.suffix in {".swift", ".py", ".c", ".cpp", ".sh"}:
            text = path.read_text(encoding="utf-8")
            found |= {path.name, path.stem}
            found |= set(re.findall(r"(?:func|def|struct|class|void) (\w+)", text))
    return found


def named_tests():
    """The tests that the tables of kinds and sources name."""
    names = set()
    for line in TABLES:
        names |= {name for name in re.findall(r"`([\w.]+)`", line)
                  if re.fullmatch(r"test_\w+(\.\w+)?|\w+\.py|[a-z]+(?:[A-Z][a-z]*|[A-Z]+)+\w*|\w+Tests", name)}
    return sorted(names)


def test_security_names_enough_tests():
    assert len(named_tests()) > 40


@pytest.mark.parametrize("name", named_tests())
def test_each_test_that_security_names_is_there(name, defined):
    assert name in defined
