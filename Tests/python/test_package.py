"""The package itself: where the library is looked for, types, interrupts."""

import ctypes
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, TINY

import cleanclip

BINDINGS = str(ROOT / "bindings/python")


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": BINDINGS, **environment})


def test_version_is_that_of_the_header():
    text = (ROOT / "include/cleanclip/version.h").read_text()
    header = re.search(r'CLEANCLIP_VERSION_STRING "(.*)"', text).group(1)
    assert cleanclip.__version__ == header == (ROOT / "VERSION").read_text().strip()
    assert cleanclip._library.HEADER_VERSION == tuple(map(int, header.split(".")[:2]))


def test_named_library_is_used():
    result = python("import cleanclip; print(cleanclip.library_path)",
                    CLEANCLIP_LIBRARY=os.path.abspath(cleanclip.library_path))
    assert result.stdout.strip() == os.path.abspath(cleanclip.library_path)


def test_missing_library_lists_the_places():
    result = python("import cleanclip", CLEANCLIP_LIBRARY="/no/such/libcleanclip.so")
    assert result.returncode != 0
    assert "ImportError: libcleanclip.so: cannot be loaded" in result.stderr
    assert "/no/such/libcleanclip.so (CLEANCLIP_LIBRARY): no such file" in result.stderr
    assert "set CLEANCLIP_LIBRARY to the path of the library" in result.stderr


def test_other_libraries_are_refused():
    result = python("import cleanclip", CLEANCLIP_LIBRARY="libc.so.6")
    assert result.returncode != 0
    assert "ImportError: 'libc.so.6': another library; expected libcleanclip.so" in result.stderr


@pytest.mark.parametrize("number, is_right", [
    (1_000, True), (1_007, True), (2_000, True), (999_000, True), (0, False), (999, False),
    (1_001_000, False),
])
def test_later_minor_versions_are_taken(number, is_right, tmp_path):
    assert cleanclip._library.HEADER_VERSION == (0, 1), "write the numbers above anew"
    source, library = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text(f"unsigned cleanclip_version_number(void) {{ return {number}; }}")
    subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", library], check=True)
    opened = ctypes.CDLL(str(library))
    if is_right:
        cleanclip._library._check_version(opened, str(library))
    else:
        with pytest.raises(ImportError, match=r"expected 0\.1 or a later one of 0"):
            cleanclip._library._check_version(opened, str(library))


def test_number_of_threads():
    initial = cleanclip.num_threads()
    cleanclip.set_num_threads(1)
    assert cleanclip.num_threads() == 1
    cleanclip.set_num_threads(0)
    assert cleanclip.num_threads() == initial
    with pytest.raises(cleanclip.InvalidArgumentError, match="expected 0 to 1024"):
        cleanclip.set_num_threads(-1)


def test_errors_derive_from_what_python_has():
    for mine, natural in [
        (cleanclip.InvalidArgumentError, ValueError),
        (cleanclip.ShapeError, ValueError),
        (cleanclip.FormatError, ValueError),
        (cleanclip.NotFoundError, FileNotFoundError),
        (cleanclip.FileError, OSError),
        (cleanclip.UnsupportedError, NotImplementedError),
        (cleanclip.StateError, RuntimeError),
        (cleanclip.MemoryExhaustedError, MemoryError),
    ]:
        error = mine(1, "text")
        assert isinstance(error, natural) and isinstance(error, cleanclip.CleanCLIPError)
        assert (error.code, error.message, str(error)) == (1, "text", "text")


def test_ctrl_c_ends_training(tmp_path):
    code = f"""
import signal, numpy as np, cleanclip
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
open({str(tmp_path / 'words.txt')!r}, "w").write("#version\\nr e\\n")
model = cleanclip.create({TINY!r}, tokenizer={str(tmp_path / 'words.txt')!r})
image = np.zeros((32, 32, 3), np.uint8)
print("ready", flush=True)
try:
    cleanclip.sanitize(model, [(image, "a red box")] * 16, epochs=500, batch_size=8)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": BINDINGS})
    assert process.stdout.readline().strip() == "ready"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert output.strip() == "interrupted"


def test_types(tmp_path):
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "-p", "cleanclip"],
        cwd=BINDINGS, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
