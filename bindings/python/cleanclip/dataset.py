"""Pairs of images and captions."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Dict, Iterable, Mapping, Optional, Sequence, Tuple, Union

from . import _capi, inputs
from ._handle import Handle, Path, created, path_array, path_bytes, read_text, text_bytes
from .errors import remember
from .inputs import Image

#: (image, caption), (image, caption, label), (image, label), a mapping, or an image alone.
Pair = Union[
    Tuple[Image, Optional[str]],
    Tuple[Image, Optional[str], Optional[int]],
    Mapping[str, Any],
    Image,
]
#: A ``Dataset``, files, rows in memory, a DataFrame, a PyTorch dataset or ``DataLoader``, a generator.
DatasetSource = Union["Dataset", Path, Sequence[Path], Sequence[Pair], Iterable[Pair]]


class Dataset(Handle):
    """Images with captions, labels or both, in files; read when they are needed.

    Parameters
    ----------
    sources
        A path or several: csv, tsv or jsonl files, WebDataset tar shards, folders, image files;
        patterns with ``*``.
    image_column, caption_column, label_column
        Columns of csv and tsv files; where they have their defaults, also the names
        that Hugging Face and OpenCLIP use: ``file_name``, ``filepath``; ``text``, ``title``.
    keep
        A list of rows as a check of data writes it (.txt); the others are left out.

    What the files hold and is no row is counted: see ``describe``, and the logger "cleanclip".
    """

    _free = _capi.dataset_free

    def __init__(
        self,
        sources: Union[Path, Sequence[Path]],
        *,
        image_column: str = "image",
        caption_column: str = "caption",
        label_column: str = "label",
        keep: Optional[Path] = None,
    ) -> None:
        paths = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
        options = _capi.initialised(_capi.DatasetOptions, _capi.dataset_options_init)
        options.image_column = text_bytes(image_column, "image_column")
        options.caption_column = text_bytes(caption_column, "caption_column")
        options.label_column = text_bytes(label_column, "label_column")
        if keep is not None:
            options.keep = path_bytes(keep, "keep")
        array = path_array(paths, "sources")
        self._handle = created(
            _capi.dataset_open,
            ctypes.cast(array, _capi.c_char_p_p),
            len(paths),
            ctypes.byref(options),
        )

    @classmethod
    def from_pairs(cls, pairs: Sequence[Pair]) -> Dataset:
        """Make a dataset of pairs in memory.

        Parameters
        ----------
        pairs
            Anything with a length whose items are (image, caption), (image, caption, label),
            (image, label), a mapping with such members (``image``, ``caption`` or ``text``,
            ``label``), or an image alone. An image is an array or a tensor [H, W, 3], uint8 or in
            0 … 1, a PIL image, the bytes of a JPEG, PNG or WebP file, or its path.
            Items are asked for when they are needed, on threads of the library. What the first one
            that fails raises is the cause of the error that a call ends with.
        """
        dataset = cls.__new__(cls)
        source = _PairSource(pairs)
        # The library calls back as long as the dataset lives.
        dataset._source = source  # type: ignore[attr-defined]
        dataset._handle = created(_capi.dataset_create, len(pairs), source.callback, None)
        return dataset

    def __len__(self) -> int:
        return int(_capi.dataset_count(self._pointer()))

    def _facts(self) -> str:
        facts = self.describe()
        held = [name for name in ("captions", "labels") if facts[f"has_{name}"]]
        left_out = sum(reason["count"] for reason in facts["left_out"].values())
        return (
            f"{len(self)} images" + (f" with {' and '.join(held)}" if held else "")
            + (f", {left_out} left out" if left_out else ""))

    def describe(self) -> Dict[str, Any]:
        """Return what the dataset holds: ``rows``, ``has_captions``, ``has_labels``,
        ``class_folders`` in the order of their indices, and ``left_out``: by reason, ``count`` and
        ``examples`` of what the files hold and is no row."""
        description: Dict[str, Any] = json.loads(
            read_text(_capi.dataset_describe, self._pointer())
        )
        return description


class _PairSource:
    """Answers the library's requests for pairs."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        #: What the last answer points to: alive until the next one.
        self._current: Any = None
        self.callback = _capi.PairCallback(self._answer)

    def _answer(self, index: int, out_pair: Any, user_data: Any) -> int:
        try:
            self._fill(inputs.row(self._pairs[index]), out_pair.contents)
        except BaseException as error:  # must not unwind through the library
            text = f"{type(error).__name__}: {error}".replace("\0", "\\0")
            remember(error, text)
            self._current = text.encode("utf-8", "replace")
            out_pair.contents.problem = self._current
            return 1
        return 0

    def _fill(self, row: inputs.Row, pair: Any) -> None:
        data = inputs.image_data(row.image)
        if data.ndim == 3:
            pair.height, pair.width = data.shape[:2]
        text = None if row.caption is None else text_bytes(row.caption, "caption")
        self._current = (data, text)
        pair.image = data.ctypes.data
        pair.image_byte_count = data.nbytes
        pair.caption = text
        if row.label is not None:
            pair.label, pair.has_label = row.label, 1


def open_dataset(data: DatasetSource) -> Dataset:
    """Return ``data`` as a dataset: itself, files, or pairs in memory."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (str, os.PathLike)):
        return Dataset(data)
    items = inputs.rows(data)
    if len(items) > 0 and not isinstance(items[0], (str, os.PathLike)):
        return Dataset.from_pairs(items)
    return Dataset(items)
