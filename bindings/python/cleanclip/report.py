"""Reports of what was done."""

from __future__ import annotations

import ctypes
from typing import Any, Optional

from . import _capi
from ._handle import Path, path_bytes, text_bytes
from .errors import check
from .evaluate import Evaluation
from .history import History
from .model import Model


def write_report(
    path: Path,
    *,
    title: Optional[str] = None,
    subtitle: Optional[str] = None,
    model: Optional[Model] = None,
    before: Optional[Evaluation] = None,
    after: Optional[Evaluation] = None,
    control: Optional[Evaluation] = None,
    history: Optional[History] = None,
    control_history: Optional[History] = None,
) -> None:
    """Write a report: one self-contained page (``.html``), or JSON (``.json``).

    Parameters
    ----------
    model
        Its architecture is described.
    before, after, control
        Evaluations before sanitizing, after it, and after another treatment, such as plain
        fine-tuning.
    history, control_history
        How the losses of the two trainings went.
    """
    options = _capi.initialised(_capi.ReportOptions, _capi.report_options_init)
    if title is not None:
        options.title = text_bytes(title, "title")
    if subtitle is not None:
        options.subtitle = text_bytes(subtitle, "subtitle")
    if model is not None:
        options.model = Model._of(model, "model")
    if before is not None:
        options.before = _result_of(before, "before")
    if after is not None:
        options.after = _result_of(after, "after")
    if control is not None:
        options.control = _result_of(control, "control")
    if history is not None:
        options.history = History._of(history, "history")
    if control_history is not None:
        options.control_history = History._of(control_history, "control_history")
    check(_capi.report_write(ctypes.byref(options), path_bytes(path, "path")))


def _result_of(evaluation: Any, name: str) -> int:
    if not isinstance(evaluation, Evaluation):
        raise TypeError(
            f"{name}: expected cleanclip.Evaluation, got {type(evaluation).__name__}")
    return evaluation._result._pointer()
