"""Triggers, by name or recovered by a check, and poisoned sets made with them."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence, TypedDict, Union

import numpy as np
from numpy.typing import NDArray

from . import _capi
from ._handle import (
    Handle,
    Path,
    Preprocessing,
    created,
    number_or_none,
    optional_path,
    path_bytes,
    point_to_texts,
    read_text,
    text_bytes,
)
from ._listener import CountListener
from ._options import chosen, native, takes
from ._progress import CountProgress
from .dataset import DatasetSource, open_dataset
from .errors import check

if TYPE_CHECKING:
    from typing_extensions import Unpack


def trigger_names() -> List[str]:
    """Return the names of the triggers that are built in."""
    return read_text(_capi.trigger_names).split("\n")


class Trigger(Handle):
    """What an attacker puts into an image.

    Parameters
    ----------
    name
        One of ``trigger_names()``, such as "badnets", "blended", "sig" or "wanet"; the path of a
        saved trigger (.safetensors), which has no options; or that of an image that is pasted.
    position
        Of a patch: "random", "corners", "center", or "Y,X" of its top left pixel; an error for
        other triggers, and so are the two below.
    seed
        Of patterns and positions.
    fixed
        One pattern for all images instead of new noise for each.
    patch_size
        Pixels along each side of a drawn patch; none by default: a fourteenth of the image, at
        least 8.
    strength
        What it measures is the trigger's own (docs/triggers.md), such as the opacity of a blended
        pattern; none by default: the attack's own.
    """

    _free = _capi.trigger_free
    _name = "recovered by a check"

    def __init__(
        self,
        name: Path,
        *,
        position: Optional[str] = None,
        seed: int = 0,
        fixed: bool = False,
        patch_size: Optional[int] = None,
        strength: Optional[float] = None,
    ) -> None:
        options = _capi.initialised(_capi.TriggerOptions, _capi.trigger_options_init)
        if position is not None:
            options.position = text_bytes(position, "position")
        options.seed = seed & (2**64 - 1)
        options.fixed = 1 if fixed else 0
        options.patch_size = number_or_none(patch_size, "patch_size")
        options.strength = number_or_none(strength, "strength")
        self._name = os.fsdecode(name)
        self._handle = created(
            _capi.trigger_load, path_bytes(name, "name"), ctypes.byref(options)
        )

    def _facts(self) -> str:
        return self._name

    @classmethod
    def _adopt(cls, handle: int) -> Trigger:
        """Make a trigger of a handle that the library returned."""
        trigger = cls.__new__(cls)
        trigger._handle = handle
        return trigger

    @classmethod
    def load(cls, path: Path) -> Trigger:
        """Read a trigger that was saved."""
        return cls(path)

    def save(self, path: Path) -> None:
        """Write a trigger that a check recovered, and a PNG image of it beside that.

        Parameters
        ----------
        path
            Ends in ".safetensors"; the image's ends in ".png" instead.
        """
        check(_capi.trigger_save(self._pointer(), path_bytes(path, "path")))

    def apply(self, images: NDArray[np.uint8], first_index: int = 0) -> NDArray[np.uint8]:
        """Return images with the trigger.

        Parameters
        ----------
        images
            uint8 [n, H, W, 3], or one image [H, W, 3].
        first_index
            Number of the first image: it and the seed decide noise and position.
        """
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[-1] != 3:
            raise ValueError(
                f"apply: images are {images.dtype} {list(images.shape)}; "
                "expected uint8 [n, height, width, 3]"
            )
        result = np.array(images, order="C", copy=True)
        batch = result if result.ndim == 4 else result[None]
        check(
            _capi.trigger_apply(
                self._pointer(),
                batch.ctypes.data_as(_capi.c_uint8_p),
                batch.shape[0],
                first_index,
                batch.shape[1],
                batch.shape[2],
            )
        )
        return result


@dataclass(frozen=True)
class PoisonOptions:
    """How a dataset is poisoned.

    Attributes
    ----------
    rate
        Fraction of the pairs that is poisoned.
    count
        Number of poisoned pairs, instead of the fraction; none by default.
    pair_count
        Output pairs, drawn by chance; none by default: all.
    image_size
        Side of poisoned images in pixels.
    preprocessing
        How images get that side, as for :func:`load`: the model's own, for the trigger to be
        where the model will see it; none by default: a center crop.
    uniform
        Whether clean images are resized and encoded like poisoned ones, not copied.
    seed
        Of everything that is drawn.
    """

    rate: float = 0.01
    count: Optional[int] = None
    pair_count: Optional[int] = None
    image_size: int = 224
    preprocessing: Optional[Preprocessing] = None
    uniform: bool = True
    seed: int = 0


class PoisonKeywords(TypedDict, total=False):
    """The fields of :class:`PoisonOptions` as keywords."""

    rate: float
    count: Optional[int]
    pair_count: Optional[int]
    image_size: int
    preprocessing: Optional[Preprocessing]
    uniform: bool
    seed: int


@takes(PoisonOptions)
def poison(
    data: DatasetSource,
    trigger: Union[Trigger, Path],
    output: Path,
    *,
    target: str,
    templates: Optional[Sequence[str]] = None,
    truth_path: Optional[Path] = None,
    options: Optional[PoisonOptions] = None,
    progress: CountProgress = None,
    **keywords: Unpack[PoisonKeywords],
) -> int:
    """Write a copy of a set in which some images carry a trigger and a caption of the target.

    Parameters
    ----------
    data
        A dataset, files or pairs.
    trigger
        A trigger, its name, a saved one or a PNG file.
    output
        A ``.tar`` shard or a ``.csv`` file.
    target
        Target concept of poisoned captions.
    templates
        Captions with "{}" for the target; none by default: "a photo of a {}" and others.
    truth_path
        A csv file that tells by key which pairs are poisoned.
    options, or each as a keyword
        See :class:`PoisonOptions`; a keyword comes before the field of ``options``.
    progress
        ``True`` draws a bar; a function is called with the number of pairs done and of all, and
        cancels by returning ``False``.

    Returns
    -------
    int
        The number of poisoned pairs.
    """
    how = chosen(PoisonOptions, options, keywords, "poison")
    given = native(_capi.PoisonOptions, _capi.poison_options_init, how)
    given.target = text_bytes(target, "target")
    if templates is not None:
        point_to_texts(given, "templates", templates)
    pattern = trigger if isinstance(trigger, Trigger) else Trigger(trigger, seed=how.seed)
    dataset = open_dataset(data)  # kept, so that it lives through the call
    listener = CountListener(progress, "poison: pair")
    poisoned = ctypes.c_int64()
    with listener.listening([dataset, pattern]):
        status = _capi.dataset_poison(
            dataset._pointer(),
            pattern._pointer(),
            ctypes.byref(given),
            path_bytes(output, "output"),
            optional_path(truth_path, "truth_path"),
            listener.callback,
            None,
            ctypes.byref(poisoned),
        )
    listener.check(status)
    return poisoned.value
