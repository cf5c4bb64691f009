"""What failures of the library become in Python."""

from __future__ import annotations

from . import _capi


class CleanCLIPError(Exception):
    """A failure that the library reports.

    Attributes
    ----------
    code : int
        A ``cleanclip_status``; compare with the constants of this module.
    message : str
        ``<what>: <what is wrong>; expected X, got Y[; <remedy>]``.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidArgumentError(CleanCLIPError, ValueError):
    """An argument is out of range or contradicts another one."""


class ShapeError(CleanCLIPError, ValueError):
    """An array has other dimensions than the model needs."""


class NotFoundError(CleanCLIPError, FileNotFoundError):
    """A file, a column, a name or a tokenizer is not there."""


class FileError(CleanCLIPError, OSError):
    """The operating system failed to read or write."""


class FormatError(CleanCLIPError, ValueError):
    """A file is broken or is not what its name says."""


class UnsupportedError(CleanCLIPError, NotImplementedError):
    """A file is valid but needs something that this version does not have."""


class StateError(CleanCLIPError, RuntimeError):
    """The call does not fit the state that things are in."""


class MemoryExhaustedError(CleanCLIPError, MemoryError):
    """The system has no memory for this."""


class CancelledError(CleanCLIPError):
    """A progress callback asked to stop."""


class InternalError(CleanCLIPError, RuntimeError):
    """An internal error."""


_CLASSES: dict[int, type[CleanCLIPError]] = {
    _capi.INVALID_ARGUMENT: InvalidArgumentError,
    _capi.SHAPE: ShapeError,
    _capi.NOT_FOUND: NotFoundError,
    _capi.IO: FileError,
    _capi.FORMAT: FormatError,
    _capi.UNSUPPORTED: UnsupportedError,
    _capi.STATE: StateError,
    _capi.OUT_OF_MEMORY: MemoryExhaustedError,
    _capi.CANCELLED: CancelledError,
    _capi.INTERNAL: InternalError,
}


# What callbacks raised, by the text that the library was given of it, the oldest first.
_raised: dict[str, BaseException] = {}
_RAISED_LIMIT = 64


def remember(error: BaseException, text: str) -> None:
    """Keep what a callback raised, so that the error that comes of it can name it as its cause."""
    if text not in _raised and len(_raised) < _RAISED_LIMIT:
        _raised[text] = error


def check(status: int) -> None:
    """Raise what the last failure on this thread was, unless ``status`` is OK.

    Its cause is the first exception of a callback that the failure tells of.
    """
    if status == _capi.OK:
        return
    text = _capi.last_error().decode("utf-8", "replace")
    # The library escapes control characters.
    cause = next((error for known, error in _raised.items() if _shown(known) in text), None)
    _raised.clear()
    if status == _capi.NOT_FOUND and isinstance(cause, (TypeError, ValueError)):
        status = _capi.INVALID_ARGUMENT  # rows of a host that are none are not missing files
    raise _CLASSES.get(status, InternalError)(status, text) from cause


def _shown(text: str) -> str:
    return text.splitlines()[0][:200] if text else text
