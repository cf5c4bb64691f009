"""Sanitizing: removing a backdoor."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterable,
    Optional,
    Sequence,
    TypedDict,
    Union,
)

from numpy.typing import NDArray

from . import _capi, inputs
from ._handle import (
    Path,
    point_to_class_features,
    point_to_handles,
    point_to_texts,
    text_bytes,
)
from ._listener import Listener
from ._options import chosen, native, takes
from ._progress import Bar
from ._torch import names_of, write_into
from .attack import Trigger
from .communicator import Communicator
from .dataset import Dataset, DatasetSource, open_dataset
from .errors import CleanCLIPError, NotFoundError
from .history import History, Progress
from .loading import load
from .model import Model
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Unpack


ProgressFunction = Callable[[Progress], Optional[bool]]


class _ProgressListener(Listener):
    """Called after steps."""

    def __init__(self, progress: Union[bool, ProgressFunction, None]) -> None:
        super().__init__()
        if progress is True:
            self.bar = Bar("step")
            self._function: Any = self._draw
        else:
            self._function = progress or None
        self.callback = _capi.ProgressCallback(self._called)

    def _called(self, progress: Any, user_data: Any) -> int:
        function = self._function
        if function is None:
            return self._call(None)
        return self._call(lambda: function(Progress._from(progress.contents)))

    def _draw(self, progress: Progress) -> None:
        assert self.bar is not None
        if progress.phase is not None:
            self.bar.relabel(progress.phase)
            self.bar.update(progress.phase_done, progress.phase_total)
            return
        self.bar.update(
            progress.step, progress.steps,
            f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.4f} "
            f"{progress.samples_per_second:.0f} pairs/s")


def _tokenizer_pointer(model: Model, tokenizer: Optional[Tokenizer]) -> Optional[int]:
    """Return the tokenizer, the model's, or None: the method knows whether it needs one."""
    try:
        return Tokenizer._of(tokenizer or model.tokenizer, "tokenizer")
    except NotFoundError:
        return None


@dataclass(frozen=True)
class SanitizeOptions:
    """How a model is sanitized; methods refuse options that are not theirs.

    Attributes
    ----------
    epochs
        Of the whole run.
    batch_size
        Pairs per step, of all ranks together.
    learning_rate
        Highest rate of AdamW, with linear warm-up and cosine decay.
    warmup_steps
        Steps of linear warm-up.
    weight_decay
        Of AdamW.
    clip_weight
        "cleanclip": the paper's lambda 1, of the contrastive loss between images and captions.
    inmodal_weight
        "cleanclip": the paper's lambda 2, of the self-supervised loss; 0 is plain fine-tuning.
    seed
        Order, augmentation, head.
    precision
        "auto", "f32" or "bf16".
    memory_budget
        Bytes that training may use; none by default: no limit.
    state_directory
        Folder for the resumable state.
    save_every
        Steps between saved states; 0 saves at the end of epochs only.
    resume
        Whether to resume from the state.
    sync_batch_norm
        Whether batch norm takes its statistics over the batch of all ranks, as one process
        does.
    head_path
        "supervised": a safetensors file for the head.
    head_classes
        "supervised": classes of the head; none by default: one more than the highest label.
    max_accuracy_loss
        "unlearn": percentage points of held-out images that may be classified otherwise than
        before; more ends the run. None by default: no limit.
    perturb_threshold
        "par": mean squared distance of L2-normalized features from the initial ones up to which
        they are pushed, at most 4.
    persistence_steps
        "unlearn": steps of benign training of a copy, after which triggers are measured again;
        0 for none.
    suspects
        A list of rows that are taken for poisoned, as a check writes it to ``.suspects``: left
        out, and by "unlearn" unlearned.
    check_data
        Methods that need captions: whether 500 pairs or more are checked with the model first, and
        those that look poisoned or lie far apart are left out, unless ``suspects`` are given.
    text
        "unlearn": whether words that make captions of anything mean the same are looked for
        too, and unlearned in the text tower.
    attack_epsilon
        "simclip": how far the attack may move a value of an image, in 255ths of the pixel range.
    attack_step_size
        "simclip": how far it moves it in a step, in 255ths too.
    attack_steps
        "simclip": steps of the attack on each batch.
    match_every
        "roclip": in every so many epochs one has images matched with the pool.
    pool_fraction
        "roclip": captions of the pool, as a fraction of the pairs.
    safe_probability
        "safeclip": the probability of agreeing above which a pair is safe at first.
    inmodal_epochs
        "safeclip": epochs of self-supervision before images and captions meet; ``epochs`` is 2
        more or higher.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-5
    warmup_steps: int = 50
    weight_decay: float = 0.1
    clip_weight: float = 1.0
    inmodal_weight: float = 1.0
    seed: int = 0
    precision: str = "auto"
    memory_budget: Optional[int] = None
    state_directory: Optional[Path] = None
    save_every: int = 200
    resume: bool = False
    sync_batch_norm: bool = True
    head_path: Optional[Path] = None
    head_classes: Optional[int] = None
    max_accuracy_loss: Optional[float] = None
    perturb_threshold: float = 2.15
    persistence_steps: int = 300
    suspects: Optional[Path] = None
    check_data: bool = True
    text: bool = False
    attack_epsilon: float = 4.0
    attack_step_size: float = 1.0
    attack_steps: int = 10
    match_every: int = 2
    pool_fraction: float = 0.02
    safe_probability: float = 0.9
    inmodal_epochs: int = 5


class SanitizeKeywords(TypedDict, total=False):
    """The fields of :class:`SanitizeOptions` as keywords."""

    epochs: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    clip_weight: float
    inmodal_weight: float
    seed: int
    precision: str
    memory_budget: Optional[int]
    state_directory: Optional[Path]
    save_every: int
    resume: bool
    sync_batch_norm: bool
    head_path: Optional[Path]
    head_classes: Optional[int]
    max_accuracy_loss: Optional[float]
    perturb_threshold: float
    persistence_steps: int
    suspects: Optional[Path]
    check_data: bool
    text: bool
    attack_epsilon: float
    attack_step_size: float
    attack_steps: int
    match_every: int
    pool_fraction: float
    safe_probability: float
    inmodal_epochs: int


@takes(SanitizeOptions)
def sanitize(
    model: Union[Model, Any],
    data: Optional[DatasetSource] = None,
    method: str = "cleanclip",
    *,
    images: Optional[DatasetSource] = None,
    classes: Union[Path, Iterable[str], None] = None,
    templates: Union[Path, Iterable[str], None] = None,
    class_features: Optional[NDArray[Any]] = None,
    triggers: Sequence[Trigger] = (),
    communicator: Optional[Communicator] = None,
    tokenizer: Optional[Tokenizer] = None,
    options: Optional[SanitizeOptions] = None,
    progress: Union[bool, ProgressFunction] = False,
    **keywords: Unpack[SanitizeKeywords],
) -> History:
    """Remove a backdoor from a model, which is updated.

    A model must not be used from another thread meanwhile. A PyTorch module has its old weights
    until all is done, and keeps them when the call fails or is cancelled.

    Parameters
    ----------
    model
        The model to clean: a :class:`Model`, or a PyTorch module of OpenCLIP or transformers.
    data
        Clean pairs: a :class:`Dataset`, files, or a sequence of (image, caption).
    method
        "cleanclip": contrastive loss between images and captions plus self-supervised loss
        inside each; "supervised": cross-entropy on labelled images, image tower only;
        "unlearn": triggers are recovered and unlearned with unlabelled images, in the image tower, and
        with ``text`` in the text tower;
        "par": contrastive loss while features are pushed away from where they were;
        "simclip": the image tower is made robust against small changes of unlabelled images, which
        removes no backdoor by itself;
        "roclip": contrastive loss on augmented pairs, every few epochs with captions of a pool in the
        place of the images' own;
        "safeclip": contrastive loss on pairs whose image and caption agree, self-supervised loss on the
        others.
    images
        Unlabelled images, in the place of ``data``, for "unlearn" and "simclip".
    classes, templates
        "unlearn": names of classes that may be a target and prompts for them, or text files with
        one on each line; none by default: common nouns that short searches reach cheapest, or
        groups of the images without a text tower.
    class_features
        Features of the classes in place of prompts, float [classes, E] of any length, such as those of
        learned prompts; neither templates nor a tokenizer go with them.
    triggers
        "unlearn": triggers that are known, such as those that a check recovered; unlearned with
        what is found.
    communicator
        The ranks that run it together. Each makes the call with the same
        model, all of the data and the same options, and has the same weights afterwards, which are
        those of one process with the same ``batch_size`` but for rounding.
    options, or each as a keyword
        See :class:`SanitizeOptions`; a keyword comes before the field of ``options``.
    progress
        ``True`` draws a bar; a function is called after each step and cancels by returning ``False``.

    Raises
    ------
    CancelledError
        When ``progress`` returned ``False``; its attribute ``history`` has the steps so far.
    """
    if (data is None) == (images is None):
        raise TypeError("sanitize() takes one of data and images")
    given = native(
        _capi.SanitizeOptions,
        _capi.sanitize_options_init,
        chosen(SanitizeOptions, options, keywords, "sanitize"),
    )
    given.method = text_bytes(method, "method")
    if classes is not None:
        point_to_texts(given, "classes", inputs.lines(classes, "classes"))
    if templates is not None:
        point_to_texts(given, "templates", inputs.lines(templates, "templates"))
    kept = point_to_class_features(given, class_features)  # lives through the call
    point_to_handles(given, "triggers", triggers, Trigger)
    if communicator is not None:
        given.communicator = ctypes.pointer(communicator._struct)
    source = images if data is None else data
    assert source is not None
    dataset, listener = open_dataset(source), _ProgressListener(progress)
    if isinstance(model, Model):
        return _run(model, tokenizer, dataset, given, listener)
    with load(model, tokenizer) as copy:
        history = _run(copy, tokenizer, dataset, given, listener)
        write_into(model, copy.state_dict(names_of(model)))
    return history


def _run(
    model: Model,
    tokenizer: Optional[Tokenizer],
    dataset: Dataset,
    options: _capi.SanitizeOptions,
    listener: _ProgressListener,
) -> History:
    handle = ctypes.c_void_p()
    with listener.listening([model, dataset]):
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
