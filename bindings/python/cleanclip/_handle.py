"""Handles, and how Python values become arguments of the C functions."""

from __future__ import annotations

import ctypes
import json
import os
from types import TracebackType
from typing import (
    Any,
    Callable,
    ClassVar,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
)

import numpy as np
from numpy.typing import NDArray

from . import _capi
from ._listener import PollListener
from .errors import check

Path = Union[str, "os.PathLike[str]"]
#: How images are prepared: the members of OpenCLIP's ``preprocess_cfg`` or Hugging Face's
#: ``preprocessor_config.json``, as a mapping, JSON or the path of a file.
Preprocessing = Union[Mapping[str, Any], Path]
Floats = NDArray[np.float32]

_Self = TypeVar("_Self", bound="Handle")

PRECISIONS = {
    "auto": _capi.PRECISION_AUTO,
    "f32": _capi.PRECISION_F32,
    "bf16": _capi.PRECISION_BF16,
}


# Members with the number of texts that others point to.
_COUNTS = {
    "classes": "class_count",
    "templates": "template_count",
    "references": "reference_count",
    "triggers": "trigger_count",
}


class Handle:
    """An object of the library; freed by ``close``, by ``with``, or with its last reference."""

    _free: ClassVar[Callable[..., Any]]
    _handle: Optional[int] = None
    #: Calls that work with it at the moment and may call back.
    _uses = 0

    @classmethod
    def _of(cls, value: Any, name: str) -> int:
        """Return the handle of an argument, which is called so and must be of this class."""
        if not isinstance(value, cls):
            raise TypeError(
                f"{name}: expected cleanclip.{cls.__name__}, got {type(value).__name__}")
        return value._pointer()

    def _pointer(self) -> int:
        """Return the handle, or raise when it was closed."""
        if self._handle is None:
            raise ValueError(f"{type(self).__name__}: used after close()")
        return self._handle

    def close(self) -> None:
        """Free the object; further use raises ``ValueError``. May be called again.

        Raises
        ------
        RuntimeError
            Inside of a call that works with the object, such as in its ``progress`` function.
        """
        if self._uses:
            raise RuntimeError(
                f"{type(self).__name__}: is in use by a call; close it when that has returned")
        handle, self._handle = self._handle, None
        if handle is not None:
            type(self)._free(handle)

    def _facts(self) -> str:
        """What tells this object from others, in a line; called while it is open."""
        return ""

    def __repr__(self) -> str:
        name = f"cleanclip.{type(self).__name__}"
        facts = "closed" if self._handle is None else self._facts()
        return f"<{name}: {facts}>" if facts else f"<{name}>"

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __copy__(self: _Self) -> _Self:
        raise TypeError(f"{type(self).__name__}: cannot be copied; open or make another one")

    def __deepcopy__(self: _Self, memo: Any) -> _Self:
        return self.__copy__()

    def __reduce__(self) -> Any:
        # A process that unpickles it has no such object behind the address.
        raise TypeError(
            f"{type(self).__name__}: cannot be pickled; save it to a file and load it there")

    def __del__(self) -> None:
        # The constructor may have failed, and at exit the module may be half gone.
        if getattr(self, "_handle", None) is not None:
            self.close()


def created(function: Callable[..., Any], *arguments: Any) -> int:
    """Call a function whose last parameter is ``out_handle`` and return the handle."""
    handle = ctypes.c_void_p()
    interruptible(function, *arguments, ctypes.byref(handle))
    if handle.value is None:
        raise RuntimeError("cleanclip: a function succeeded without a handle")
    return handle.value


def interruptible(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function that Ctrl-C may end and raise what it reports."""
    listener = PollListener()
    with listener.listening():
        status = function(*arguments)
    listener.check(status)


def path_bytes(path: Path, name: str) -> bytes:
    """Encode a path; ``name`` is the argument's, for errors."""
    try:
        encoded = os.fsencode(path)
    except TypeError:
        raise TypeError(f"{name}: expected a path, got {type(path).__name__}") from None
    if b"\0" in encoded:
        raise ValueError(f"{name}: holds a NUL character")
    return encoded


def preprocessing_bytes(preprocessing: Preprocessing) -> bytes:
    """Encode how images are prepared."""
    if isinstance(preprocessing, Mapping):
        return json.dumps(dict(preprocessing)).encode("utf-8")
    return path_bytes(preprocessing, "preprocessing")


def optional_path(path: Optional[Path], name: str) -> Optional[bytes]:
    """Encode a path, or return None where there is none."""
    return None if path is None else path_bytes(path, name)


def number_or_none(value: Optional[float], name: str) -> Any:
    """Return a number, or what stands for none in C: 0, which callers do not say none with."""
    if value == 0:
        raise ValueError(f"{name}: expected more than 0, or None for none, got 0")
    return value or 0


def specification(path: Union[Path, Tuple[Any, ...], List[Any]]) -> bytes:
    """Encode where a model is: a path, or the files of its image and its text tower."""
    if isinstance(path, (tuple, list)):
        if len(path) != 2:
            raise ValueError(
                f"path: expected a path or (visual, textual), got {len(path)} paths"
            )
        return path_bytes(path[0], "path[0]") + b"," + path_bytes(path[1], "path[1]")
    return path_bytes(path, "path")


def text_bytes(text: str, name: str) -> bytes:
    """Encode a text; ``name`` is the argument's, for errors."""
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected str, got {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{name}: holds a NUL character")
    return text.encode("utf-8")


def text_array(texts: Sequence[str], name: str) -> Any:
    """Make a ``char **`` of texts; it keeps them alive."""
    encoded = [text_bytes(text, f"{name}[{i}]") for i, text in enumerate(texts)]
    return (ctypes.c_char_p * max(1, len(encoded)))(*encoded)


def point_to_texts(options: Any, name: str, texts: Sequence[str]) -> None:
    """Set a member that points to texts, and their count, such as ``classes``, ``class_count``."""
    array = text_array(list(texts), name)
    setattr(options, name, ctypes.cast(array, _capi.c_char_p_p))  # which keeps the array alive
    setattr(options, _COUNTS[name], len(texts))


def point_to_class_features(options: Any, features: Optional[NDArray[Any]]) -> Any:
    """Set the features of classes, [class_count, E], and return what must outlive the call."""
    if features is None:
        return None
    if options.class_count == 0:
        raise ValueError("class_features: have no effect without classes; give a name for each row")
    array = np.ascontiguousarray(features, dtype=np.float32)
    if array.ndim != 2 or array.shape[0] != options.class_count:
        raise ValueError(
            f"class_features: expected [{options.class_count}, E], a row for each class, got "
            f"{list(array.shape)}"
        )
    options.class_features = array.ctypes.data_as(_capi.c_float_p)
    options.class_embed_dim = array.shape[1]
    return array


def point_to_handles(
    options: Any, name: str, objects: Sequence[Handle], kind: Type[Handle]
) -> None:
    """Set a member that points to handles, and their count; the objects must outlive the call."""
    if isinstance(objects, (str, Handle)):
        raise TypeError(
            f"{name}: expected a list of cleanclip.{kind.__name__}, got {type(objects).__name__}")
    pointers = [kind._of(other, f"{name}[{i}]") for i, other in enumerate(objects)]
    array = (ctypes.c_void_p * len(pointers))(*pointers)
    setattr(options, name, ctypes.cast(array, _capi.c_void_p_p))  # which keeps the array alive
    setattr(options, _COUNTS[name], len(pointers))


def path_array(paths: Sequence[Path], name: str) -> Any:
    """Make a ``char **`` of paths; it keeps them alive."""
    encoded = [path_bytes(path, f"{name}[{i}]") for i, path in enumerate(paths)]
    return (ctypes.c_char_p * max(1, len(encoded)))(*encoded)


def precision_value(precision: str) -> int:
    """Return the ``cleanclip_precision`` of a name."""
    if precision not in PRECISIONS:
        expected = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"precision: unknown; expected one of {expected}, got {precision!r}")
    return PRECISIONS[precision]


def read_text(function: Callable[..., Any], *arguments: Any) -> str:
    """Call a function that writes a text: once for the length, once for the text."""
    length = ctypes.c_size_t()
    check(function(*arguments, None, 0, ctypes.byref(length)))
    buffer = ctypes.create_string_buffer(length.value + 1)
    check(function(*arguments, buffer, length.value + 1, ctypes.byref(length)))
    return buffer.raw[: length.value].decode("utf-8")
