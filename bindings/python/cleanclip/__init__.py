"""Sanitize poisoned CLIP checkpoints: the Python interface of libcleanclip.

    model = cleanclip.load("clip.onnx")
    history = cleanclip.sanitize(model, "finetune-*.tar", epochs=4)
    model.save("clean.onnx")

The library computes on threads of its own; prefer the ``spawn`` method over ``fork`` for processes
that are started after it has worked. Objects must not be shared between threads while one of them
trains. Rows that are left out, and other things worth knowing, go to the logger "cleanclip".
"""

from __future__ import annotations

from . import _capi, distributed
from ._library import library_path
from ._listener import forward_log as _forward_log
from .attack import PoisonOptions, Trigger, poison, trigger_names
from .communicator import Communicator
from .dataset import Dataset
from .errors import (
    CancelledError,
    CleanCLIPError,
    FileError,
    FormatError,
    InternalError,
    InvalidArgumentError,
    MemoryExhaustedError,
    NotFoundError,
    ShapeError,
    StateError,
    UnsupportedError,
    check as _check,
)
from .check import (
    Bank,
    CheckDataOptions,
    CheckModelOptions,
    DatasetCheck,
    Finding,
    InputFindings,
    InputSetCheck,
    ModelCheck,
    check_data,
    check_input_set,
    check_inputs,
    check_model,
)
from .evaluate import EvaluateOptions, Evaluation, evaluate, evaluate_retrieval
from .history import History, Progress
from .loading import create, load
from .model import Model
from .report import write_report
from .sanitize import SanitizeOptions, sanitize
from .tokenizer import Tokenizer

#: The version of the loaded library.
__version__: str = _capi.version().decode("ascii")


_forward_log()


def set_num_threads(count: int) -> None:
    """Set how many threads computation uses, in the whole process; 0 restores the default."""
    _check(_capi.set_num_threads(count))


def num_threads() -> int:
    """Return how many threads computation uses."""
    return int(_capi.num_threads())


__all__ = [
    "Bank",
    "CancelledError",
    "CheckDataOptions",
    "CheckModelOptions",
    "CleanCLIPError",
    "Communicator",
    "Dataset",
    "DatasetCheck",
    "EvaluateOptions",
    "Evaluation",
    "FileError",
    "Finding",
    "FormatError",
    "History",
    "InputFindings",
    "InternalError",
    "InvalidArgumentError",
    "MemoryExhaustedError",
    "Model",
    "ModelCheck",
    "NotFoundError",
    "PoisonOptions",
    "Progress",
    "SanitizeOptions",
    "ShapeError",
    "StateError",
    "Tokenizer",
    "Trigger",
    "UnsupportedError",
    "check_data",
    "check_inputs",
    "check_model",
    "create",
    "distributed",
    "evaluate",
    "evaluate_retrieval",
    "library_path",
    "load",
    "num_threads",
    "poison",
    "sanitize",
    "set_num_threads",
    "trigger_names",
    "write_report",
]
