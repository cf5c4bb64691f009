"""Writes a tiny CLIPModel of the transformers library with every size left free.

    python3 Tests/Fixtures/free_sizes.py

It has ViT-B/32's 50 image positions and 77 text positions, so that the ids of either table could be
taken for the other's. Needs torch 2.13.0 (CPU), transformers 5.23.0, onnx.
"""

import pathlib
import sys

# transformers reads images with it where it is installed; a model without images needs none.
sys.modules["torchvision"] = None

import torch  # noqa: E402
from transformers import CLIPConfig, CLIPModel  # noqa: E402

PATH = pathlib.Path(__file__).parent / "checkpoints" / "hf-free-sizes.onnx"
END = 39


def build():
    torch.manual_seed(5)
    tower = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    text = dict(
        tower, max_position_embeddings=77, vocab_size=40, bos_token_id=38, eos_token_id=END,
        pad_token_id=END)
    vision = dict(tower, image_size=56, patch_size=8)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=6)).eval()


def main():
    model = build()
    ids = torch.randint(0, END, (2, 77))
    ids[:, 20] = END
    torch.onnx.export(
        model, (ids, torch.randn(2, 3, 56, 56), torch.ones_like(ids)), str(PATH),
        input_names=["input_ids", "pixel_values", "attention_mask"],
        output_names=["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"],
        dynamic_axes={
            "input_ids": {0: "texts", 1: "sequence"},
            "attention_mask": {0: "texts", 1: "sequence"},
            "pixel_values": {0: "images", 2: "height", 3: "width"},
        },
        opset_version=17, dynamo=False)


if __name__ == "__main__":
    main()
