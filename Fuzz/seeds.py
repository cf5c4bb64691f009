"""Writes the seeds of the fuzz targets: small files of every form that the parsers know.

    python3 Fuzz/seeds.py          # into Fuzz/corpus

Needs torch 2.13.0 (CPU), open_clip_torch 3.3.0, onnx, onnxscript, numpy, and the built library
(CLEANCLIP_LIBRARY) with its Python package on the path.
"""

import gzip
import io
import json
import pathlib
import struct
import tarfile
import tempfile

import cleanclip
import numpy
import onnx
import open_clip
import torch

CORPUS = pathlib.Path(__file__).parent / "corpus"
ARCHITECTURE = {
    "embed_dim": 4,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 4, "layers": 1, "width": 4, "head_width": 2, "patch_size": 2},
    "text_cfg": {"context_length": 4, "vocab_size": 8, "width": 4, "heads": 2, "layers": 1},
}
VOCABULARY = "#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n"


def seed(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else bytes(content)
    assert len(data) <= 100_000, (target, name, len(data))
    (folder / name).write_bytes(data)


class Exported(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image, text):
        return (
            self.model.encode_image(image, normalize=True),
            self.model.encode_text(text, normalize=True),
            self.model.logit_scale.exp(),
        )


def exported(module, inputs, **options):
    file = io.BytesIO()
    torch.onnx.export(module, inputs, file, **options)
    model = onnx.load_from_string(file.getvalue())
    model.graph.ClearField("value_info")
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    return model


def write_onnx():
    torch.manual_seed(1)
    torch.backends.mha.set_fastpath_enabled(False)
    names = {
        "input_names": ["image", "text"],
        "output_names": ["image_features", "text_features", "logit_scale"],
    }
    quick = dict(ARCHITECTURE)
    model = open_clip.model.CLIP(**quick).eval()
    inputs = (torch.randn(2, 3, 4, 4), torch.tensor([[6, 1, 7, 0]]))
    axes = {"image": {0: "n"}, "text": {0: "m"}}
    script = exported(
        Exported(model), inputs, dynamo=False, opset_version=17, dynamic_axes=axes, **names)
    seed("onnx", "script17", script.SerializeToString())
    seed("onnx", "script14-unfolded", exported(
        Exported(model), inputs, dynamo=False, opset_version=14, do_constant_folding=False,
        dynamic_axes=axes, **names).SerializeToString())
    for opset in (18, 23):
        seed("onnx", f"dynamo{opset}", exported(
            Exported(model), inputs, dynamo=True, opset_version=opset, **names
        ).SerializeToString())
    gelu = open_clip.model.CLIP(**(quick | {"quick_gelu": False})).eval()
    seed("onnx", "script12-visual", exported(
        gelu.visual, inputs[:1], dynamo=False, opset_version=14).SerializeToString())
    offset = 0
    for tensor in script.graph.initializer:
        if not tensor.raw_data:
            continue
        onnx.external_data_helper.set_external_data(
            tensor, "weights.bin", offset, len(tensor.raw_data))
        offset += len(tensor.raw_data)
        tensor.ClearField("raw_data")
    seed("onnx", "external", script.SerializeToString())
    resnet = open_clip.modified_resnet.ModifiedResNet([1, 1, 1, 1], 4, 2, 32, 2).eval().half()
    seed("onnx", "resnet16", exported(
        resnet, (torch.randn(1, 3, 32, 32).half(),), dynamo=False, opset_version=17
    ).SerializeToString())


def write_checkpoints():
    model = cleanclip.create(ARCHITECTURE, seed=1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file in ("open_clip_model.safetensors", "model.safetensors", "fresh.onnx"):
            model.save(folder / file)
        seed("safetensors", "openclip", (folder / "open_clip_model.safetensors").read_bytes())
        seed("safetensors", "huggingface", (folder / "model.safetensors").read_bytes())
        seed("onnx", "fresh", (folder / "fresh.onnx").read_bytes())
        seed("configuration", "openclip", (folder / "open_clip_config.json").read_bytes())
        seed("configuration", "huggingface", (folder / "config.json").read_bytes())
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}).encode()
    seed("safetensors", "short", struct.pack("<Q", len(header)) + header + bytes(12))
    resnet = ARCHITECTURE | {
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 2, "head_width": 16}}
    seed("configuration", "resnet", json.dumps({
        "model_cfg": resnet, "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1]}}))


def write_texts():
    seed("vocabulary", "plain", VOCABULARY)
    seed("vocabulary", "gzip", gzip.compress(VOCABULARY.encode(), mtime=0))
    symbols = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256))]
    symbols += [chr(code) for code in range(256, 256 + 256 - len(symbols))]
    symbols += [symbol + "</w>" for symbol in symbols]
    merges = [line for line in VOCABULARY.splitlines()[1:] if line]
    symbols += [merge.replace(" ", "") for merge in merges]
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    seed("tokenizer", "vocab-and-merges",
         json.dumps(vocabulary, ensure_ascii=False) + "\x1e" + VOCABULARY)
    words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    seed("tokenizer", "json", json.dumps({
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": vocabulary[text], "content": text, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
            for text in ("<|startoftext|>", "<|endoftext|>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}]},
        "post_processor": {
            "type": "RobertaProcessing", "sep": ["<|endoftext|>", vocabulary["<|endoftext|>"]],
            "cls": ["<|startoftext|>", vocabulary["<|startoftext|>"]], "trim_offsets": False,
            "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": False,
            "vocab": vocabulary, "merges": merges},
    }, ensure_ascii=False))
    for number, text in enumerate((
        "a red box &amp; I'm &lt;b&gt; &#x1F600; 42nd", "caf\u00e9 cafe\u0301 \uff21\uff22 \u2018q\u2019",
        "<|startoftext|>\u65e5\u672c\u8a9e \U0001f468\u200d\U0001f469\u200d\U0001f467<|endoftext|>",
        "\u0000\u0007\x1b[31m \ud7a3 \u1112\u1161\u11ab &notit; &amp;amp;",
    )):
        seed("caption", str(number), text)


def write_data():
    pixel = (pathlib.Path(__file__).parents[1] / "Tests/Fixtures/images/grey1.png").read_bytes()
    for form, number in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT),
                         ("pax", tarfile.PAX_FORMAT)):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=number) as archive:
            for name, content in (
                ("a.png", pixel), ("a.txt", b"a red box"), ("a.cls", b"3"),
                ("b" * 120 + ".png" if form != "ustar" else "b.png", pixel),
                ("b" * 120 + ".json" if form != "ustar" else "b.json", b'{"caption": "a box"}'),
            ):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        seed("tar", form, file.getvalue())
    seed("table", "comma", "image,caption,label\na.png,a red box,1\n\"a,b.png\",\"a \"\"box\"\"\",2\n")
    seed("table", "tab", "\ufeffcaption\timage\r\na red\tbox.png\r\n\r\nx\ty\r\n")
    seed("table", "list", "red\n  green box \n\nthe {} one\n")
    for name, array in (
        ("f4", numpy.ones((2, 3), "f4")), ("f2", numpy.ones(3, "f2")), ("f8", numpy.ones((1, 2))),
        ("i8", numpy.arange(4)), ("fortran", numpy.ones((2, 3), "f4", order="F")),
        ("scalar", numpy.float32(1)),
    ):
        file = io.BytesIO()
        numpy.save(file, array)
        seed("array", name, file.getvalue())
    features = numpy.random.default_rng(1).standard_normal((50, 2)).astype("f4")
    tensors = {"image_features": features, "class_features": features[:3], "contrast": features[0]}
    header, offset = {"__metadata__": {"format": "cleanclip clean bank"}}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape,
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    seed("bank", "whole", struct.pack("<Q", len(text)) + text
         + b"".join(tensor.tobytes() for tensor in tensors.values()))
    for kind, planes in (("patch", 4), ("additive", 3), ("warp", 2)):
        values = numpy.linspace(0, 1, planes * 4).astype("f4")
        text = json.dumps({
            "__metadata__": {"format": "cleanclip trigger 1", "kind": kind, "size": "0.5",
                             "provenance": "a seed"},
            "trigger": {"dtype": "F32", "shape": (planes, 2, 2), "data_offsets": [0, values.nbytes]},
        }).encode()
        seed("trigger", kind, struct.pack("<Q", len(text)) + text + values.tobytes())
    seed("state", "unchanged", b"")
    seed("state", "edited", struct.pack("<HB4s", 40, 4, b"9999"))
    for first, name in enumerate(["model", "dataset"]):
        seed("check", name, bytes([first]))
        seed("check", name + "-edited", bytes([first]) + struct.pack("<HB4s", 40, 4, b"9999"))


if __name__ == "__main__":
    write_onnx()
    write_checkpoints()
    write_texts()
    write_data()
