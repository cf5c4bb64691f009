"""Progress of the library, passed on to Python."""

from __future__ import annotations

import logging
from typing import Any, Callable, Optional

from . import _capi
from .errors import check

#: Hears how many of how many are done; ``False`` cancels.
CountFunction = Callable[[int, int], Optional[bool]]


class Listener:
    """Calls a Python function from C and keeps what it raises, which must not unwind through C."""

    def __init__(self) -> None:
        self.error: Optional[BaseException] = None

    def _call(self, function: Optional[Callable[[], Any]]) -> int:
        # Also without a function: this is where Python notices Ctrl-C.
        try:
            return 1 if function is not None and function() is False else 0
        except BaseException as error:
            self.error = error
            return 1

    def check(self, status: int) -> None:
        """Raise what the function raised, or what the library reports."""
        if self.error is not None:
            raise self.error
        check(status)


class CountListener(Listener):
    """Hears counts."""

    def __init__(self, function: Optional[CountFunction]) -> None:
        super().__init__()
        self._function = function
        self.callback = _capi.CountCallback(self._hear)

    def _hear(self, done: int, total: int, user_data: Any) -> int:
        function = self._function
        return self._call(None if function is None else lambda: function(done, total))


@_capi.LogCallback
def _log(message: bytes, user_data: Any) -> None:
    logging.getLogger("cleanclip").warning("%s", message.decode("utf-8", "replace"))


def forward_log() -> None:
    """Pass what the library has to say on to the logger "cleanclip"."""
    _capi.set_log_callback(_log, None)
