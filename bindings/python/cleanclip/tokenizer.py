"""CLIP's tokenizer."""

from __future__ import annotations

import ctypes
from typing import Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import _capi
from ._handle import Handle, Path, created, path_bytes, text_array
from .errors import check


class Tokenizer(Handle):
    """Byte-level byte-pair encoding with CLIP's vocabulary.

    Parameters
    ----------
    path
        ``bpe_simple_vocab_16e6.txt`` or ``.txt.gz``, a folder with ``vocab.json`` and
        ``merges.txt``, or ``tokenizer.json``; ``None`` looks for the installed vocabulary.
    """

    _free = _capi.tokenizer_free

    def __init__(self, path: Optional[Path] = None) -> None:
        if path is None:
            self._handle = created(_capi.tokenizer_find, None)
        else:
            self._handle = created(_capi.tokenizer_load, path_bytes(path, "path"))

    @classmethod
    def find(cls, model_path: Path) -> Tokenizer:
        """Return the vocabulary beside a model, or else the installed one."""
        tokenizer = cls.__new__(cls)
        tokenizer._handle = created(_capi.tokenizer_find, path_bytes(model_path, "model_path"))
        return tokenizer

    def _facts(self) -> str:
        return f"{self.vocab_size} token ids"

    @property
    def vocab_size(self) -> int:
        """The number of token ids."""
        return int(_capi.tokenizer_vocab_size(self._pointer()))

    def encode(
        self, texts: Union[str, Sequence[str]], context_length: int = 77
    ) -> NDArray[np.int32]:
        """Turn texts into token ids.

        Parameters
        ----------
        texts
            One text or n of them.
        context_length
            L. Longer texts are cut, with end-of-text in the last position.

        Returns
        -------
        int32 [n, L]
            Start-of-text, tokens, end-of-text, zeros. One text gives [1, L].
        """
        rows = [texts] if isinstance(texts, str) else list(texts)
        array = text_array(rows, "texts")
        ids = np.zeros((len(rows), max(0, context_length)), dtype=np.int32)
        check(
            _capi.tokenizer_encode(
                self._pointer(),
                ctypes.cast(array, _capi.c_char_p_p),
                len(rows),
                context_length,
                ids.ctypes.data_as(_capi.c_int32_p),
                ids.size,
            )
        )
        return ids
