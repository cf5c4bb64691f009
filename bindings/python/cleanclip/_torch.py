"""State dictionaries of PyTorch modules, without importing PyTorch."""

from __future__ import annotations

import importlib
import json
import struct
from typing import Any, Dict, Mapping, Optional

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


def _transformer(blocks: Any) -> Dict[str, Any]:
    """Return what shapes do not tell of OpenCLIP's residual blocks."""
    first = blocks.resblocks[0]
    name = type(first.mlp.gelu).__name__
    activations = {"QuickGELU": "quick_gelu", "GELU": "gelu"}
    if name not in activations:
        raise ValueError(f"expected QuickGELU or GELU in the model's blocks, got {name}")
    tanh = getattr(first.mlp.gelu, "approximate", "none") == "tanh"
    return {
        "activation": "gelu_tanh" if tanh else activations[name],
        "layer_norm_epsilon": first.ln_1.eps,
        "heads": first.attn.num_heads,
    }


def _transformer_sizes(blocks: Any) -> Dict[str, Any]:
    first = blocks.resblocks[0]
    width = first.attn.embed_dim
    return {
        "width": width,
        "layers": len(blocks.resblocks),
        "mlp_ratio": (first.mlp.c_fc.out_features + 0.5) / width,
    }


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, (tuple, list)) else size)


def _open_clip_config(module: Any) -> Dict[str, Any]:
    """Return an OpenCLIP module's architecture as open_clip_config.json has it."""
    visual = module.visual
    text = module.text if hasattr(module, "text") else module
    particulars: Dict[str, Any] = {"text": _transformer(text.transformer)}
    if hasattr(visual, "attnpool"):
        width = visual.layer1[0].conv1.out_channels
        vision = {
            "layers": [len(getattr(visual, f"layer{stage}")) for stage in (1, 2, 3, 4)],
            "width": width,
            "head_width": width * 32 // visual.attnpool.num_heads,
        }
        particulars["batch_norm_epsilon"] = visual.bn1.eps
        embed_dim = visual.attnpool.c_proj.out_features
    else:
        particulars["vision"] = _transformer(visual.transformer)
        vision = _transformer_sizes(visual.transformer)
        vision["head_width"] = vision["width"] // particulars["vision"]["heads"]
        vision["patch_size"] = _side(visual.patch_size)
        embed_dim = visual.proj.shape[1]
    vision["image_size"] = _side(visual.image_size)
    positions, table = text.positional_embedding, text.token_embedding.weight
    words = {
        "context_length": positions.shape[0],
        "vocab_size": table.shape[0],
        "heads": particulars["text"]["heads"],
        **_transformer_sizes(text.transformer),
    }
    config: Dict[str, Any] = {
        "model_cfg": {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": words},
        "cleanclip": particulars,
    }
    known = getattr(visual, "preprocess_cfg", None)
    mean, std = getattr(visual, "image_mean", None), getattr(visual, "image_std", None)
    if isinstance(known, Mapping):
        config["preprocess_cfg"] = dict(known)
    elif mean is not None and std is not None:
        config["preprocess_cfg"] = {"mean": list(mean), "std": list(std)}
    return config


def architecture_metadata(source: Any) -> Optional[Dict[str, str]]:
    """Return the architecture of a module that knows its own, as a file's metadata has it."""
    if hasattr(source, "config") and hasattr(source.config, "to_dict"):  # transformers
        return {"format": "pt", "config": json.dumps(source.config.to_dict(), default=str)}
    if hasattr(source, "visual") and hasattr(source, "logit_scale"):  # OpenCLIP
        return {"format": "pt", "open_clip_config": json.dumps(_open_clip_config(source))}
    return None


def names_of(module: Any) -> str:
    """Return whose names the tensors of a module have, as ``Model.state_dict`` calls them."""
    return "huggingface" if hasattr(module, "config") else "openclip"


def write_into(module: Any, tensors: Mapping[str, Floats]) -> None:
    """Replace the weights of a module, which keep their element types and devices."""
    torch = importlib.import_module("torch")  # there, or there was no module
    own = module.state_dict()  # the module's memory, not a copy
    targets = {name: own.get(name, own.get(f"text.{name}")) for name in tensors}
    missing = [name for name, target in targets.items() if target is None]
    if missing:
        raise ValueError(f"module: has no tensors {', '.join(missing)}; expected a whole CLIP model")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(torch.from_numpy(tensors[name]).reshape(target.shape))


def write_safetensors(path: str, source: Any, metadata: Dict[str, str]) -> None:
    """Write a module or a state dictionary as a safetensors file."""
    tensors = numpy_state_dict(source)
    header: Dict[str, Any] = {"__metadata__": metadata}
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
