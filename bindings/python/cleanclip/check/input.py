"""The check of images, by a bank of clean ones."""

from __future__ import annotations

import ctypes
from typing import Any, Iterable, List, NamedTuple, Optional, Tuple, TypedDict, Union

import numpy as np
from numpy.typing import NDArray

from .. import _capi, inputs
from .._handle import Floats, Handle, Path, path_bytes, text_array
from .._progress import Bar, CountProgress
from ..errors import CancelledError, check
from ..model import Model
from ..tokenizer import Tokenizer
from .result import Check, Omissions, matrix

# A multiple of the images that the library encodes at a time.
_IMAGES_AT_A_TIME = 64


class Bank(Handle):
    """Features of clean images, against which others are judged.

    Parameters
    ----------
    features
        float32 [n, E] of at least 50 clean images, from
        ``model.encode_image(..., normalize=False)``, or the path of a saved bank.
    model
        Whose features they are, which is saved with the bank; without it, the first one that the
        bank is used with. Another one is refused from then on.
    """

    _free = _capi.bank_free

    def __init__(
        self, features: Union[NDArray[Any], Path], model: Optional[Model] = None
    ) -> None:
        handle = ctypes.c_void_p()
        if isinstance(features, np.ndarray):
            values = matrix(features, "features")
            status = _capi.bank_create(
                values.ctypes.data_as(_capi.c_float_p), *values.shape, ctypes.byref(handle)
            )
        else:
            status = _capi.bank_load(path_bytes(features, "features"), ctypes.byref(handle))
        check(status)
        self._handle = handle.value
        if model is not None:
            self._set_model(model)

    def _set_model(self, model: Model) -> None:
        check(_capi.bank_set_model(self._pointer(), Model._of(model, "model")))

    def extend(self, features: NDArray[Any]) -> int:
        """Add clean images of the kind that came in since, but for those that the bank has.

        Parameters
        ----------
        features
            float32 [n, E], from ``model.encode_image(..., normalize=False)`` by the bank's model.

        Returns
        -------
        int
            How many are new.
        """
        values = matrix(features, "features")
        added = ctypes.c_int64()
        check(
            _capi.bank_extend(
                self._pointer(),
                values.ctypes.data_as(_capi.c_float_p),
                *values.shape,
                ctypes.byref(added),
            )
        )
        return added.value

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
                Model._of(model, "model"),
                Tokenizer._of(tokenizer or model.tokenizer, "tokenizer"),
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


class ShiftFields(TypedDict):
    """Whether images are of another kind than the bank's."""

    found: bool
    farther: float
    p_value: float
    flagged_cosine: float
    bank_cosine: float


class InputFields(TypedDict):
    """What is concluded of one image of a set."""

    key: str
    score: float
    p_value: float
    flagged: bool
    density: float
    length: float
    contrast: float
    residual: float


class InputSetFields(TypedDict):
    """All that is concluded of a set of images."""

    check: str
    verdict: str
    p_value: float
    explanation: str
    threshold: float
    false_alarm_rate: float
    bank_images: int
    flagged: int
    shift: Optional[ShiftFields]
    unread: int
    left_out: Omissions
    images: List[InputFields]


class InputSetCheck(Check[InputSetFields]):
    """The verdict on a set of images.

    It is "cannot_tell" where the images are of another kind than the bank's and the flagged ones are
    not alike, as a trigger makes them: then ``Bank.extend`` helps.
    """

    @property
    def scores(self) -> Floats:
        """Scores of the images, float32 [n]; higher is more suspicious."""
        return self._scores()


def _encoded(model: Model, images: Any, precision: str, progress: CountProgress) -> Floats:
    """Encode images a part at a time, between which Ctrl-C and ``progress`` cancel."""
    images = inputs.images(images)
    count = len(images)
    parts = []
    bar = Bar("check inputs: image") if progress is True else None
    function = bar.update if bar else progress or None
    try:
        for start in range(0, max(1, count), _IMAGES_AT_A_TIME):
            part = images[start : start + _IMAGES_AT_A_TIME]
            parts.append(model.encode_image(part, normalize=False, precision=precision))
            done = min(count, start + _IMAGES_AT_A_TIME)
            if callable(function) and function(done, count) is False:
                raise CancelledError(
                    _capi.CANCELLED, f"check_inputs: cancelled after {done} of {count} images"
                )
    finally:
        if bar:
            bar.close()
    return matrix(np.concatenate(parts), "images")


def _judged(
    model: Model, images: Any, bank: Bank, rate: float, precision: str, progress: CountProgress
) -> Tuple[Floats, Tuple[Any, ...]]:
    """Return the features of images, and what the library's checks of them begin with."""
    if isinstance(rate, (str, bytes)) or not hasattr(rate, "__float__"):
        raise TypeError(f"false_alarm_rate: expected a number, got {type(rate).__name__}")
    Bank._of(bank, "bank")
    bank._set_model(model)
    features = _encoded(model, images, precision, progress)
    values = features.ctypes.data_as(_capi.c_float_p)
    # Encoding may take long, and the bank may have been closed meanwhile.
    return features, (Bank._of(bank, "bank"), values, *features.shape, float(rate))


def check_inputs(
    model: Model,
    images: Any,
    bank: Bank,
    *,
    false_alarm_rate: float = 0.01,
    precision: str = "f32",
    progress: CountProgress = None,
) -> InputFindings:
    """Judge whether images carry a trigger.

    Parameters
    ----------
    images
        What ``model.encode_image`` takes.
    false_alarm_rate
        Fraction of clean images that may be flagged; the bank needs 1 / rate - 1 images.
    progress
        ``True`` draws a bar; a function is called with images done and all, every 64 images, and
        cancels by returning ``False``.
    """
    features, given = _judged(model, images, bank, false_alarm_rate, precision, progress)
    scores = np.empty(features.shape[0], np.float32)
    flags = np.empty(features.shape[0], np.int32)
    check(
        _capi.check_inputs(
            *given,
            scores.ctypes.data_as(_capi.c_float_p),
            flags.ctypes.data_as(_capi.c_int32_p),
        )
    )
    return InputFindings(scores, flags.astype(bool))


def check_input_set(
    model: Model,
    images: Any,
    bank: Bank,
    *,
    false_alarm_rate: float = 0.01,
    precision: str = "f32",
    progress: CountProgress = None,
) -> InputSetCheck:
    """Judge a set of images, such as a day's: are more flagged than chance gives?

    The parameters are those of ``check_inputs``.
    """
    _, given = _judged(model, images, bank, false_alarm_rate, precision, progress)
    handle = ctypes.c_void_p()
    check(_capi.check_input_set(*given, ctypes.byref(handle)))
    assert handle.value is not None
    return InputSetCheck(handle.value)
