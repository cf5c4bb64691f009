"""Models from files, from PyTorch, from arrays, and new ones."""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
from typing import Any, Mapping, Optional, Tuple, Union, cast

from . import _capi
from ._buffers import Buffer, is_buffer, loaded
from ._handle import Path, Preprocessing, created, preprocessing_bytes, specification, text_bytes
from ._torch import architecture_metadata, write_safetensors
from .model import Model
from .tokenizer import Tokenizer

ModelFile = Union[Path, Buffer]
ModelSource = Union[ModelFile, Tuple[ModelFile, ModelFile], Mapping[str, Any], Any]
Architecture = Union[str, Mapping[str, Any]]


def load(
    source: ModelSource,
    tokenizer: Union[Tokenizer, Path, None] = None,
    architecture: Optional[Architecture] = None,
    *,
    preprocessing: Optional[Preprocessing] = None,
) -> Model:
    """Load a CLIP model.

    Parameters
    ----------
    source
        An ONNX or safetensors file, the index of several, a folder with one as its library saves
        it; ("visual.onnx", "textual.onnx"); bytes or a binary file object in the place of a file, for
        checkpoints without files beside; a PyTorch module of OpenCLIP or transformers; or a
        state dictionary with OpenCLIP's names (tensors or arrays).
    tokenizer
        A tokenizer or a vocabulary file; by default the one beside the model, then the installed
        one, looked for when it is needed.
    architecture
        For a state dictionary, what the weights do not tell (heads, activation): a name or an
        OpenCLIP model configuration, such as ``open_clip.get_model_config("RN50")``.
    preprocessing
        How images are prepared, in place of what lies beside the model: a mapping, JSON or the path
        of a file, with the members of OpenCLIP's ``preprocess_cfg`` (``mean``, ``std``,
        ``resize_mode``, ``interpolation``) or Hugging Face's ``preprocessor_config.json``.
    """
    if not isinstance(source, (str, os.PathLike, tuple, list)) and not is_buffer(source):
        if architecture is None:
            metadata = architecture_metadata(source)
            if metadata is None:
                raise ValueError(
                    "load: a state dictionary does not tell heads and activation; expected "
                    "architecture=, a name or an OpenCLIP model configuration"
                )
            with tempfile.TemporaryDirectory(prefix="cleanclip-") as folder:
                path = os.path.join(folder, "weights.safetensors")
                write_safetensors(path, source, metadata)
                return load(path, tokenizer, preprocessing=preprocessing)
        if preprocessing is not None:
            raise ValueError(
                "load: preprocessing stands beside an architecture; expected it in architecture=, "
                "as {'model_cfg': …, 'preprocess_cfg': …}"
            )
        model = create(architecture, tokenizer=tokenizer)
        model.load_state_dict(source)
        return model
    if architecture is not None:
        raise ValueError("load: architecture is for state dictionaries; files tell their own")
    given = tokenizer
    if given is not None and not isinstance(given, Tokenizer):
        given = Tokenizer(given)
    options = _capi.initialised(_capi.ModelOptions, _capi.model_options_init)
    if preprocessing is not None:
        options.preprocessing = preprocessing_bytes(preprocessing)
    if is_buffer(source):
        return Model(loaded(source, options), given)
    encoded = specification(cast(Any, source))
    model = Model(created(_capi.model_load_with, encoded, ctypes.byref(options)), given)
    model._path = os.fsdecode(encoded)
    return model


def create(
    architecture: Architecture,
    seed: int = 0,
    tokenizer: Union[Tokenizer, Path, None] = None,
) -> Model:
    """Make a model with random weights.

    Parameters
    ----------
    architecture
        A name ("ViT-B-32", "RN50" …), or an OpenCLIP model configuration as a dictionary or JSON.
    """
    text = architecture if isinstance(architecture, str) else json.dumps(architecture)
    if tokenizer is not None and not isinstance(tokenizer, Tokenizer):
        tokenizer = Tokenizer(tokenizer)
    handle = created(_capi.model_create, text_bytes(text, "architecture"), seed & (2**64 - 1))
    return Model(handle, tokenizer)
