"""Zero-shot accuracy and attack success."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Dict, Optional, Sequence, Union

from . import _capi, inputs
from ._handle import Handle, Path, path_bytes, precision_value, read_text, text_array, text_bytes
from ._listener import CountFunction, CountListener
from .attack import Trigger
from .dataset import DatasetSource, open_dataset
from .model import Model
from .tokenizer import Tokenizer


class _Result(Handle):
    """The library's evaluation, for reports."""

    _free = _capi.evaluation_free

    def __init__(self, handle: int) -> None:
        self._handle = handle


class Evaluation(Dict[str, Any]):
    """What was measured, with the keys of ``cleanclip evaluate --json``.

    ``clean_accuracy`` and, with a trigger, ``attack_success_rate`` hold ``top1`` … ``top10``;
    ``intervals_95`` their Wilson intervals; ``images`` and ``attacked_images`` the counts;
    ``class_accuracy`` the accuracy of each class.
    """

    def __init__(self, handle: int) -> None:
        self._result = _Result(handle)
        super().__init__(json.loads(read_text(_capi.evaluation_json, handle)))


def evaluate(
    model: Model,
    data: DatasetSource,
    classes: Union[Path, Sequence[str]],
    templates: Union[Path, Sequence[str], None] = None,
    trigger: Union[Trigger, Path, None] = None,
    position: Optional[str] = None,
    target: Union[str, int, None] = None,
    *,
    tokenizer: Optional[Tokenizer] = None,
    seed: int = 0,
    precision: str = "f32",
    batch_size: int = 64,
    progress: Optional[CountFunction] = None,
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
    trigger
        A trigger, its name, a saved one or a PNG file.
    position
        Of a patch: "random", the default, "corners" or "Y,X".
    target
        Class name or index that the trigger aims at.
    seed
        Of the trigger's positions and noise.
    progress
        Called with the number of images done and of all; cancels by returning ``False``.

    Returns
    -------
    Evaluation
        A dictionary; see its keys there.
    """
    options = _capi.initialised(_capi.EvaluateOptions, _capi.evaluate_options_init)
    dataset = open_dataset(data)
    if isinstance(classes, (str, os.PathLike)):
        options.classes_path = path_bytes(classes, "classes")
    else:
        names = inputs.texts(classes, "classes")
        class_array = text_array(names, "classes")
        options.classes = ctypes.cast(class_array, _capi.c_char_p_p)
        options.class_count = len(names)
    if isinstance(templates, (str, os.PathLike)):
        options.templates_path = path_bytes(templates, "templates")
    elif templates is not None:
        prompts = inputs.texts(templates, "templates")
        template_array = text_array(prompts, "templates")
        options.templates = ctypes.cast(template_array, _capi.c_char_p_p)
        options.template_count = len(prompts)
    pattern: Optional[Trigger] = None
    if trigger is not None:
        pattern = (
            trigger
            if isinstance(trigger, Trigger)
            else Trigger(trigger, position=position, seed=seed)
        )
        options.trigger = pattern._pointer()
    if target is not None:
        options.target = text_bytes(str(target), "target")
    options.batch_size = batch_size
    options.precision = precision_value(precision)
    options.seed = seed & (2**64 - 1)
    listener = CountListener(progress)
    handle = ctypes.c_void_p()
    with listener.listening():
        status = _capi.evaluate(
            model._pointer(),
            (tokenizer or model.tokenizer)._pointer(),
            dataset._pointer(),
            ctypes.byref(options),
            listener.callback,
            None,
            ctypes.byref(handle),
        )
    listener.check(status)
    if handle.value is None:
        raise RuntimeError("cleanclip: evaluation succeeded without a result")
    return Evaluation(handle.value)


def evaluate_retrieval(
    model: Model,
    dataset: DatasetSource,
    *,
    tokenizer: Optional[Tokenizer] = None,
    precision: str = "f32",
    batch_size: int = 0,
    progress: Optional[CountFunction] = None,
) -> Dict[str, Any]:
    """Measure how well captions find their images, and images their captions.

    Parameters
    ----------
    model
        A model with both towers.
    dataset
        Pairs with captions; those with the same key are captions of one image.
    progress
        Called with the number of pairs done and of all; cancels by returning ``False``.

    Returns
    -------
    dict
        ``image_to_text`` and ``text_to_image`` with ``recall_at_1`` … ``recall_at_10`` in 0 … 1;
        ``images``, ``captions`` and ``skipped_pairs``.
    """
    options = _capi.initialised(_capi.EncodeOptions, _capi.encode_options_init)
    options.batch_size = batch_size
    options.precision = precision_value(precision)
    pairs = open_dataset(dataset)
    listener = CountListener(progress)
    text = ctypes.create_string_buffer(1024)
    with listener.listening():
        status = _capi.evaluate_retrieval(
            model._pointer(),
            (tokenizer or model.tokenizer)._pointer(),
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
