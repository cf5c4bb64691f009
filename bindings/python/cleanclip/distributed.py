"""Communicators for programs that run several processes with ``torch.distributed`` or ``mpi4py``.

    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    ranks = cleanclip.distributed.TorchCommunicator()
    cleanclip.sanitize(model, "finetune-*.tar", communicator=ranks)
    if ranks.rank == 0:
        model.save("clean.onnx")

Neither package is needed to import this module.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING, Any, List, Optional

import numpy as np

from .communicator import Communicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MPICommunicator", "TorchCommunicator"]


class TorchCommunicator(Communicator):
    """The ranks of a process group of ``torch.distributed`` whose backend takes tensors of the CPU.

    A rank that dies or hangs is an error of the group, after the time-out that the group was made with.

    Parameters
    ----------
    group
        A process group; ``None`` is the default one. ``init_process_group()`` comes first.
    """

    def __init__(self, group: Any = None) -> None:
        distributed: Any = importlib.import_module("torch.distributed")
        if not distributed.is_available() or not distributed.is_initialized():
            raise RuntimeError(
                "torch.distributed: there is no process group; expected "
                "torch.distributed.init_process_group() before, got none")
        self._group = group
        self._distributed = distributed
        super().__init__(distributed.get_rank(group), distributed.get_world_size(group))

    def all_reduce(self, values: NDArray[np.float32]) -> None:
        self._distributed.all_reduce(_tensor(values), group=self._group)

    def all_gather(self, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        parts = [_tensor(part) for part in out]
        self._distributed.all_gather(parts, _tensor(data), group=self._group)

    def broadcast(self, data: NDArray[np.uint8], root: int) -> None:
        if self._group is not None:
            root = self._distributed.get_global_rank(self._group, root)
        self._distributed.broadcast(_tensor(data), root, group=self._group)


def _tensor(array: NDArray[Any]) -> Any:
    """Return a tensor of an array's memory."""
    return importlib.import_module("torch").from_numpy(array)


#: Elements of one call: MPI counts with 31 bits.
_PIECE = 1 << 28
_PRESENT = 7001


class MPICommunicator(Communicator):
    """The ranks of a communicator of ``mpi4py``.

    Where a rank dies, most launchers end the others and name it. Where it hangs, the time-out does: the
    ranks that wait tell each other that they are there, and name the ones that do not. End the others
    with ``MPI.COMM_WORLD.Abort()`` then.

    Parameters
    ----------
    comm
        A communicator, which is duplicated; ``None`` is ``MPI.COMM_WORLD``.
    timeout
        Seconds that a rank waits for the others in one collective, more than the difference of their
        steps; none by default: for ever. Missing ranks are named after twice the time.
    """

    def __init__(self, comm: Any = None, timeout: Optional[float] = None) -> None:
        mpi: Any = importlib.import_module("mpi4py.MPI")
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout: expected more than 0, or None for none, got {timeout}")
        self._mpi = mpi
        self._comm: Any = (mpi.COMM_WORLD if comm is None else comm).Dup()
        self.timeout = timeout
        super().__init__(self._comm.Get_rank(), self._comm.Get_size())

    def all_reduce(self, values: NDArray[np.float32]) -> None:
        for start in range(0, len(values), _PIECE):
            piece = values[start:start + _PIECE]
            self._wait(self._comm.Iallreduce(self._mpi.IN_PLACE, piece, self._mpi.SUM))

    def all_gather(self, data: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        self._wait(self._comm.Iallgather(data, out))

    def broadcast(self, data: NDArray[np.uint8], root: int) -> None:
        for start in range(0, len(data), _PIECE):
            self._wait(self._comm.Ibcast(data[start:start + _PIECE], root))

    def _wait(self, request: Any) -> None:
        begin = time.monotonic()
        tries = 0
        while not request.Test():
            tries += 1
            if tries < 1000:
                continue
            if self.timeout is not None and time.monotonic() - begin > self.timeout:
                raise TimeoutError(self._missing(self.timeout))
            time.sleep(0)  # ranks on one machine share its cores

    def _missing(self, timeout: float) -> str:
        """Name the ranks that do not wait too, after the time by which one may be behind another."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        message = np.ones(1, dtype=np.uint8)
        self._sent: List[Any] = [
            (message, self._comm.Isend(message, rank, _PRESENT)) for rank in others]
        end = time.monotonic() + timeout
        missing = set(others)
        status = self._mpi.Status()
        while missing and time.monotonic() < end:
            if self._comm.Iprobe(self._mpi.ANY_SOURCE, _PRESENT, status):
                self._comm.Recv(np.empty(1, dtype=np.uint8), status.Get_source(), _PRESENT)
                missing.discard(status.Get_source())
            else:
                time.sleep(0.001)
        named = f" of rank {', '.join(map(str, sorted(missing)))}" if missing else ""
        return f"no answer within {timeout:g} s{named}"
