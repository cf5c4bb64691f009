"""Checkpoints in memory: bytes and binary file objects in the place of files."""

from __future__ import annotations

import ctypes
import os
from typing import IO, Any, List, Union

import numpy as np
from numpy.typing import NDArray

from . import _capi
from ._handle import Path, created

#: The bytes of a checkpoint, or a binary file object, which is read from where it stands to its end.
Buffer = Union[bytes, bytearray, memoryview, IO[bytes]]


def is_buffer(source: Any) -> bool:
    """Whether a model's source is bytes or a file object, or has such a part."""
    if isinstance(source, (tuple, list)):
        return any(is_buffer(part) for part in source)
    return isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read")


def loaded(source: Any, options: Any) -> int:
    """Load a checkpoint of bytes, or of two, and return the handle of the model.

    A path in the place of bytes is read whole: weights in files of their own are not found.
    """
    parts = source if isinstance(source, (tuple, list)) else (source,)
    if not 1 <= len(parts) <= 2:
        raise ValueError(f"load: expected one source or (visual, textual), got {len(parts)}")
    views = [_view(part) for part in parts]
    arguments: List[Any] = []
    for view in views:
        arguments += [view.ctypes.data, view.size]
    if len(views) == 1:
        arguments += [None, 0]
    return created(_capi.model_load_buffer, *arguments, ctypes.byref(options))


def _view(part: Union[Buffer, Path]) -> NDArray[np.uint8]:
    """View bytes, without a copy; the content of a file object or of a file."""
    if isinstance(part, (str, os.PathLike)):
        with open(part, "rb") as file:
            part = file.read()
    content = part if isinstance(part, (bytes, bytearray, memoryview)) else part.read()
    if isinstance(content, str):
        raise TypeError("load: expected a file object of bytes, got one of text; open it with 'rb'")
    if memoryview(content).nbytes == 0:
        raise ValueError("load: expected the bytes of a checkpoint, got none")
    return np.frombuffer(content, dtype=np.uint8)


def saved(model: int, form: str) -> bytes:
    """Return what a file of a form, "onnx" or "safetensors", would hold."""
    if form not in ("onnx", "safetensors"):
        raise ValueError(f"form: unknown; expected onnx or safetensors, got {form!r}")
    buffer = created(_capi.model_save_buffer, model, form.encode("ascii"))
    try:
        return ctypes.string_at(_capi.buffer_bytes(buffer), _capi.buffer_size(buffer))
    finally:
        _capi.buffer_free(buffer)
