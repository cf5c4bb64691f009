"""Features of what has been put into the form that the library takes."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np
from numpy.typing import NDArray

from . import _capi, inputs
from ._handle import Floats, interruptible, precision_value
from ._listener import CountListener
from .dataset import Dataset

if TYPE_CHECKING:
    from .model import Model


def encode_options(normalize: bool, precision: str, batch_size: int) -> Any:
    """Return how features are computed."""
    options = _capi.initialised(_capi.EncodeOptions, _capi.encode_options_init)
    options.normalize = 1 if normalize else 0
    options.precision = precision_value(precision)
    options.batch_size = batch_size
    return options


def encode_numbers(model: Model, x: NDArray[Any], preprocess: bool, options: Any) -> Floats:
    """Compute features of images in an array."""
    features = np.empty((len(x), model.embed_dim), dtype=np.float32)
    target = features.ctypes.data_as(_capi.c_float_p)
    if x.dtype == np.uint8:
        interruptible(
            _capi.model_encode_images_u8,
            model._pointer(),
            x.ctypes.data_as(_capi.c_uint8_p),
            *x.shape[:3],
            ctypes.byref(options),
            target,
            features.size,
        )
        return features
    source = x.ctypes.data_as(_capi.c_float_p)
    count, _, height, width = x.shape
    if preprocess:
        interruptible(
            _capi.model_encode_images_f32,
            model._pointer(),
            source,
            count,
            height,
            width,
            ctypes.byref(options),
            target,
            features.size,
        )
        return features
    size = model.image_size
    if size and (height, width) != (size, size):
        raise ValueError(
            f"encode_image: x has shape {list(x.shape)}; expected [n, 3, {size}, {size}]"
        )
    interruptible(
        _capi.model_encode_image_inputs,
        model._pointer(),
        source,
        count,
        ctypes.byref(options),
        target,
        features.size,
    )
    return features


def encode_items(model: Model, items: Sequence[Any], options: Any) -> Floats:
    """Compute features of single images."""
    if len(items) == 0:
        return np.empty((0, model.embed_dim), dtype=np.float32)
    rows: Any = inputs.Images(items)
    with Dataset.from_pairs(rows) as dataset:
        features = np.empty((len(items), model.embed_dim), dtype=np.float32)
        listener = CountListener(None)
        with listener.listening([model]):
            status = _capi.model_encode_dataset(
                model._pointer(),
                dataset._pointer(),
                ctypes.byref(options),
                listener.callback,
                None,
                features.ctypes.data_as(_capi.c_float_p),
                features.size,
            )
        listener.check(status)
    return features


def encode_tokens(model: Model, ids: NDArray[Any], options: Any) -> Floats:
    """Compute features of token ids, [n, length]."""
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"encode_text: token ids are {ids.dtype} {list(ids.shape)}; "
            "expected integers [n, length]"
        )
    narrow = np.ascontiguousarray(ids, dtype=np.int32)
    if not np.array_equal(narrow, ids):
        raise ValueError("encode_text: a token id does not fit into 32 bits")
    features = np.empty((len(narrow), model.embed_dim), dtype=np.float32)
    interruptible(
        _capi.model_encode_tokens,
        model._pointer(),
        narrow.ctypes.data_as(_capi.c_int32_p),
        narrow.shape[0],
        narrow.shape[1],
        ctypes.byref(options),
        features.ctypes.data_as(_capi.c_float_p),
        features.size,
    )
    return features
