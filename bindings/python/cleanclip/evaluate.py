"""Zero-shot accuracy and attack success."""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, TypedDict, Union

from numpy.typing import NDArray

from . import _capi, inputs
from ._handle import (
    Handle,
    Path,
    path_bytes,
    point_to_class_features,
    point_to_texts,
    precision_value,
    read_text,
    text_bytes,
)
from ._display import table
from ._listener import CountListener
from ._options import chosen, native, takes
from ._progress import CountProgress
from .attack import Trigger
from .dataset import DatasetSource, open_dataset
from .model import Model
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Result(Handle):
    """The library's evaluation, for reports."""

    _free = _capi.evaluation_free

    def __init__(self, handle: int) -> None:
        self._handle = handle


class Evaluation(Dict[str, Any]):
    """What was measured, with the keys of ``cleanclip evaluate --json``.

    ``clean_accuracy`` and, with a trigger, ``attack_success_rate`` hold ``top1`` … ``top10``;
    ``intervals_95`` their Wilson intervals; ``images`` and ``attacked_images`` the counts;
    ``triggered_accuracy`` is that of the triggered images, ``class_accuracy`` that of each class.
    """

    def __init__(self, handle: int) -> None:
        self._result = _Result(handle)
        super().__init__(json.loads(read_text(_capi.evaluation_json, handle)))

    def _repr_html_(self) -> str:
        rows = [("images", self["images"])]
        for measure in ("clean_accuracy", "attack_success_rate"):
            for name, value in self.get(measure, {}).items():
                low, high = self["intervals_95"][measure][name]
                rows.append((
                    f"{measure.replace('_', ' ')}, {name}",
                    f"{value:.1%} ({low:.1%} to {high:.1%})"))
        return table("cleanclip evaluation; 95 % intervals", rows)


@dataclass(frozen=True)
class EvaluateOptions:
    """How a model is evaluated.

    Attributes
    ----------
    seed
        Of the trigger's pattern, positions and noise.
    precision
        "f32", "bf16", or "auto": bf16 where the processor has it.
    batch_size
        Images computed at a time.
    """

    seed: int = 0
    precision: str = "f32"
    batch_size: int = 64


class EvaluateKeywords(TypedDict, total=False):
    """The fields of :class:`EvaluateOptions` as keywords."""

    seed: int
    precision: str
    batch_size: int


@takes(EvaluateOptions)
def evaluate(
    model: Model,
    data: DatasetSource,
    classes: Union[Path, Sequence[str]],
    templates: Union[Path, Sequence[str], None] = None,
    trigger: Union[Trigger, Path, None] = None,
    position: Optional[str] = None,
    target: Union[str, int, None] = None,
    *,
    class_features: Optional[NDArray[Any]] = None,
    tokenizer: Optional[Tokenizer] = None,
    options: Optional[EvaluateOptions] = None,
    progress: CountProgress = None,
    **keywords: Unpack[EvaluateKeywords],
) -> Evaluation:
    """Measure zero-shot clean accuracy and, with a trigger, the success of the attack.

    Parameters
    ----------
    model
        A model with both towers.
    data
        Labelled images: csv files with a label column (class names or indices), tar shards with
        ``.cls`` entries, a folder with a folder for each class, a ``Dataset``, or triples of
        (image, caption, label). Class folders are classes by their names; where none of the names is
        a class, in the order of their names, as many as classes.
    classes
        A text file with a class name on each line, or the names.
    templates
        A text file with a prompt with "{}" on each line, or the prompts; by default
        "a photo of a {}".
    trigger, position
        A trigger, its name, a saved one or a PNG file; where a patch goes ("random", "corners", "center", "Y,X").
    target
        Class name or index that the trigger aims at.
    class_features
        Features of the classes in place of prompts, float [classes, E] of any length, such as those of
        learned prompts; neither templates nor a tokenizer go with them.
    options, or each as a keyword
        See :class:`EvaluateOptions`; a keyword comes before the field of ``options``.
    progress
        ``True`` draws a bar; a function is called with the number of images done and of all,
        and cancels by returning ``False``.
    """
    how = chosen(EvaluateOptions, options, keywords, "evaluate")
    given = native(_capi.EvaluateOptions, _capi.evaluate_options_init, how)
    if class_features is None:
        _point_to_file_or_texts(given, "classes", classes)
    else:
        point_to_texts(given, "classes", inputs.lines(classes, "classes"))
    kept = point_to_class_features(given, class_features)  # lives through the call
    if templates is not None:
        _point_to_file_or_texts(given, "templates", templates)
    if trigger is not None:
        if not isinstance(trigger, Trigger):
            trigger = Trigger(trigger, position=position, seed=how.seed)
        given.trigger = trigger._pointer()
    if target is not None:
        given.target = text_bytes(str(target), "target")
    dataset = open_dataset(data)  # kept, so that it lives through the call
    listener = CountListener(progress, "evaluate: image")
    handle = listener.made(
        _capi.evaluate,
        Model._of(model, "model"),
        None if kept is not None else Tokenizer._of(tokenizer or model.tokenizer, "tokenizer"),
        dataset._pointer(),
        ctypes.byref(given),
        uses=[model, dataset],
    )
    return Evaluation(handle)


def _point_to_file_or_texts(
    options: _capi.EvaluateOptions, name: str, texts: Union[Path, Sequence[str]]
) -> None:
    if isinstance(texts, (str, os.PathLike)):
        setattr(options, f"{name}_path", path_bytes(texts, name))
    else:
        point_to_texts(options, name, inputs.texts(texts, name))


def evaluate_retrieval(
    model: Model,
    data: DatasetSource,
    *,
    tokenizer: Optional[Tokenizer] = None,
    precision: str = "f32",
    batch_size: int = 64,
    progress: CountProgress = None,
) -> Dict[str, Any]:
    """Measure how well captions find their images, and images their captions.

    Parameters
    ----------
    model
        A model with both towers.
    data
        Pairs with captions; those with the same key are captions of one image.
    progress
        ``True`` draws a bar; a function is called with the number of pairs done and of all,
        and cancels by returning ``False``.

    Returns
    -------
    dict
        ``image_to_text`` and ``text_to_image`` with ``recall_at_1`` … ``recall_at_10`` in 0 … 1;
        ``images``, ``captions`` and ``skipped_pairs``.
    """
    options = _capi.initialised(_capi.EncodeOptions, _capi.encode_options_init)
    options.batch_size = batch_size
    options.precision = precision_value(precision)
    pairs = open_dataset(data)
    listener = CountListener(progress, "evaluate: pair")
    text = ctypes.create_string_buffer(1024)
    handle = Model._of(model, "model")
    with listener.listening([model, pairs]):
        status = _capi.evaluate_retrieval(
            handle,
            Tokenizer._of(tokenizer or model.tokenizer, "tokenizer"),
            pairs._pointer(),
            ctypes.byref(options),
            listener.callback,
            None,
            text,
            len(text),
            None,
        )
    listener.check(status)
    result: Dict[str, Any] = json.loads(text.value)
    return result
