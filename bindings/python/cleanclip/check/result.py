"""What checks of models and of datasets have in common."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Dict, Generic, List, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _capi
from .._handle import Floats, Handle, Path, path_bytes, read_text
from .._display import page
from ..errors import check

VERDICTS = {
    _capi.VERDICT_CLEAN: "clean",
    _capi.VERDICT_SUSPICIOUS: "suspicious",
    _capi.VERDICT_BACKDOORED: "backdoored",
    _capi.VERDICT_CANNOT_TELL: "cannot_tell",
}

Fields = TypeVar("Fields")


class LeftOut(TypedDict):
    """What was left out of a dataset for one reason."""

    count: int
    examples: List[str]


#: By reason.
Omissions = Dict[str, LeftOut]


class ReferenceFields(TypedDict):
    """What a size is compared with."""

    source: str
    sizes: List[float]


class Check(Handle, Generic[Fields]):
    """The result of a check."""

    _free = _capi.check_free

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def _facts(self) -> str:
        return f"{self.verdict}; {self.explanation}"

    def _repr_html_(self) -> str:
        with tempfile.TemporaryDirectory(prefix="cleanclip-") as folder:
            path = os.path.join(folder, "check.html")
            self.write(path)
            with open(path, encoding="utf-8") as file:
                return page(file.read())

    @property
    def verdict(self) -> str:
        """What is concluded: "clean", "suspicious", "backdoored" or "cannot_tell"."""
        return VERDICTS[_capi.check_verdict(self._pointer())]

    @property
    def explanation(self) -> str:
        """Why, in words for people who do not know the method."""
        return str(self._read()["explanation"])

    def as_dict(self) -> Fields:
        """Return all that was found, with the keys of ``cleanclip check --json``."""
        fields: Fields = self._read()
        return fields

    def _scores(self) -> Floats:
        handle = self._pointer()
        scores = np.empty(_capi.check_score_count(handle), np.float32)
        check(_capi.check_scores(handle, scores.ctypes.data_as(_capi.c_float_p), scores.size))
        return scores

    def write(self, path: Path) -> None:
        """Write a page (.html), .json, or for a dataset the scores (.csv), the rows that stay (.txt), or those
        that look poisoned (.suspects)."""
        check(_capi.check_write(self._pointer(), path_bytes(path, "path")))

    def _read(self) -> Any:
        return json.loads(read_text(_capi.check_json, self._pointer()))


def matrix(values: NDArray[Any], name: str) -> Floats:
    """Return features as the library reads them."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"{name}: expected floating-point numbers, got {given.dtype}")
    if np.ma.is_masked(values):
        raise ValueError(f"{name}: has masked numbers; expected all of them, or leave rows out")
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != 2:
        raise ValueError(f"{name}: expected [n, E], got {list(array.shape)}")
    return array
