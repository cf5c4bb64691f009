"""Checkpoints in memory: bytes and file objects as files that the library opens."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Callable, Iterator, Tuple, Union

from ._handle import Path
from .errors import CleanCLIPError

#: The bytes of a checkpoint, or a binary file object, which is read from where it stands to its end.
Buffer = Union[bytes, bytearray, memoryview, IO[bytes]]


def is_buffer(source: Any) -> bool:
    """Whether a model's source is bytes or a file object."""
    return isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read")


@contextmanager
def as_files(source: Any) -> Iterator[Union[Path, Tuple[Path, ...]]]:
    """Give paths for a source, or for its parts; those of buffers live as long as the context.

    The library keeps open what it opened, so that the memory lives as long as it is needed.
    """
    with ExitStack() as stack:
        parts = source if isinstance(source, (tuple, list)) else (source,)
        paths = [stack.enter_context(_file(part)) if is_buffer(part) else part for part in parts]
        try:
            yield tuple(paths) if isinstance(source, (tuple, list)) else paths[0]
        except CleanCLIPError as error:
            text = error.message
            for part, path in zip(parts, paths):
                if is_buffer(part):
                    text = text.replace(path, f"<{type(part).__name__}>")
            raise type(error)(error.code, text) from error.__cause__


@contextmanager
def _file(buffer: Buffer) -> Iterator[str]:
    """Copy a buffer to memory that has a descriptor, and give its path."""
    with os.fdopen(os.memfd_create("cleanclip-checkpoint", os.MFD_CLOEXEC), "wb") as file:
        if isinstance(buffer, (bytes, bytearray, memoryview)):
            file.write(buffer)
        else:
            shutil.copyfileobj(buffer, file, 1 << 20)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def saved(save: Callable[[str], None], form: str) -> bytes:
    """Return the bytes of the file of a form, "onnx" or "safetensors", that a function writes."""
    if form not in ("onnx", "safetensors"):
        raise ValueError(f"form: unknown; expected onnx or safetensors, got {form!r}")
    with tempfile.TemporaryDirectory(prefix="cleanclip-") as folder:
        path = os.path.join(folder, f"model.{form}")
        save(path)
        # The configuration beside safetensors is in their metadata too.
        if form == "onnx" and os.listdir(folder) != ["model.onnx"]:
            raise ValueError(
                "to_bytes: the graph has weights in files of their own; expected a graph that "
                "holds them; use save()")
        with open(path, "rb") as file:
            return file.read()
