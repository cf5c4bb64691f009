"""CLIP models: facts, features, weights."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from . import _capi, inputs
from ._buffers import saved
from ._handle import (
    Floats,
    Handle,
    Path,
    created,
    interruptible,
    read_text,
    specification,
    text_array,
)
from ._encode import encode_items, encode_numbers, encode_options, encode_tokens
from ._display import millions, table, tower
from ._names import NAMES, hugging_face
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

    def _facts(self) -> str:
        facts = self.describe()
        towers = [tower(facts[name]) for name in ("image_tower", "text_tower") if facts.get(name)]
        origin = f", '{self._path}'" if self._path else ""
        return f"{'; '.join(towers)}; {millions(facts['parameters'])} parameters{origin}"

    def _repr_html_(self) -> str:
        facts = self.describe()
        return table("cleanclip model", [
            ("file", self._path or "none"),
            ("image tower", tower(facts.get("image_tower"))),
            ("text tower", tower(facts.get("text_tower"))),
            ("parameters", millions(facts["parameters"])),
            ("features", f"{facts['embed_dim']} numbers"),
            ("logit scale", f"{facts['logit_scale']:.4g}"),
            ("weights", "finite" if facts["finite"] else "some are not finite numbers"),
        ])

    def describe(self) -> Dict[str, Any]:
        """Return towers, sizes, parameters, origin and preprocessing."""
        description: Dict[str, Any] = json.loads(
            read_text(_capi.model_describe, self._pointer())
        )
        return description

    # Features ----------------------------------------------------------------------------------

    def encode_image(
        self,
        x: Any,
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
            An array or a tensor of images: float [n, 3, S, S] in 0 … 1, normalised inside, or uint8
            [n, H, W, 3], resized and cropped as the model's images are; or single images, in a
            list, a generator or alone: paths, bytes of JPEG, PNG or WebP files, PIL images, arrays of
            any size.
        normalize
            L2-normalize the features.
        preprocess
            ``False``: ``x`` is the graph's own input, float [n, 3, S, S].
        precision
            "f32", "bf16", or "auto": bf16 where the processor has it.
        batch_size
            Images computed at a time, which bounds the memory.

        Returns
        -------
        float32 [n, E]
        """
        options = encode_options(normalize, precision, batch_size)
        if hasattr(x, "__array__") and not hasattr(x, "getbands"):
            values = inputs.numbers(inputs.array(x), preprocess)
            if values is not None:
                return encode_numbers(self, values, preprocess, options)
            x = np.asarray(x).ravel().tolist()
        if not preprocess:
            raise ValueError("encode_image: files are always preprocessed; pass an array")
        return encode_items(self, inputs.images(x), options)

    def encode_text(
        self,
        texts: Union[str, Iterable[str], NDArray[Any]],
        *,
        normalize: bool = True,
        precision: str = "f32",
        batch_size: int = 64,
    ) -> Floats:
        """Compute features of texts.

        Parameters
        ----------
        texts
            A text; n texts in a list, an array, a series or a generator; or integer token ids
            [n, length] with length ≤ L.
        normalize, precision, batch_size
            As in :meth:`encode_image`.

        Returns
        -------
        float32 [n, E]
        """
        options = encode_options(normalize, precision, batch_size)
        if hasattr(texts, "__array__"):
            values = inputs.array(texts)
            if values.dtype.kind not in "OUS":
                return encode_tokens(self, values, options)
            texts = values.ravel().tolist()
        rows: Any = texts if isinstance(texts, str) else inputs.rows(texts)
        if not isinstance(rows, str) and len(rows) > 0 and isinstance(rows[0], (list, tuple)):
            return encode_tokens(self, np.asarray(rows), options)
        rows = inputs.texts(rows, "texts")
        array = text_array(rows, "texts")
        features = np.empty((len(rows), self.embed_dim), dtype=np.float32)
        interruptible(
            _capi.model_encode_texts,
            self._pointer(),
            self.tokenizer._pointer(),
            ctypes.cast(array, _capi.c_char_p_p),
            len(rows),
            ctypes.byref(options),
            features.ctypes.data_as(_capi.c_float_p),
            features.size,
        )
        return features

    # Weights -----------------------------------------------------------------------------------

    def _infos(self) -> Dict[str, Tuple[int, ...]]:
        shapes = {}
        info = _capi.initialised(_capi.ParameterInfo, _capi.parameter_info_init)
        for index in range(_capi.model_parameter_count(self._pointer())):
            check(_capi.model_parameter_info(self._pointer(), index, ctypes.byref(info)))
            shapes[info.name.decode("utf-8")] = tuple(info.dimensions[: info.rank])
        return shapes

    def state_dict(self, names: str = "openclip") -> Dict[str, Floats]:
        """Return copies of all tensors; "logit_scale" is the logarithm.

        Parameters
        ----------
        names
            "openclip", or "huggingface": names and shapes of transformers' ``CLIPModel``.

        Raises
        ------
        ValueError
            For other names, and for a ResNet under Hugging Face's.
        """
        if names not in NAMES:
            raise ValueError(f"names: unknown; expected one of {', '.join(NAMES)}, got {names!r}")
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
        return hugging_face(tensors) if names == "huggingface" else tensors

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
        interruptible(_capi.model_save, self._pointer(), specification(path))

    def to_bytes(self, form: str = "onnx") -> bytes:
        """Return what :meth:`save` writes, for databases and object stores.

        Parameters
        ----------
        form
            "onnx" or "safetensors".

        Raises
        ------
        ValueError
            For another form.
        UnsupportedError
            For what is more than one file: graphs of two towers, weights in files of their own.
        """
        return saved(self._pointer(), form)
