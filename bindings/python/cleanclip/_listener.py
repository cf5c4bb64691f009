"""Progress of the library, passed on to Python."""

from __future__ import annotations

import ctypes
import logging
import signal
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional, Sequence

from . import _capi
from ._progress import Bar, CountProgress
from .errors import check


class Listener:
    """Calls a Python function from C and keeps what it raises, which must not unwind through C."""

    def __init__(self) -> None:
        self.error: Optional[BaseException] = None
        self.bar: Optional[Bar] = None
        self._interrupted = False

    def _call(self, function: Optional[Callable[[], Any]]) -> int:
        if self._interrupted:
            return 1
        try:
            return 1 if function is not None and function() is False else 0
        except BaseException as error:
            self.error = error
            return 1

    @contextmanager
    def listening(self, uses: Sequence[Any] = ()) -> Iterator[None]:
        """Let Ctrl-C cancel the call inside; ``check`` raises ``KeyboardInterrupt`` after it.

        ``uses`` are the handles that the call works with: its callbacks cannot close them.
        """
        for handle in uses:
            handle._uses += 1
        try:
            with self._interruptible():
                yield
        finally:
            for handle in uses:
                handle._uses -= 1
            if self.bar is not None:
                self.bar.close()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Take note of Ctrl-C instead of raising at once.

        Python's own handler raises between any two instructions of the callback, also where
        nothing can catch it. Handlers of the program are left alone.
        """
        own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if not own or threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(number: int, frame: Any) -> None:
            self._interrupted = True

        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self, status: int) -> None:
        """Raise what the function raised, or what the library reports."""
        if self._interrupted:
            raise KeyboardInterrupt
        if self.error is not None:
            raise self.error
        check(status)


class PollListener(Listener):
    """Is asked whether to continue by functions without progress: loading, saving, encoding."""

    def __init__(self) -> None:
        super().__init__()
        self._callback = _capi.PollCallback(lambda user_data: self._call(None))

    @contextmanager
    def listening(self, uses: Sequence[Any] = ()) -> Iterator[None]:
        """Let Ctrl-C end the call inside; ``check`` raises ``KeyboardInterrupt`` after it."""
        with super().listening(uses):
            _capi.set_poll_callback(self._callback, None)
            try:
                yield
            finally:
                _capi.set_poll_callback(_no_poll, None)


_no_poll = _capi.PollCallback()


class CountListener(Listener):
    """Called with counts; ``label`` stands before the bar that ``True`` draws."""

    def __init__(self, progress: CountProgress, label: str = "") -> None:
        super().__init__()
        if progress is True:
            self.bar = Bar(label)
            self._function: Any = self.bar.update
        else:
            self._function = progress or None
        self.callback = _capi.CountCallback(self._called)

    def _called(self, done: int, total: int, user_data: Any) -> int:
        function = self._function
        return self._call(None if function is None else lambda: function(done, total))

    def made(
        self, function: Callable[..., int], *arguments: Any, uses: Sequence[Any] = ()
    ) -> int:
        """Call a function that ends with a callback, its data and ``out_handle``; return that."""
        handle = ctypes.c_void_p()
        with self.listening(uses):
            status = function(*arguments, self.callback, None, ctypes.byref(handle))
        self.check(status)
        if handle.value is None:
            raise RuntimeError("cleanclip: a function succeeded without a handle")
        return handle.value


def _log(severity: int, message: bytes, user_data: Any) -> None:
    # The library's severities have the numbers of logging's levels.
    logging.getLogger("cleanclip").log(severity, "%s", message.decode("utf-8", "replace"))


_log_callback = _capi.MessageCallback(_log)  # the library keeps no reference of Python's


def forward_log() -> None:
    """Pass what the library has to say on to the logger "cleanclip"."""
    _capi.set_message_callback(_log_callback, None)
