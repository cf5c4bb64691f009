"""What a run of training tells: where it is, and what happened in it."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from . import _capi
from ._display import curve, table
from ._handle import Handle, read_text
from .errors import check


@dataclass(frozen=True)
class Progress:
    """Where training is, after a step.

    Attributes
    ----------
    epoch, epochs, step, steps
        Counted from 1; steps over all epochs. ``step`` is 0 in phases before the first one.
    loss, crossmodal_loss, inmodal_loss
        The weighted sum, and its two parts unweighted.
    logit_scale
        After the step, exponentiated.
    waiting_fraction
        0 … 1, the fraction of the time spent waiting for data.
    phase
        What a method that does more than steps does, such as "searching for targets"; None for others.
    phase_done, phase_total
        How far the phase is; 0 of 0 without one, and a total of 0 while it is not known.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    crossmodal_loss: float
    inmodal_loss: float
    learning_rate: float
    logit_scale: float
    samples_per_second: float
    waiting_fraction: float
    phase: Optional[str] = None
    phase_done: int = 0
    phase_total: int = 0

    @classmethod
    def _from(cls, native: Any) -> Progress:
        values = {name: getattr(native, name) for name in cls.__dataclass_fields__}
        if values["phase"] is not None:
            values["phase"] = values["phase"].decode("utf-8", "replace")
        return cls(**values)


class History(Handle):
    """What happened in each step of a run."""

    _free = _capi.history_free

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __len__(self) -> int:
        return int(_capi.history_count(self._pointer()))

    @property
    def steps(self) -> List[Progress]:
        """The steps, in order."""
        native = _capi.initialised(_capi.Progress, _capi.progress_init)
        result = []
        for index in range(len(self)):
            check(_capi.history_step(self._pointer(), index, ctypes.byref(native)))
            result.append(Progress._from(native))
        return result

    def _facts(self) -> str:
        losses = self.losses
        trend = f", loss {losses[0]:.4f} to {losses[-1]:.4f}" if losses else ""
        verdict = f", {self.verdict}" if self.verdict else ""
        return f"{len(losses)} steps{trend}{verdict}"

    def _repr_html_(self) -> str:
        written = self.as_dict()
        rows = [(name, written["settings"].get(name)) for name in
                ("method", "pairs", "epochs", "batch_size", "learning_rate", "precision")]
        rows += [(name, value) for name, value in self.outcome.items()
                 if isinstance(value, (str, int, float))]
        return table("cleanclip history", rows) + curve("loss of each step", self.losses)

    @property
    def losses(self) -> List[float]:
        """The weighted loss of each step."""
        return [step.loss for step in self.steps]

    @property
    def outcome(self) -> Dict[str, Any]:
        """What the method found beyond losses; empty for most."""
        result: Dict[str, Any] = self.as_dict().get("outcome", {})
        return result

    @property
    def verdict(self) -> Optional[str]:
        """How "unlearn" ended: removed, weakened, nothing_found, or not_removed."""
        result: Optional[str] = self.outcome.get("verdict")
        return result

    def as_dict(self) -> Dict[str, Any]:
        """Return the options and the numbers of each step, as the library writes them."""
        result: Dict[str, Any] = json.loads(read_text(_capi.history_json, self._pointer()))
        return result
