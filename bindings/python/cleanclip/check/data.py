"""The check of a dataset."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple, TypedDict, Union

import numpy as np
from numpy.typing import NDArray

from .. import _capi
from .._handle import Floats, Path, path_bytes, text_array
from .._listener import CountListener
from .._options import chosen, native, takes
from .._progress import CountProgress
from ..dataset import Dataset, DatasetSource, open_dataset
from ..errors import check
from ..model import Model
from .result import Check, Omissions, matrix

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Files of features: a path, a pattern, a folder, or several of them.
FeatureFiles = Union[Path, Sequence[Path]]


class WordFields(TypedDict):
    """A word, or a whole caption, that is more frequent at the head of the ranking."""

    text: str
    pairs: int
    head: int
    pairs_in_head: int
    excess: float
    log10_chance: float


class ImageClusterFields(TypedDict):
    """Images that stand out together, and what they are.

    ``kind`` is "duplicates", "one_image_one_caption", "one_image_one_word", "different_images" or
    "images_not_seen". ``distinct_images`` of ``images_seen`` differ, near-duplicates counted once; ``None``
    where no image could be looked at. ``cosine`` is that of features with their mean direction.
    """

    kind: str
    pairs: int
    images: int
    images_seen: int
    distinct_images: Optional[int]
    cosine: Optional[float]
    caption: str
    caption_fraction: float
    word: str
    word_fraction: float


class ClusterFields(ImageClusterFields):
    """Images that are denser than the rest: their distance over that of the usual image."""

    relative_distance: float


class MixtureFields(TypedDict):
    """The components of the cosines of images and captions by a trusted checkpoint."""

    low_weight: float
    low_mean: float
    high_mean: float


class ScaleFields(TypedDict):
    """Neighbours of a scale, and among how many references."""

    k: int
    references: int


class DatasetCheckFields(TypedDict):
    """All that a check of a dataset found, but the scores."""

    check: str
    verdict: str
    explanation: str
    pairs: int
    estimated_poisoned: int
    removed: int
    words: List[WordFields]
    captions: List[WordFields]
    dense_clusters: List[ClusterFields]
    head: Optional[ImageClusterFields]
    repeated_images: List[ImageClusterFields]
    mixture: Optional[MixtureFields]
    scales: List[ScaleFields]
    seed: str
    rows: int
    unread: int
    left_out: Omissions


class DatasetCheck(Check[DatasetCheckFields]):
    """The result of a check of a dataset."""

    @property
    def scores(self) -> Floats:
        """Scores of all rows in the order of the dataset, float32 [n]; higher is worse, NaN where a
        row could not be read."""
        return self._scores()


@dataclass(frozen=True)
class CheckDataOptions:
    """How a dataset is checked.

    Attributes
    ----------
    patches
        Whether patches that recur in many images count.
    assumed_poison_rate
        The fraction of poisoned pairs that reference sets are sized for.
    allow_unread
        What may be left out of the data unread under a clean verdict, which is "cannot_tell"
        otherwise: a number from 1, below 1 a fraction of all rows.
    memory_budget
        Bytes that the check may use; ``None``: no limit.
    state_directory
        Folder for what is finished: the pairs that were read, and their neighbours.
    resume
        Whether to resume from it.
    seed
        Of everything that is drawn.
    precision
        "f32", "bf16", or "auto": bf16 where the processor has it.
    """

    patches: bool = False
    assumed_poison_rate: float = 0.01
    allow_unread: float = 2
    memory_budget: Optional[int] = None
    state_directory: Optional[Path] = None
    resume: bool = False
    seed: int = 0
    precision: str = "f32"


class CheckDataKeywords(TypedDict, total=False):
    """The fields of :class:`CheckDataOptions` as keywords."""

    patches: bool
    assumed_poison_rate: float
    allow_unread: float
    memory_budget: Optional[int]
    state_directory: Optional[Path]
    resume: bool
    seed: int
    precision: str


@takes(CheckDataOptions)
def check_data(
    model: Optional[Model],
    data: Optional[DatasetSource],
    *,
    trusted: Optional[Model] = None,
    image_features: Union[NDArray[Any], FeatureFiles, None] = None,
    trusted_features: Union[Tuple[NDArray[Any], NDArray[Any]], FeatureFiles, None] = None,
    keys: Optional[Sequence[str]] = None,
    captions: Optional[Sequence[str]] = None,
    options: Optional[CheckDataOptions] = None,
    progress: CountProgress = None,
    **keywords: Unpack[CheckDataKeywords],
) -> DatasetCheck:
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
        float32 [n, E] of the suspect, unnormalized, in the order of the data; or files: ``.npy`` arrays
        with keys in a ``.txt`` beside each, or ``.safetensors`` with ``image_features`` and ``keys``,
        parts of any number as paths, patterns or folders. Files are read in blocks, and their keys
        put rows in the order of ``data`` or ``keys``.
    trusted_features
        float32 [n, E] of images and of captions by a trusted checkpoint; or ``.safetensors`` files with
        ``image_features`` and ``text_features``.
    keys, captions
        Without ``data``: names and captions of the pairs. Without names, they are called by the keys in
        the files, or by the numbers of their rows, from 0. Pairs in memory are called "pair 0", "pair 1"
        and so on.
    options, or each as a keyword
        See :class:`CheckDataOptions`; a keyword comes before the field of ``options``.
    progress
        ``True`` draws a bar; a function is called with pairs done and twice their number, because
        they are read first and compared then, and cancels by returning ``False``.
    """
    how = chosen(CheckDataOptions, options, keywords, "check_data")
    given = native(_capi.CheckDataOptions, _capi.check_data_options_init, how)
    if data is None and image_features is None and trusted_features is None:
        raise TypeError("check_data() takes data, or features of pairs: all are None")
    dataset = None if data is None else open_dataset(data)
    if trusted is not None:
        given.trusted = Model._of(trusted, "trusted")
        given.trusted_tokenizer = trusted.tokenizer._pointer()
    # What the options point to must outlive the call.
    kept = _point_to_rows(given, dataset, image_features, trusted_features, keys, captions)
    listener = CountListener(progress, "check data: step")
    handle = listener.made(
        _capi.check_data,
        None if model is None else Model._of(model, "model"),
        None if dataset is None else dataset._pointer(),
        ctypes.byref(given),
        uses=[used for used in (model, dataset, trusted) if used is not None],
    )
    del kept
    return DatasetCheck(handle)


def _point_to_rows(
    options: _capi.CheckDataOptions,
    dataset: Optional[Dataset],
    features: Union[NDArray[Any], FeatureFiles, None],
    trusted: Union[Tuple[NDArray[Any], NDArray[Any]], FeatureFiles, None],
    keys: Optional[Sequence[str]],
    captions: Optional[Sequence[str]],
) -> List[Any]:
    """Return the arrays that the options point to: rows that all have one number."""
    files: List[Any] = []
    if features is not None and not isinstance(features, np.ndarray):
        files.append(_point_to_files(options, "image_feature_file", features))
        features = None
    arrays = _arrays(trusted)
    if trusted is not None and arrays is None:
        files.append(_point_to_files(options, "trusted_feature_file", trusted))
    matrices = _point_to_features(options, features, arrays)
    lengths = {name: len(values) for name, values in matrices.items()}
    texts = {name: list(given) for name, given in (("keys", keys), ("captions", captions)) if given}
    lengths.update((name, len(given)) for name, given in texts.items())
    if dataset is not None and texts:
        raise ValueError("keys and captions: expected with features alone, got data too")
    pairs = len(dataset) if dataset is not None else next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != pairs:
            raise ValueError(f"{name}: expected {pairs} rows, one for each pair, got {length}")
    options.pair_count = pairs
    pointers = {name: text_array(given, name) for name, given in texts.items()}
    for name, array in pointers.items():
        setattr(options, name, ctypes.cast(array, _capi.c_char_p_p))
    return [*matrices.values(), *pointers.values(), *files]


def _arrays(trusted: Any) -> Optional[Tuple[NDArray[Any], NDArray[Any]]]:
    """Return the two arrays of a trusted checkpoint; ``None`` for files."""
    if isinstance(trusted, (str, os.PathLike)) or trusted is None:
        return None
    parts = tuple(trusted)
    if not any(isinstance(part, np.ndarray) for part in parts):
        return None
    if len(parts) != 2:
        raise ValueError(
            f"trusted_features: expected two arrays, of images and of captions, got {len(parts)}"
        )
    return parts[0], parts[1]


def _point_to_files(options: _capi.CheckDataOptions, name: str, files: Any) -> Any:
    """Point a list of the options to paths, and return what must outlive the call."""
    paths = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    encoded = [path_bytes(path, name) for path in paths]
    array = (ctypes.c_char_p * max(1, len(encoded)))(*encoded)
    setattr(options, name + "s", ctypes.cast(array, _capi.c_char_p_p))
    setattr(options, name + "_count", len(encoded))
    return array


def _point_to_features(
    options: _capi.CheckDataOptions,
    features: Optional[NDArray[Any]],
    trusted: Optional[Tuple[NDArray[Any], NDArray[Any]]],
) -> Dict[str, Floats]:
    matrices = {}
    if features is not None:
        values = matrices["image_features"] = matrix(features, "image_features")
        options.image_features = values.ctypes.data_as(_capi.c_float_p)
        options.embed_dim = values.shape[1]
    if trusted is not None:
        images = matrices["trusted_features[0]"] = matrix(trusted[0], "trusted_features[0]")
        captions = matrices["trusted_features[1]"] = matrix(trusted[1], "trusted_features[1]")
        if images.shape[1] != captions.shape[1]:
            raise ValueError(
                f"trusted_features: expected arrays of one width, got {images.shape[1]} and "
                f"{captions.shape[1]}"
            )
        options.trusted_image_features = images.ctypes.data_as(_capi.c_float_p)
        options.trusted_text_features = captions.ctypes.data_as(_capi.c_float_p)
        options.trusted_embed_dim = images.shape[1]
    return matrices
