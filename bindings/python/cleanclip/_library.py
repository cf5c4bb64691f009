"""Finds and opens ``libcleanclip.so``."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Iterator

LIBRARY_NAME = "libcleanclip.so"

#: What the system's loader knows: the library with the ABI that these bindings were written for.
SYSTEM_NAME = "libcleanclip.so.0"

#: The version of the header that these bindings were written for: major, minor.
HEADER_VERSION = (0, 1)


def _candidates() -> Iterator[tuple[str, str]]:
    """Yield where the library may be, best first, as (path, why)."""
    explicit = os.environ.get("CLEANCLIP_LIBRARY")
    if explicit:
        # Somebody who names a library wants that one, not whichever else is installed.
        yield explicit, "CLEANCLIP_LIBRARY"
        return
    package = Path(__file__).resolve().parent
    yield str(package / "lib" / LIBRARY_NAME), "package folder"
    for folder in package.parents:
        if (folder / "Package.swift").is_file() and (folder / "include/cleanclip.h").is_file():
            yield str(folder / "build/lib" / LIBRARY_NAME), "build folder"
            break
    yield SYSTEM_NAME, "system loader"


def _open() -> tuple[ctypes.CDLL, str]:
    failures = []
    for path, origin in _candidates():
        if os.sep in path and not os.path.exists(path):
            failures.append(f"  {path} ({origin}): no such file")
            continue
        try:
            return ctypes.CDLL(path), path
        except OSError as error:
            failures.append(f"  {path} ({origin}): {error}")
    raise ImportError(
        f"{LIBRARY_NAME}: cannot be loaded; expected it in one of these places:\n"
        + "\n".join(failures)
        + "\ninstall the wheel that `make wheel` makes, or the system's package libcleanclip0; in the"
        + "\nsource tree, run `make build`; or set CLEANCLIP_LIBRARY to the path of the library"
    )


def _check_version(library: ctypes.CDLL, path: str) -> None:
    try:
        version_number = library.cleanclip_version_number
    except AttributeError:
        raise ImportError(
            f"'{path}': another library; expected {LIBRARY_NAME}, which has cleanclip_version_number(); "
            "set CLEANCLIP_LIBRARY to its path, or to nothing"
        ) from None
    version_number.argtypes = []
    version_number.restype = ctypes.c_uint32
    number = int(version_number())
    found = (number // 1_000_000, number // 1_000 % 1_000)
    # Later minor versions add to the ABI and take nothing from it.
    if found[0] != HEADER_VERSION[0] or found[1] < HEADER_VERSION[1]:
        raise ImportError(
            f"'{path}': the library has version {found[0]}.{found[1]}; expected {HEADER_VERSION[0]}."
            f"{HEADER_VERSION[1]} or a later one of {HEADER_VERSION[0]}, which these bindings were written "
            "for; install both from the same release"
        )


#: The library, and the path that it was loaded from.
library, library_path = _open()
_check_version(library, library_path)
