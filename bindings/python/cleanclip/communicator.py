"""Communicators: processes that sanitize one model together."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from . import _capi
from .errors import remember

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Communicator(ABC):
    """The ranks that make a call together, one process each.

    Every rank calls the same function with the same model, data and options. Collectives block and
    are called on the thread that made the call, in the same order on every rank; what one raises
    ends the call, and is the cause of its error. :mod:`cleanclip.distributed` has communicators for
    ``torch.distributed`` and ``mpi4py``; a program derives others.

    Parameters
    ----------
    rank
        From 0, below ``size``.
    size
        The number of ranks.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank = rank
        self.size = size
        struct = _capi.initialised(_capi.Communicator, _capi.communicator_init)
        struct.rank, struct.size = rank, size
        struct.all_reduce = _capi.AllReduceCallback(self._reduced)
        struct.all_gather = _capi.AllGatherCallback(self._gathered)
        struct.broadcast = _capi.BroadcastCallback(self._broadcasted)
        self._struct = struct

    @abstractmethod
    def all_reduce(self, values: NDArray[np.float32]) -> None:
        """Replace ``values`` [n] by their sums over all ranks, the same bits on every rank."""

    @abstractmethod
    def all_gather(self, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Write ``data`` [n] of every rank into ``out`` [size, n], in the order of ranks."""

    @abstractmethod
    def broadcast(self, data: NDArray[np.uint8], root: int) -> None:
        """Replace ``data`` [n] by that of rank ``root``."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rank={self.rank}, size={self.size})"

    def _reduced(self, values: int, count: int, user_data: Any) -> int:
        return self._call(lambda: self.all_reduce(_view(values, count, ctypes.c_float)))

    def _gathered(self, data: int, count: int, out: int, user_data: Any) -> int:
        return self._call(
            lambda: self.all_gather(
                _view(data, count, ctypes.c_uint8),
                _view(out, self.size * count, ctypes.c_uint8).reshape(self.size, count),
            )
        )

    def _broadcasted(self, data: int, count: int, root: int, user_data: Any) -> int:
        return self._call(lambda: self.broadcast(_view(data, count, ctypes.c_uint8), root))

    def _call(self, collective: Callable[[], None]) -> int:
        try:
            collective()
        except BaseException as error:  # must not unwind through the library
            text = f"{type(error).__name__}: {error}".replace("\0", "\\0")
            remember(error, text)
            self._struct.problem = text.encode("utf-8", "replace")
            return 1
        return 0


def _view(address: int, count: int, kind: Any) -> Any:
    """Return memory of the library as an array; valid during the callback."""
    return np.ctypeslib.as_array((kind * count).from_address(address))
