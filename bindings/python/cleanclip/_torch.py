"""State dictionaries of PyTorch modules, without importing PyTorch."""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, Mapping

import numpy as np

from ._handle import Floats


def _numpy(value: Any) -> Floats:
    if hasattr(value, "detach"):  # a PyTorch tensor, of any element type and device
        value = value.detach().cpu().float().contiguous().numpy()
    # Not ascontiguousarray, which gives a scalar a dimension.
    return np.asarray(value, dtype=np.float32, order="C")


def numpy_state_dict(source: Any) -> Dict[str, Floats]:
    """Return the floating-point tensors of a module or a state dictionary as NumPy arrays.

    Counters of batch norms and attention masks, which are not weights, are left out.
    """
    tensors: Mapping[str, Any] = source.state_dict() if hasattr(source, "state_dict") else source
    if not isinstance(tensors, Mapping):
        raise TypeError(
            "expected a path, a state dictionary or a PyTorch module, "
            f"got {type(source).__name__}"
        )
    left_out = ("num_batches_tracked", "attn_mask", "position_ids")
    return {
        name: _numpy(value) for name, value in tensors.items() if not name.endswith(left_out)
    }


def _metadata(source: Any) -> Dict[str, str]:
    """Return what shapes do not tell: heads and activation, from an OpenCLIP module."""
    return {"format": "pt"}


def write_safetensors(path: str, source: Any) -> None:
    """Write a module or a state dictionary as a safetensors file."""
    tensors = numpy_state_dict(source)
    header: Dict[str, Any] = {"__metadata__": _metadata(source)}
    offset = 0
    for name, values in tensors.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [offset, offset + values.nbytes],
        }
        offset += values.nbytes
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for values in tensors.values():
            file.write(values.astype("<f4", copy=False).tobytes())
