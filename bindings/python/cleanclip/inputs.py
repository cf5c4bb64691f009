"""Images, texts and rows in the forms that Python programs have them."""

from __future__ import annotations

import os
from typing import Any, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from ._handle import Path, path_bytes

#: A path, the bytes of a file, uint8 [H, W, 3], a PIL image …: see :func:`image_data`.
Image = Any


class Row(NamedTuple):
    """A row of a dataset as the library is given it."""

    image: Image
    caption: Optional[str]
    label: Optional[int]


#: Names of a row's members, the first that is there.
_IMAGE_NAMES = ("image", "img", "file_name", "filepath", "image_path", "path")
_CAPTION_NAMES = ("caption", "text", "title")
_LABEL_NAMES = ("label", "class")


def row(item: Any) -> Row:
    """Return a row: of (image, caption), (image, caption, label), (image, label), a mapping with such
    members, or an image alone."""
    if isinstance(item, Mapping):
        return _mapped(item)
    if isinstance(item, (tuple, list)):
        if not 1 <= len(item) <= 3:
            raise ValueError(
                "row: expected (image, caption) or (image, caption, label), got "
                f"{len(item)} values"
            )
        image, caption, label = (*item, None, None)[:3]
        if len(item) == 2 and _is_number(caption):  # as datasets for classification give them
            return Row(image, None, int(caption))
        return Row(image, _caption(caption), None if label is None else int(label))
    return Row(item, None, None)


def _mapped(item: Mapping[str, Any]) -> Row:
    def member(names: Sequence[str]) -> Any:
        return next((item[name] for name in names if name in item), None)

    image = member(_IMAGE_NAMES)
    if image is None:
        raise ValueError(
            f"row: no image; expected a member {', '.join(map(repr, _IMAGE_NAMES))}, got "
            f"{', '.join(map(repr, list(item)[:20])) or 'none'}"
        )
    label = member(_LABEL_NAMES)
    return Row(image, _caption(member(_CAPTION_NAMES)), None if label is None else int(label))


def _caption(value: Any) -> Optional[str]:
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, (tuple, list)) and value and isinstance(value[0], str):
        return value[0]  # several captions of one image, as COCO has them
    raise TypeError(f"caption: expected str, got {type(value).__name__}")


def _is_number(value: Any) -> bool:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return True
    return getattr(value, "ndim", None) == 0 and hasattr(value, "__int__")


# Images ------------------------------------------------------------------------------------------


def image_data(image: Image, name: str = "image") -> NDArray[np.uint8]:
    """Return an image as the library takes it: uint8 [H, W, 3], or uint8 [n], the bytes of a file.

    Parameters
    ----------
    image
        A path; the bytes of a JPEG, PNG or WebP file; a PIL image; an array or tensor of uint8 in
        0 … 255 or of numbers in 0 … 1, [H, W], [H, W, 1], [H, W, 3], [H, W, 4] or [3, H, W].
        Transparent pixels are composited on white.
    """
    if isinstance(image, (str, os.PathLike)):
        with open(path_bytes(image, name), "rb") as file:
            image = file.read()
    if isinstance(image, (bytes, bytearray, memoryview)):
        return np.frombuffer(image, dtype=np.uint8)
    if hasattr(image, "convert") and hasattr(image, "getbands"):  # a PIL image
        transparent = "A" in image.getbands() or "transparency" in getattr(image, "info", {})
        image = image.convert("RGBA" if transparent else "RGB")
    return _pixels(array(image), name)


def array(value: Any) -> NDArray[Any]:
    """Return an array or a tensor of any element type and device as an array."""
    if hasattr(value, "detach"):  # a PyTorch tensor
        value = value.detach().cpu()
        if not str(value.dtype).endswith(("int8", "int16", "int32", "int64", "bool")):
            value = value.float()
        value = value.numpy()
    return np.asarray(value)


def _pixels(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim == 3 and values.shape[2] not in (1, 3, 4) and values.shape[0] in (1, 3):
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise ValueError(
            f"{name}: expected [height, width, 3], got {values.dtype} {list(values.shape)}"
        )
    if np.issubdtype(values.dtype, np.floating):
        values = _bytes_of(values, name)
    if values.dtype != np.uint8:
        raise TypeError(f"{name}: expected uint8 or numbers in 0 … 1, got {values.dtype}")
    if values.shape[2] == 4:
        values = _on_white(values)
    if values.shape[2] == 1:
        values = values.repeat(3, axis=2)
    return np.ascontiguousarray(values)


def _bytes_of(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"{name}: numbers are of another scale; expected 0 … 1, got {low:.4g} … {high:.4g}; "
            "leave normalisation to the library, or pass uint8"
        )
    return (values * 255 + 0.5).astype(np.uint8)


def _on_white(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = values[:, :, 3:].astype(np.uint32)
    mixed = values[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def images(x: Any) -> Any:
    """Return images as something with a length and parts, in the order they have."""
    if isinstance(x, (str, os.PathLike, bytes, bytearray)) or hasattr(x, "getbands"):
        return [x]
    if not hasattr(x, "__array__"):
        return rows(x)
    values = array(x)
    return values[None] if values.ndim == 3 else values


def numbers(x: NDArray[Any], preprocess: bool) -> Optional[NDArray[Any]]:
    """Return images of one size as float32 [n, 3, H, W] or uint8 [n, H, W, 3]; ``None`` for arrays of
    anything else, such as paths. A single image is a batch of one."""
    is_float = np.issubdtype(x.dtype, np.floating)
    if not is_float and x.dtype != np.uint8:
        if x.dtype.kind in "OUS":
            return None
        expected = "float32 or uint8" if preprocess else "float32"
        raise TypeError(f"encode_image: x has dtype {x.dtype}; expected {expected}")
    if x.ndim == 3:
        x = x[None]
    if not is_float and not preprocess:
        raise TypeError(f"encode_image: x has dtype {x.dtype}; expected float32")
    first = x.ndim == 4 and x.shape[1] == 3
    last = x.ndim == 4 and x.shape[3] == 3
    if not first and not last:
        shape = "[n, 3, height, width]" if is_float else "[n, height, width, 3]"
        raise ValueError(f"encode_image: x has shape {list(x.shape)}; expected {shape}")
    if is_float:
        if not first:
            x = x.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(x, dtype=np.float32)
    return np.ascontiguousarray(x if last else x.transpose(0, 2, 3, 1))


# Texts -------------------------------------------------------------------------------------------


def texts(value: Union[str, Iterable[str]], name: str) -> List[str]:
    """Return texts as a list: a text alone, a list, an array or a series of str, a generator."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, (bytes, os.PathLike)) or not isinstance(value, Iterable):
        raise TypeError(f"{name}: expected str or several, got {type(value).__name__}")
    result = []
    for index, text in enumerate(value):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{index}]: expected str, got {type(text).__name__}")
        result.append(str(text))
    return result


def lines(value: Union[Path, Iterable[str]], name: str) -> List[str]:
    """Return names or prompts: those given, or those of a text file with one on each line.

    The place of a line is the index of a class, so that blank lines between others are refused.
    """
    if not isinstance(value, (str, os.PathLike)):
        return texts(value, name)
    with open(path_bytes(value, name), encoding="utf-8-sig", newline=None) as file:
        rows = [row.strip() for row in file.read().split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise ValueError(f"{name}: '{os.fspath(value)}' is empty; expected one on each line")
    if "" in rows:
        raise ValueError(
            f"{name}: line {rows.index('') + 1} of '{os.fspath(value)}' is blank; expected a text "
            "on each line, because lines count as indices"
        )
    return rows


# Datasets ----------------------------------------------------------------------------------------


def rows(data: Any) -> Any:
    """Return something with a length whose items are rows.

    A DataFrame gives its rows, a PyTorch ``DataLoader`` those of its dataset, row by row and without
    its batches; what can only be gone through, such as a generator, is read to its end.
    """
    if hasattr(data, "to_dict") and hasattr(data, "columns") and hasattr(data, "iloc"):
        return data.to_dict("records")
    if hasattr(data, "dataset") and hasattr(data, "batch_size") and hasattr(data, "collate_fn"):
        return rows(data.dataset)
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return data
    if isinstance(data, Iterable):
        return list(data)
    raise TypeError(
        "data: expected a Dataset, files, or rows of images and captions, got "
        f"{type(data).__name__}"
    )


class Images:
    """Images as rows without captions, whatever they are."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Tuple[Any, None, None]:
        return self._items[index], None, None
