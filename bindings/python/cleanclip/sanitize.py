"""Sanitizing: removing a backdoor."""

from __future__ import annotations

import ctypes
import json
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Union

from . import _capi
from ._handle import (
    Handle,
    Path,
    count_or_none,
    optional_path,
    precision_value,
    read_text,
    text_bytes,
)
from ._listener import Listener
from .dataset import DatasetSource, open_dataset
from .errors import CleanCLIPError, NotFoundError, check
from .model import Model
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Progress:
    """Where training is, after a step.

    Attributes
    ----------
    epoch, epochs, step, steps
        Counted from 1; steps over all epochs.
    loss, crossmodal_loss, inmodal_loss
        The weighted sum, and its two parts unweighted.
    logit_scale
        After the step, exponentiated.
    waiting_share
        0 … 1, the part of the time spent waiting for data.
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
    waiting_share: float

    @classmethod
    def _from(cls, native: Any) -> Progress:
        return cls(**{name: getattr(native, name) for name in cls.__dataclass_fields__})


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


ProgressFunction = Callable[[Progress], Optional[bool]]


class _ProgressListener(Listener):
    """Called after steps."""

    def __init__(self, function: Optional[ProgressFunction]) -> None:
        super().__init__()
        self._function = function
        self.callback = _capi.ProgressCallback(self._hear)

    def _hear(self, progress: Any, user_data: Any) -> int:
        function = self._function
        if function is None:
            return self._call(None)
        return self._call(lambda: function(Progress._from(progress.contents)))


def _print_progress(progress: Progress) -> None:
    """Draw a bar on a terminal, or print a line at the end of each epoch."""
    last = progress.step == progress.steps
    text = (
        f"epoch {progress.epoch}/{progress.epochs} step {progress.step}/{progress.steps} "
        f"loss {progress.loss:.4f} {progress.samples_per_second:.0f} pairs/s"
    )
    if sys.stderr.isatty():
        filled = 24 * progress.step // max(1, progress.steps)
        bar = "#" * filled + "." * (24 - filled)
        print(f"\r[{bar}] {text}", end="\n" if last else "", file=sys.stderr, flush=True)
    elif progress.step % max(1, progress.steps // progress.epochs) == 0:
        print(text, file=sys.stderr, flush=True)


def _tokenizer_pointer(model: Model, tokenizer: Optional[Tokenizer]) -> Optional[int]:
    """Return the tokenizer, the model's, or None: the method knows whether it needs one."""
    try:
        return (tokenizer or model.tokenizer)._pointer()
    except NotFoundError:
        return None


def sanitize(
    model: Model,
    data: Optional[DatasetSource] = None,
    method: str = "cleanclip",
    *,
    images: Optional[DatasetSource] = None,
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 1e-5,
    warmup_steps: int = 50,
    weight_decay: float = 0.1,
    clip_weight: float = 1.0,
    inmodal_weight: float = 1.0,
    seed: int = 0,
    precision: str = "auto",
    memory_budget: Optional[int] = None,
    state_directory: Optional[Path] = None,
    save_every: int = 200,
    resume: bool = False,
    head_path: Optional[Path] = None,
    class_count: Optional[int] = None,
    max_accuracy_loss: Optional[float] = None,
    tokenizer: Optional[Tokenizer] = None,
    progress: Union[bool, ProgressFunction] = False,
) -> History:
    """Remove a backdoor from a model, which is updated.

    A model must not be used from another thread meanwhile.

    Parameters
    ----------
    model
        The model to clean.
    data
        Clean pairs: a :class:`Dataset`, files, or a sequence of (image, caption).
    method
        "cleanclip": contrastive loss between images and captions plus self-supervised loss
        inside each; "supervised": cross-entropy on labelled images, image tower only;
        "unlearn": triggers are recovered and unlearned with unlabelled images, image tower only.
    images
        Unlabelled images, in the place of ``data``, for "unlearn".
    epochs, batch_size, learning_rate, warmup_steps, weight_decay
        Of AdamW with linear warm-up and cosine decay.
    clip_weight, inmodal_weight
        "cleanclip": the paper's lambda 1 and lambda 2; ``inmodal_weight=0`` is plain fine-tuning.
    seed
        Order, augmentation, head.
    precision
        "auto", "f32" or "bf16".
    memory_budget
        Bytes that training may use; none by default: no limit.
    state_directory, save_every, resume
        Folder for the resumable state, steps between saves, and whether to resume from it.
    head_path, class_count
        "supervised": a safetensors file for the head, and its number of classes; none by default:
        one more than the highest label.
    max_accuracy_loss
        "unlearn": percentage points of held-out images that may be classified otherwise than
        before; more ends the run. None by default: no limit.
    progress
        ``True`` prints; a function is called after each step and cancels by returning ``False``.

    Returns
    -------
    History

    Raises
    ------
    CancelledError
        When ``progress`` returned ``False``; its attribute ``history`` has the steps so far.
    """
    if (data is None) == (images is None):
        raise TypeError("sanitize() takes one of data and images")
    options = _capi.initialised(_capi.SanitizeOptions, _capi.sanitize_options_init)
    options.method = text_bytes(method, "method")
    options.state_directory = optional_path(state_directory, "state_directory")
    options.head_path = optional_path(head_path, "head_path")
    options.epochs, options.batch_size = epochs, batch_size
    options.warmup_steps, options.save_every = warmup_steps, save_every
    options.memory_budget = count_or_none(memory_budget, "memory_budget")
    options.class_count = count_or_none(class_count, "class_count")
    if max_accuracy_loss is not None:
        options.max_accuracy_loss = max_accuracy_loss
    options.seed = seed & (2**64 - 1)
    options.learning_rate, options.weight_decay = learning_rate, weight_decay
    options.clip_weight, options.inmodal_weight = clip_weight, inmodal_weight
    options.precision = precision_value(precision)
    options.resume = 1 if resume else 0

    function = _print_progress if progress is True else (progress or None)
    listener = _ProgressListener(function)
    source = images if data is None else data
    assert source is not None
    dataset = open_dataset(source)
    handle = ctypes.c_void_p()
    with listener.listening():
        status = _capi.sanitize(
            model._pointer(),
            _tokenizer_pointer(model, tokenizer),
            dataset._pointer(),
            ctypes.byref(options),
            listener.callback,
            None,
            ctypes.byref(handle),
        )
    history = History(handle.value) if handle.value is not None else None
    try:
        listener.check(status)
    except CleanCLIPError as error:
        error.history = history  # type: ignore[attr-defined]
        raise
    if history is None:
        raise RuntimeError("cleanclip: training succeeded without a history")
    return history
