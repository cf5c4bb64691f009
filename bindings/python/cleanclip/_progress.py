"""Bars: how far a call is, on a terminal, in a notebook, or as lines in a log."""

from __future__ import annotations

import html
import importlib
import os
import sys
import time
from typing import Any, Callable, Optional, Union

#: Called with how many of how many are done; ``False`` cancels.
CountFunction = Callable[[int, int], Optional[bool]]
#: ``True`` for a bar, or a function.
CountProgress = Union[bool, CountFunction, None]

_WIDTH = 24
_SECONDS_BETWEEN = 0.1


class Bar:
    """A bar of one call, on standard error or below the cell of a notebook.

    Where there is neither terminal nor notebook, a line is printed whenever another tenth is done.

    Parameters
    ----------
    label
        What is done, such as "check".
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._drawn = -1.0
        self._tenth = 0
        self._is_open = False
        self._display: Any = None
        self._notebook = _notebook()

    def relabel(self, label: str) -> None:
        """Go on with something else."""
        if label != self._label:
            self._label = label
            self._tenth = 0
            self.close()

    def update(self, done: int, total: int, text: str = "") -> None:
        """Show that ``done`` of ``total`` are done; ``text`` is shown behind them."""
        now = time.monotonic()
        last = done >= total
        line = f"{self._label} {done}/{total}" + (f" {text}" if text else "")
        if self._notebook is None and not sys.stderr.isatty():
            tenth = 10 * done // max(1, total)
            if tenth > self._tenth:
                print(line, file=sys.stderr, flush=True)
            self._tenth = tenth
            return
        if not last and now - self._drawn < _SECONDS_BETWEEN:
            return
        self._drawn = now
        if self._notebook is not None:
            self._show(
                f'<progress value="{done}" max="{max(1, total)}"></progress> {html.escape(line)}')
            return
        print(f"\r{_drawn(done, total, line, _columns())}\033[K", end="", file=sys.stderr, flush=True)
        self._is_open = True

    def close(self) -> None:
        """End the line of a terminal, also of a call that did not come to its end."""
        if self._is_open:
            print(file=sys.stderr, flush=True)
        self._is_open = False

    def _show(self, text: str) -> None:
        content = self._notebook.HTML(text)
        if self._display is None:
            self._display = self._notebook.display(content, display_id=True)
        else:
            self._display.update(content)


def _columns() -> int:
    """Return the columns of the terminal, 0 when it does not tell."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (AttributeError, OSError, ValueError):  # a stream without a file
        return 0


def _drawn(done: int, total: int, line: str, columns: int) -> str:
    """Return a bar and the line, no wider than the terminal, on which a wider one stays at each redraw."""
    room = columns - 1 if columns > 0 else 1 << 20
    width = max(0, min(_WIDTH, room - len(line) - 3))
    filled = width * min(done, max(1, total)) // max(1, total)
    bar = f"[{'#' * filled}{'.' * (width - filled)}] " if width > 4 else ""
    return (bar + line)[:room]


def _notebook() -> Any:
    """Return IPython's module for display inside of a notebook, else nothing."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    if running is None or getattr(running, "kernel", None) is None:
        return None
    return importlib.import_module("IPython.display")
