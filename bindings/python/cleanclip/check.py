"""Poison checks of a checkpoint, of a dataset, and of images."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from . import _capi, inputs
from ._handle import (
    Floats,
    Handle,
    Path,
    created,
    optional_path,
    path_bytes,
    precision_value,
    read_text,
    text_array,
)
from ._listener import CountFunction, CountListener
from .attack import Trigger
from .dataset import DatasetSource, open_dataset
from .errors import CancelledError, check
from .model import Model
from .tokenizer import Tokenizer

# A multiple of the images that the library encodes at a time.
_IMAGES_AT_A_TIME = 64


class _Result(Handle):
    _free = _capi.check_free

    def __init__(self, handle: int) -> None:
        self._handle = handle


_VERDICTS = {
    _capi.VERDICT_CLEAN: "clean",
    _capi.VERDICT_SUSPICIOUS: "suspicious",
    _capi.VERDICT_BACKDOORED: "backdoored",
    _capi.VERDICT_CANNOT_TELL: "cannot_tell",
}


@dataclass(frozen=True)
class Finding:
    """What one search of a check of a model found."""

    #: In the image tower one of docs/triggers.md, such as "patch"; "word" in the text tower.
    kind: str
    #: The class that was searched for; ``None`` for none.
    target: Optional[str]
    #: The word that was found; ``None`` for triggers in images.
    word: Optional[str]
    #: Of the smallest trigger, as ``size_meaning`` says.
    size: float
    size_meaning: str
    #: The sizes that ``size`` is compared with, and where they come from.
    reference_sizes: Tuple[float, ...]
    reference_source: str
    #: 1 when there is no trigger, or none that works on held-out images.
    p_value: float
    #: Of this search alone: "clean", "suspicious", "backdoored" or "cannot_tell".
    verdict: str
    #: The class, or the noun, that triggered inputs move to most; ``None`` when unknown.
    predicted_target: Optional[str]
    #: Share of held-out images that the trigger turns into it; ``None`` when unknown.
    attack_success_rate: Optional[float]
    #: What was recovered, to be saved, applied or evaluated; ``None`` when nothing was.
    trigger: Optional[Trigger]


def _finding(check_handle: int, index: int) -> Finding:
    value = _capi.initialised(_capi.Finding, _capi.finding_init)
    check(_capi.check_finding(check_handle, index, ctypes.byref(value)))
    sizes = np.empty(value.reference_count, np.float32)
    check(
        _capi.check_finding_reference(
            check_handle, index, sizes.ctypes.data_as(_capi.c_float_p), sizes.size
        )
    )
    trigger = None
    if value.has_trigger:
        trigger = Trigger._adopt(created(_capi.check_finding_trigger, check_handle, index))

    def text(encoded: Optional[bytes]) -> Optional[str]:
        return None if encoded is None else encoded.decode("utf-8")

    return Finding(
        kind=value.kind.decode("utf-8"),
        target=text(value.target),
        word=text(value.word),
        size=value.size,
        size_meaning=value.size_meaning.decode("utf-8"),
        reference_sizes=tuple(sizes.tolist()),
        reference_source=value.reference_source.decode("utf-8"),
        p_value=value.p_value,
        verdict=_VERDICTS[value.verdict],
        predicted_target=text(value.predicted_target),
        attack_success_rate=value.attack_success_rate if value.attack_success_rate >= 0 else None,
        trigger=trigger,
    )


class Check(Dict[str, Any]):
    """The result of a check, with the keys of ``cleanclip check --json``."""

    def __init__(self, handle: int) -> None:
        self._result = _Result(handle)
        super().__init__(json.loads(read_text(_capi.check_json, handle)))

    @property
    def verdict(self) -> str:
        """What is concluded: "clean", "suspicious", "backdoored" or "cannot_tell"."""
        return _VERDICTS[_capi.check_verdict(self._result._pointer())]

    @property
    def explanation(self) -> str:
        """Why, in words for people who do not know the method."""
        return str(self["explanation"])

    @property
    def findings(self) -> List[Finding]:
        """What each search of a check of a model found, the text tower last; its triggers are new
        with each call. Empty for a dataset."""
        handle = self._result._pointer()
        return [_finding(handle, index) for index in range(_capi.check_finding_count(handle))]

    @property
    def scores(self) -> Floats:
        """Scores of all rows in the order of the dataset, float32 [n]; higher is worse, NaN where a
        row could not be read."""
        handle = self._result._pointer()
        scores = np.empty(_capi.check_score_count(handle), np.float32)
        check(
            _capi.check_scores(
                handle, scores.ctypes.data_as(_capi.c_float_p), scores.size
            )
        )
        return scores

    def write(self, path: Path) -> None:
        """Write a page (.html), .json, or for a dataset the scores (.csv) or kept rows (.txt)."""
        check(_capi.check_write(self._result._pointer(), path_bytes(path, "path")))


def check_model(
    model: Model,
    images: Optional[DatasetSource] = None,
    *,
    classes: Union[Path, Iterable[str], None] = None,
    templates: Union[Path, Iterable[str], None] = None,
    references: Sequence[Model] = (),
    tokenizer: Optional[Tokenizer] = None,
    nouns: bool = True,
    text: bool = False,
    state_directory: Optional[Path] = None,
    resume: bool = False,
    image_limit: int = 256,
    steps: int = 200,
    batch_size: int = 12,
    reference_searches: int = 3,
    class_searches: int = 10,
    seed: int = 0,
    precision: str = "f32",
    progress: Optional[CountFunction] = None,
) -> Check:
    """Look for a backdoor in a model by inverting triggers.

    Parameters
    ----------
    images
        A few hundred unlabelled images; without any, synthetic ones are used.
    classes, templates
        Class names and prompts to read the target out of, or text files with one on each line.
    references
        Clean checkpoints of the same architecture.
    nouns
        Whether the target is read out of common nouns too.
    text
        Whether the text tower is checked too.
    state_directory, resume
        Folder for finished searches, and whether to resume from it.
    image_limit, steps, batch_size
        Images used at most, steps of a search at most, and its batch size.
    reference_searches
        Searches of each space in the model itself to compare with, without ``references``.
    class_searches
        Classes with a targeted search at most; 0 leaves these searches out.
    progress
        Called with steps done and all; cancels by returning ``False``.
    """
    options = _capi.initialised(_capi.CheckModelOptions, _capi.check_model_options_init)
    dataset = None if images is None else open_dataset(images)
    if dataset is not None:
        options.images = dataset._pointer()
    if classes is not None or nouns or text:
        options.tokenizer = (tokenizer or model.tokenizer)._pointer()
    if classes is not None:
        names = inputs.lines(classes, "classes")
        class_array = text_array(names, "classes")
        options.classes = ctypes.cast(class_array, _capi.c_char_p_p)
        options.class_count = len(names)
    if templates is not None:
        prompts = inputs.lines(templates, "templates")
        template_array = text_array(prompts, "templates")
        options.templates = ctypes.cast(template_array, _capi.c_char_p_p)
        options.template_count = len(prompts)
    handles = (ctypes.c_void_p * len(references))(*(other._pointer() for other in references))
    options.references = ctypes.cast(handles, _capi.c_void_p_p)
    options.reference_count = len(references)
    options.state_directory = optional_path(state_directory, "state_directory")
    options.nouns = int(nouns)
    options.text = int(text)
    options.resume = int(resume)
    options.image_limit = image_limit
    options.steps = steps
    options.batch_size = batch_size
    options.reference_searches = reference_searches
    options.class_searches = class_searches
    options.seed = seed & (2**64 - 1)
    options.precision = precision_value(precision)
    listener = CountListener(progress)
    handle = ctypes.c_void_p()
    with listener.listening():
        status = _capi.check_model(
            model._pointer(),
            ctypes.byref(options),
            listener.callback,
            None,
            ctypes.byref(handle),
        )
    listener.check(status)
    return _made(handle)


def check_data(
    model: Optional[Model],
    data: Optional[DatasetSource],
    *,
    trusted: Optional[Model] = None,
    image_features: Optional[NDArray[Any]] = None,
    trusted_features: Optional[Tuple[NDArray[Any], NDArray[Any]]] = None,
    keys: Optional[Sequence[str]] = None,
    captions: Optional[Sequence[str]] = None,
    patches: bool = False,
    assumed_poison_rate: float = 0.01,
    allow_unread: float = 2,
    state_directory: Optional[Path] = None,
    resume: bool = False,
    seed: int = 0,
    precision: str = "f32",
    progress: Optional[CountFunction] = None,
) -> Check:
    """Look for poisoned pairs in the data that a model was trained on.

    Parameters
    ----------
    model
        The suspect; ``None`` with ``image_features``, or with a trusted checkpoint alone.
    data
        The pairs; ``None`` with features, whose report has no images then.
    trusted
        Another checkpoint, which was not trained on the data.
    image_features
        float32 [n, E] of the suspect, not normalised, in the order of the data.
    trusted_features
        float32 [n, E] of images and of captions by a trusted checkpoint.
    keys, captions
        Without ``data``: names and captions of the pairs. They are called by the numbers of their
        rows, from 0, without names.
    patches
        Whether patches that recur in many images count.
    allow_unread
        What may be left out of the data unread under a clean verdict, which is "cannot_tell"
        otherwise: a number from 1, below 1 a share of all rows.
    state_directory, resume
        Folder for the pairs that were read, and whether to resume from it.
    progress
        Called with pairs done and twice their number, because they are read first and compared
        then; cancels by returning ``False``.
    """
    options = _capi.initialised(_capi.CheckDataOptions, _capi.check_data_options_init)
    dataset = None if data is None else open_dataset(data)
    if trusted is not None:
        options.trusted = trusted._pointer()
        options.trusted_tokenizer = trusted.tokenizer._pointer()
    matrices = _point_to_features(options, image_features, trusted_features)
    lengths = {name: len(matrix) for name, matrix in matrices.items()}
    texts = {name: list(given) for name, given in (("keys", keys), ("captions", captions)) if given}
    lengths.update((name, len(given)) for name, given in texts.items())
    if dataset is not None and texts:
        raise ValueError("keys and captions: expected with features alone, got data too")
    pairs = len(dataset) if dataset is not None else next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != pairs:
            raise ValueError(f"{name}: expected {pairs} rows, one for each pair, got {length}")
    arrays = {name: text_array(given, name) for name, given in texts.items()}
    for name, array in arrays.items():
        setattr(options, name, ctypes.cast(array, _capi.c_char_p_p))
    options.pair_count = pairs
    options.assumed_poison_rate = assumed_poison_rate
    options.allow_unread = allow_unread
    options.patches = int(patches)
    options.state_directory = optional_path(state_directory, "state_directory")
    options.resume = int(resume)
    options.seed = seed & (2**64 - 1)
    options.precision = precision_value(precision)
    listener = CountListener(progress)
    handle = ctypes.c_void_p()
    with listener.listening():
        status = _capi.check_data(
            None if model is None else model._pointer(),
            None if dataset is None else dataset._pointer(),
            ctypes.byref(options),
            listener.callback,
            None,
            ctypes.byref(handle),
        )
    listener.check(status)
    return _made(handle)


def _point_to_features(
    options: _capi.CheckDataOptions,
    features: Optional[NDArray[Any]],
    trusted: Optional[Tuple[NDArray[Any], NDArray[Any]]],
) -> Dict[str, Floats]:
    """Return the arrays that the options point to, which must outlive them."""
    matrices = {}
    if features is not None:
        values = matrices["image_features"] = _matrix(features, "image_features")
        options.image_features = values.ctypes.data_as(_capi.c_float_p)
        options.embed_dim = values.shape[1]
    if trusted is not None:
        images = matrices["trusted_features[0]"] = _matrix(trusted[0], "trusted_features[0]")
        captions = matrices["trusted_features[1]"] = _matrix(trusted[1], "trusted_features[1]")
        if images.shape[1] != captions.shape[1]:
            raise ValueError(
                f"trusted_features: expected arrays of one width, got {images.shape[1]} and "
                f"{captions.shape[1]}"
            )
        options.trusted_image_features = images.ctypes.data_as(_capi.c_float_p)
        options.trusted_text_features = captions.ctypes.data_as(_capi.c_float_p)
        options.trusted_embed_dim = images.shape[1]
    return matrices


def _made(handle: ctypes.c_void_p) -> Check:
    if handle.value is None:
        raise RuntimeError("cleanclip: the check succeeded without a result")
    return Check(handle.value)


def _matrix(values: NDArray[Any], name: str) -> Floats:
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != 2:
        raise ValueError(f"{name}: expected [n, E], got {list(array.shape)}")
    return array


class Bank(Handle):
    """Features of clean images, against which others are judged.

    Parameters
    ----------
    features
        float32 [n, E] of at least 50 clean images, from
        ``model.encode_image(..., normalize=False)``, or the path of a saved bank.
    """

    _free = _capi.bank_free

    def __init__(self, features: Union[NDArray[Any], Path]) -> None:
        handle = ctypes.c_void_p()
        if isinstance(features, np.ndarray):
            values = _matrix(features, "features")
            status = _capi.bank_create(
                values.ctypes.data_as(_capi.c_float_p), *values.shape, ctypes.byref(handle)
            )
        else:
            status = _capi.bank_load(path_bytes(features, "features"), ctypes.byref(handle))
        check(status)
        self._handle = handle.value

    def add_classes(
        self,
        model: Model,
        classes: Union[Path, Iterable[str]],
        templates: Union[Path, Iterable[str]] = (),
        tokenizer: Optional[Tokenizer] = None,
    ) -> None:
        """Add class texts by the bank's model, which give images two more signals."""
        names = inputs.lines(classes, "classes")
        prompts = inputs.lines(templates, "templates")
        class_array = text_array(names, "classes")
        template_array = text_array(prompts, "templates")
        check(
            _capi.bank_add_classes(
                self._pointer(),
                model._pointer(),
                (tokenizer or model.tokenizer)._pointer(),
                ctypes.cast(class_array, _capi.c_char_p_p),
                len(names),
                ctypes.cast(template_array, _capi.c_char_p_p),
                len(prompts),
            )
        )

    def save(self, path: Path) -> None:
        """Write the bank as a safetensors file."""
        check(_capi.bank_save(self._pointer(), path_bytes(path, "path")))


class InputFindings(NamedTuple):
    """What is concluded of images."""

    #: float32 [n]; higher is more suspicious.
    scores: Floats
    #: bool [n]: whether an image is above the threshold.
    flagged: NDArray[np.bool_]


def _encoded(
    model: Model, images: Any, precision: str, progress: Optional[CountFunction]
) -> Floats:
    """Encode images a part at a time, between which Ctrl-C and ``progress`` cancel."""
    images = inputs.images(images)
    count = len(images)
    parts = []
    for start in range(0, max(1, count), _IMAGES_AT_A_TIME):
        part = images[start : start + _IMAGES_AT_A_TIME]
        parts.append(model.encode_image(part, normalize=False, precision=precision))
        done = min(count, start + _IMAGES_AT_A_TIME)
        if progress is not None and progress(done, count) is False:
            raise CancelledError(
                _capi.CANCELLED, f"check_inputs: cancelled after {done} of {count} images"
            )
    return _matrix(np.concatenate(parts), "images")


def check_inputs(
    model: Model,
    images: Any,
    bank: Bank,
    *,
    false_alarm_rate: float = 0.01,
    precision: str = "f32",
    progress: Optional[CountFunction] = None,
) -> InputFindings:
    """Judge whether images carry a trigger.

    Parameters
    ----------
    images
        What ``model.encode_image`` takes.
    false_alarm_rate
        Fraction of clean images that may be flagged; the bank needs 1 / rate - 1 images.
    progress
        Called with images done and all, every 64 images; cancels by returning ``False``.
    """
    features = _encoded(model, images, precision, progress)
    scores = np.empty(features.shape[0], np.float32)
    flags = np.empty(features.shape[0], np.int32)
    check(
        _capi.check_inputs(
            bank._pointer(),
            features.ctypes.data_as(_capi.c_float_p),
            *features.shape,
            false_alarm_rate,
            scores.ctypes.data_as(_capi.c_float_p),
            flags.ctypes.data_as(_capi.c_int32_p),
        )
    )
    return InputFindings(scores, flags.astype(bool))
