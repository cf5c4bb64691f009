"""CLIP models: facts, features, weights."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from . import _capi
from ._handle import (
    Floats,
    Handle,
    Path,
    created,
    path_array,
    precision_value,
    read_text,
    specification,
    text_array,
)
from ._torch import numpy_state_dict
from .errors import check
from .tokenizer import Tokenizer


class Model(Handle):
    """A CLIP model. Made by :func:`cleanclip.load`, :func:`cleanclip.create` or :meth:`copy`."""

    _free = _capi.model_free

    def __init__(self, handle: int, tokenizer: Optional[Tokenizer] = None) -> None:
        self._handle = handle
        self._tokenizer = tokenizer
        self._path: Optional[str] = None

    # Facts -------------------------------------------------------------------------------------

    @property
    def embed_dim(self) -> int:
        """E, the length of a feature."""
        return int(_capi.model_embed_dim(self._pointer()))

    @property
    def image_size(self) -> int:
        """S, the pixels along each side of the input; 0 without an image tower."""
        return int(_capi.model_image_size(self._pointer()))

    @property
    def context_length(self) -> int:
        """L, the most tokens of a text; 0 without a text tower."""
        return int(_capi.model_context_length(self._pointer()))

    @property
    def vocab_size(self) -> int:
        """The number of token ids; 0 without a text tower."""
        return int(_capi.model_vocab_size(self._pointer()))

    @property
    def logit_scale(self) -> float:
        """The factor of cosine similarities in logits, already exponentiated."""
        return float(_capi.model_logit_scale(self._pointer()))

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that was given, or else the one beside the model or installed."""
        if self._tokenizer is None:
            self._tokenizer = Tokenizer.find(self._path) if self._path else Tokenizer()
        return self._tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Union[Tokenizer, Path]) -> None:
        self._tokenizer = tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer(tokenizer)

    def describe(self) -> Dict[str, Any]:
        """Return towers, sizes, parameters, origin and preprocessing."""
        description: Dict[str, Any] = json.loads(
            read_text(_capi.model_describe, self._pointer())
        )
        return description

    # Features ----------------------------------------------------------------------------------

    def encode_image(
        self,
        x: Union[NDArray[Any], Path, Sequence[Path]],
        *,
        normalize: bool = True,
        preprocess: bool = True,
        precision: str = "f32",
        batch_size: int = 64,
    ) -> Floats:
        """Compute features of images.

        Parameters
        ----------
        x
            float32 [n, 3, S, S] in 0 … 1, normalised inside; uint8 [n, H, W, 3], resized and
            cropped as CLIP does; or paths of JPEG, PNG or WebP files.
        normalize
            L2-normalize the features.
        preprocess
            ``False``: ``x`` is the graph's own input, float32 [n, 3, S, S].
        precision
            "f32", "bf16", or "auto": bf16 where the processor has it.
        batch_size
            Images computed at a time, which bounds the memory.

        Returns
        -------
        float32 [n, E]
        """
        options = self._encode_options(normalize, precision, batch_size)
        if not isinstance(x, np.ndarray):
            if hasattr(x, "__array__") and not isinstance(x, (str, os.PathLike)):
                x = np.asarray(x)
            else:
                return self._encode_files(x, preprocess, options)
        if x.dtype == np.uint8 and preprocess:
            return self._encode_bytes(x, options)
        if x.dtype != np.float32:
            expected = "float32 or uint8" if preprocess else "float32"
            raise TypeError(f"encode_image: x has dtype {x.dtype}; expected {expected}")
        if x.ndim != 4 or x.shape[1] != 3:
            raise ValueError(
                f"encode_image: x has shape {list(x.shape)}; expected [n, 3, height, width]"
            )
        pixels = np.ascontiguousarray(x)
        count, _, height, width = pixels.shape
        features = np.empty((count, self.embed_dim), dtype=np.float32)
        source = pixels.ctypes.data_as(_capi.c_float_p)
        target = features.ctypes.data_as(_capi.c_float_p)
        if preprocess:
            check(
                _capi.model_encode_images_f32(
                    self._pointer(),
                    source,
                    count,
                    height,
                    width,
                    ctypes.byref(options),
                    target,
                    features.size,
                )
            )
        else:
            size = self.image_size
            if size and (height, width) != (size, size):
                raise ValueError(
                    f"encode_image: x has shape {list(x.shape)}; expected [n, 3, {size}, {size}]"
                )
            check(
                _capi.model_encode_image_inputs(
                    self._pointer(), source, count, ctypes.byref(options), target, features.size
                )
            )
        return features

    def _encode_bytes(self, x: NDArray[np.uint8], options: Any) -> Floats:
        if x.ndim != 4 or x.shape[3] != 3:
            raise ValueError(
                f"encode_image: x has shape {list(x.shape)}; expected [n, height, width, 3]"
            )
        pixels = np.ascontiguousarray(x)
        count, height, width, _ = pixels.shape
        features = np.empty((count, self.embed_dim), dtype=np.float32)
        check(
            _capi.model_encode_images_u8(
                self._pointer(),
                pixels.ctypes.data_as(_capi.c_uint8_p),
                count,
                height,
                width,
                ctypes.byref(options),
                features.ctypes.data_as(_capi.c_float_p),
                features.size,
            )
        )
        return features

    def _encode_files(
        self, paths: Union[Path, Sequence[Path]], preprocess: bool, options: Any
    ) -> Floats:
        if not preprocess:
            raise ValueError("encode_image: files are always preprocessed; pass an array")
        files = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        array = path_array(files, "x")
        features = np.empty((len(files), self.embed_dim), dtype=np.float32)
        check(
            _capi.model_encode_image_files(
                self._pointer(),
                ctypes.cast(array, _capi.c_char_p_p),
                len(files),
                ctypes.byref(options),
                features.ctypes.data_as(_capi.c_float_p),
                features.size,
            )
        )
        return features

    def encode_text(
        self,
        texts: Union[str, Sequence[str], NDArray[Any]],
        *,
        normalize: bool = True,
        precision: str = "f32",
        batch_size: int = 64,
    ) -> Floats:
        """Compute features of texts.

        Parameters
        ----------
        texts
            A text, n texts, or integer token ids [n, length] with length ≤ L.
        normalize, precision, batch_size
            As in :meth:`encode_image`.

        Returns
        -------
        float32 [n, E]
        """
        options = self._encode_options(normalize, precision, batch_size)
        if hasattr(texts, "__array__"):
            return self._encode_tokens(np.asarray(texts), options)
        rows = [texts] if isinstance(texts, str) else list(texts)
        if rows and not isinstance(rows[0], str):
            return self._encode_tokens(np.asarray(rows), options)
        array = text_array(rows, "texts")
        features = np.empty((len(rows), self.embed_dim), dtype=np.float32)
        check(
            _capi.model_encode_texts(
                self._pointer(),
                self.tokenizer._pointer(),
                ctypes.cast(array, _capi.c_char_p_p),
                len(rows),
                ctypes.byref(options),
                features.ctypes.data_as(_capi.c_float_p),
                features.size,
            )
        )
        return features

    def _encode_tokens(self, ids: NDArray[Any], options: Any) -> Floats:
        if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(
                f"encode_text: token ids are {ids.dtype} {list(ids.shape)}; "
                "expected integers [n, length]"
            )
        narrow = np.ascontiguousarray(ids, dtype=np.int32)
        if not np.array_equal(narrow, ids):
            raise ValueError("encode_text: a token id does not fit into 32 bits")
        features = np.empty((len(narrow), self.embed_dim), dtype=np.float32)
        check(
            _capi.model_encode_tokens(
                self._pointer(),
                narrow.ctypes.data_as(_capi.c_int32_p),
                narrow.shape[0],
                narrow.shape[1],
                ctypes.byref(options),
                features.ctypes.data_as(_capi.c_float_p),
                features.size,
            )
        )
        return features

    @staticmethod
    def _encode_options(normalize: bool, precision: str, batch_size: int) -> Any:
        options = _capi.initialised(_capi.EncodeOptions, _capi.encode_options_init)
        options.normalize = 1 if normalize else 0
        options.precision = precision_value(precision)
        options.batch_size = batch_size
        return options

    # Weights -----------------------------------------------------------------------------------

    def _infos(self) -> Dict[str, Tuple[int, ...]]:
        shapes = {}
        info = _capi.initialised(_capi.ParameterInfo, _capi.parameter_info_init)
        for index in range(_capi.model_parameter_count(self._pointer())):
            check(_capi.model_parameter_info(self._pointer(), index, ctypes.byref(info)))
            shapes[info.name.decode("utf-8")] = tuple(info.dimensions[: info.rank])
        return shapes

    def state_dict(self) -> Dict[str, Floats]:
        """Return copies of all tensors under OpenCLIP's names; "logit_scale" is the logarithm."""
        tensors = {}
        for name, shape in self._infos().items():
            values = np.empty(shape, dtype=np.float32)
            check(
                _capi.model_read_parameter(
                    self._pointer(),
                    name.encode("utf-8"),
                    values.ctypes.data_as(_capi.c_float_p),
                    values.size,
                )
            )
            tensors[name] = values
        return tensors

    def load_state_dict(self, tensors: Union[Mapping[str, Any], Any], strict: bool = True) -> None:
        """Replace weights.

        Parameters
        ----------
        tensors
            Arrays or PyTorch tensors by OpenCLIP's names, or a PyTorch module.
        strict
            Every tensor of the model must be there, and no other.
        """
        given = numpy_state_dict(tensors)
        shapes = self._infos()
        if strict:
            missing = [name for name in shapes if name not in given]
            unexpected = [name for name in given if name not in shapes]
            if missing or unexpected:
                raise KeyError(
                    f"load_state_dict: missing {missing or 'nothing'}, "
                    f"unexpected {unexpected or 'nothing'}"
                )
        arrays = {}
        wrong = []
        for name, shape in shapes.items():
            if name not in given:
                continue
            arrays[name] = np.asarray(given[name], dtype=np.float32, order="C")
            if arrays[name].shape != shape:
                wrong.append(f"'{name}' {list(arrays[name].shape)}, expected {list(shape)}")
        if wrong:
            raise ValueError("load_state_dict: wrong shapes: " + "; ".join(wrong))
        for name, values in arrays.items():
            check(
                _capi.model_write_parameter(
                    self._pointer(),
                    name.encode("utf-8"),
                    values.ctypes.data_as(_capi.c_float_p),
                    values.size,
                )
            )

    def copy(self) -> Model:
        """Return an independent copy."""
        model = Model(created(_capi.model_copy, self._pointer()), self._tokenizer)
        model._path = self._path
        return model

    def __copy__(self) -> Model:
        return self.copy()

    def save(self, path: Union[Path, Tuple[Path, Path]]) -> None:
        """Save the model.

        An ``.onnx`` file is the very graph that the model was loaded from with new weights, or a
        fresh graph; ``.safetensors`` holds OpenCLIP's names. The file appears only when complete.
        """
        check(_capi.model_save(self._pointer(), specification(path)))
