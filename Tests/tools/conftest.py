"""What the tests of the tools share."""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import workspace  # noqa: E402


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    workspace.make(folder)
    return folder


@pytest.fixture(scope="module")
def shared_folder(made, tmp_path_factory):
    """A folder that the tests of a module use one after the other."""
    return pathlib.Path(shutil.copytree(made, tmp_path_factory.mktemp("module") / "work"))


@pytest.fixture
def folder(made, tmp_path):
    """A folder of the test's own."""
    return pathlib.Path(shutil.copytree(made, tmp_path / "work"))
