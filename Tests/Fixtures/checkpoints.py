"""Writes tiny ONNX checkpoints and what PyTorch makes of them.

    python3 Tests/Fixtures/checkpoints.py

Needs torch 2.13.0 (CPU), open_clip_torch 3.3.0, onnx, onnxscript, safetensors, numpy.
"""

import pathlib

import numpy
import onnx
import open_clip
import torch
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).parent / "checkpoints"
CONTEXT, VOCABULARY, IMAGE = 6, 40, 16


class Exported(torch.nn.Module):
    """A CLIP as OpenCLIP users export it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image, text):
        features = self.model.encode_image(image, normalize=True)
        words = self.model.encode_text(text, normalize=True)
        return features, words, self.model.logit_scale.exp()


def build():
    torch.manual_seed(3)
    model = open_clip.model.CLIP(
        embed_dim=10,
        vision_cfg=dict(image_size=IMAGE, patch_size=8, width=12, layers=1, head_width=6),
        text_cfg=dict(context_length=CONTEXT, vocab_size=VOCABULARY, width=8, heads=2, layers=1),
        quick_gelu=True,
    ).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "logit_scale":
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def inputs():
    torch.manual_seed(4)
    text = torch.randint(1, VOCABULARY - 2, (3, CONTEXT))
    text[:, 0] = VOCABULARY - 2
    for row, end in enumerate((2, 5, 3)):
        text[row, end] = VOCABULARY - 1
        text[row, end + 1 :] = 0
    return torch.randn(2, 3, IMAGE, IMAGE), text


def export(model, path, **options):
    image, text = inputs()
    torch.onnx.export(
        Exported(model), (image, text), path, opset_version=17, dynamo=False,
        input_names=["image", "text"],
        output_names=["image_features", "text_features", "logit_scale"],
        dynamic_axes={"image": {0: "n"}, "text": {0: "m"}}, **options,
    )


def half(source, target):
    """Stores weights in half precision: two as bit patterns, the others raw."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    kept = 0
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT16 and tensor.raw_data and kept < 2:
            bits = numpy.frombuffer(tensor.raw_data, numpy.uint16)
            tensor.ClearField("raw_data")
            tensor.int32_data.extend(int(value) for value in bits)
            kept += 1
    model.graph.ClearField("value_info")
    onnx.save(model, target)


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.backends.mha.set_fastpath_enabled(False)
    model = build()
    export(model, str(FOLDER / "vit.onnx"))
    half(str(FOLDER / "vit.onnx"), str(FOLDER / "vit-f16.onnx"))
    untrained = build()
    with torch.no_grad():
        for name, parameter in untrained.named_parameters():
            if parameter.ndim == 1 and "embedding" not in name:
                parameter.fill_(1 if "ln_" in name and name.endswith("weight") else 0)
    export(untrained, str(FOLDER / "vit-merged.onnx"))
    image, text = inputs()
    with torch.no_grad():
        golden = {
            "image": image, "text": text,
            "image_features": model.encode_image(image), "text_features": model.encode_text(text),
            "logit_scale": model.logit_scale.exp(),
        }
    tensors = {name: value.contiguous().numpy() for name, value in golden.items()}
    tensors |= {
        "state." + name: value.contiguous().numpy()
        for name, value in model.state_dict().items() if value.is_floating_point()
    }
    save_file(
        {name: value.astype(numpy.int64 if name == "text" else numpy.float32)
         for name, value in tensors.items()},
        str(FOLDER / "vit-golden.safetensors"),
        metadata={"torch": torch.__version__, "open_clip": open_clip.__version__},
    )


if __name__ == "__main__":
    main()
