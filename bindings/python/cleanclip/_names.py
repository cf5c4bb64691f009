"""Names of tensors: OpenCLIP's, which the library has, and Hugging Face's."""

from __future__ import annotations

import re
from typing import Dict

import numpy as np

from ._handle import Floats

NAMES = ("openclip", "huggingface")

_WHOLE = {
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",  # as the library spells it
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_TRANSPOSED = {
    "visual.proj": "visual_projection.weight",
    "text_projection": "text_projection.weight",
}
_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+?)[._](weight|bias)$")


def hugging_face(tensors: Dict[str, Floats]) -> Dict[str, Floats]:
    """Return tensors under the names and in the shapes of transformers' ``CLIPModel``.

    Parameters
    ----------
    tensors
        By OpenCLIP's names; query, key and value of a block are one tensor [3 D, …].

    Raises
    ------
    ValueError
        For a tower that ``CLIPModel`` does not have, such as a ResNet.
    """
    result = {}
    for name, values in tensors.items():
        block = _BLOCK.match(name)
        if name in _WHOLE:
            result[_WHOLE[name]] = values
        elif name in _TRANSPOSED:
            result[_TRANSPOSED[name]] = np.ascontiguousarray(values.T)
        elif block and block[3] == "attn.in_proj":
            for part, rows in zip("qkv", np.split(values, 3)):
                result[f"{_layer(block)}self_attn.{part}_proj.{block[4]}"] = rows.copy()
        elif block and block[3] in _LAYERS:
            result[f"{_layer(block)}{_LAYERS[block[3]]}.{block[4]}"] = values
        else:
            raise ValueError(
                f"names: '{name}' has no name in transformers' CLIPModel; expected Vision Transformer "
                "and text transformer, or names='openclip'")
    return result


def _layer(block: "re.Match[str]") -> str:
    tower = "vision_model" if block[1] else "text_model"
    return f"{tower}.encoder.layers.{block[2]}."
