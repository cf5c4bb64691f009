"""A graph that computes something else than CLIP is refused, or computed as it is: never mistaken."""

import os
import pathlib

import numpy as np
import pytest

import cleanclip
from conftest import ROOT

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(4)

from onnx import TensorProto, helper  # noqa: E402

from graph_mutations import Mutator  # noqa: E402
from reference import RUNTIME_ERRORS, change, largest_difference, session  # noqa: E402

VIT = ROOT / "Tests/Fixtures/checkpoints/vit.onnx"
MUTATIONS = int(os.environ.get("CLEANCLIP_MUTATIONS", "40"))
TEXT = {"context_length": 17, "vocab_size": 64, "width": 17, "heads": 1, "layers": 1}


@pytest.fixture(scope="session")
def graphs(tmp_path_factory):
    """Graphs by name, some of which have equal sizes wherever there can be."""
    folder = tmp_path_factory.mktemp("graphs")
    towers = {
        "resnet": {
            "image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None,
            "head_width": 8},
        "square": {
            "image_size": 32, "layers": 1, "width": 17, "head_width": 17, "patch_size": 8,
            "mlp_ratio": 1.0},
    }
    paths = {"vit": VIT}
    for name, tower in towers.items():
        model = cleanclip.create({"embed_dim": 17, "vision_cfg": tower, "text_cfg": TEXT}, seed=3)
        change(model)
        paths[name] = folder / f"{name}.onnx"
        model.save(paths[name])
    return paths


def node(graph, operator, place=0):
    """The first, or another, node of an operator."""
    return [node for node in graph.node if node.op_type == operator][place]


def before(graph, target, operand, operator, *more, **attributes):
    """Puts an operator in front of an operand."""
    name = target.input[operand]
    place = [other.output[0] for other in graph.node].index(target.output[0])
    changed = helper.make_node(operator, [name, *more], [name + " changed"], **attributes)
    target.input[operand] = name + " changed"
    graph.node.insert(place, changed)


def behind(graph, target, operator, **attributes):
    """Puts an operator behind a node."""
    name = target.output[0]
    place = [other.output[0] for other in graph.node].index(name)
    target.output[0] = name + " before"
    graph.node.insert(
        place + 1, helper.make_node(operator, [target.output[0]], [name], **attributes))


def constant(graph, name, values, kind=TensorProto.FLOAT, shape=()):
    graph.initializer.append(helper.make_tensor(name, kind, shape, values))
    return name


def softmax_over_the_tokens_that_attend(graph):
    target = node(graph, "Softmax")
    before(graph, target, 0, "Transpose", perm=[0, 1, 3, 2])
    behind(graph, target, "Transpose", perm=[0, 1, 3, 2])


def softmax_over_the_only_head(graph):
    del node(graph, "Softmax").attribute[:]
    node(graph, "Softmax").attribute.append(helper.make_attribute("axis", 1))


def scores_transposed(graph):
    before(graph, node(graph, "Softmax"), 0, "Transpose", perm=[0, 1, 3, 2])


def weights_transposed(graph):
    behind(graph, node(graph, "Softmax"), "Transpose", perm=[0, 1, 3, 2])


def norm_over_tokens(graph):
    target = node(graph, "LayerNormalization", 1)
    before(graph, target, 0, "Transpose", perm=[0, 2, 1])
    behind(graph, target, "Transpose", perm=[0, 2, 1])


def feature_map_transposed(graph):
    before(graph, node(graph, "AveragePool"), 0, "Transpose", perm=[0, 1, 3, 2])


def activation_divided_by_zero(graph):
    target = node(graph, "Erf")
    before(graph, target, 0, "Div", constant(graph, "zero", [0.0]))


def features_rounded_to_integers(graph):
    target = node(graph, "Conv")
    before(graph, target, 0, "Cast", to=TensorProto.UINT8)
    before(graph, target, 0, "Cast", to=TensorProto.FLOAT)


def all_but_the_last_image(graph):
    integers = [
        constant(graph, name, [value], TensorProto.INT64, (1,))
        for name, value in (("start", 0), ("end", -1), ("axis", 0))
    ]
    before(graph, node(graph, "ReduceL2"), 0, "Slice", *integers)


def tokens_of_the_first_caption(graph):
    node(graph, "Range").input[1] = constant(graph, "one", [1], TensorProto.INT64)


@pytest.mark.parametrize(
    "name, change",
    [
        ("vit", softmax_over_the_tokens_that_attend),
        ("square", softmax_over_the_only_head),
        ("vit", scores_transposed),
        ("vit", weights_transposed),
        ("square", norm_over_tokens),
        ("resnet", feature_map_transposed),
        ("square", activation_divided_by_zero),
        ("vit", features_rounded_to_integers),
        ("vit", all_but_the_last_image),
        ("vit", tokens_of_the_first_caption),
    ],
)
def test_other_computations_are_refused(graphs, tmp_path, name, change):
    model = onnx.load(str(graphs[name]))
    change(model.graph)
    path = tmp_path / "changed.onnx"
    onnx.save(model, str(path))
    session(path, optimized=False)
    with pytest.raises(cleanclip.CleanCLIPError):
        cleanclip.load(path)


def test_every_flag_but_zero_transposes(tmp_path):
    model = onnx.load(str(VIT))
    for attribute in node(model.graph, "Gemm").attribute:
        if attribute.name == "transB":
            assert attribute.i == 1
            attribute.i = 2
    path = tmp_path / "flag.onnx"
    onnx.save(model, str(path))
    assert largest_difference(path, cleanclip.load(path)) < 2e-5


def with_logits(tmp_path, finish):
    """The fixture with the product of its features through `finish(graph, product)`."""
    model = onnx.load(str(VIT))
    graph = model.graph
    image, text, scale = (output.name for output in graph.output)
    graph.node.append(helper.make_node("Transpose", [text], ["columns"], perm=[1, 0]))
    graph.node.append(helper.make_node("MatMul", [image, "columns"], ["product"]))
    graph.node.append(helper.make_node("Mul", ["product", scale], ["scaled"]))
    result = finish(graph)
    graph.output.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, ["n", "m"]))
    path = tmp_path / "logits.onnx"
    onnx.save(model, str(path))
    return path, result


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_probabilities_are_a_softmax_of_logits(tmp_path, axis):
    def finish(graph):
        graph.node.append(helper.make_node("Softmax", ["scaled"], ["result"], axis=axis))
        return "result"

    path, name = with_logits(tmp_path, finish)
    model = cleanclip.load(path)
    assert model.describe()["outputs"][name] == "probabilities"
    assert largest_difference(path, model) < 2e-5
    model.save(tmp_path / "back.onnx")
    assert largest_difference(tmp_path / "back.onnx", model) < 2e-5


def test_products_without_a_scale_are_not_logits(tmp_path):
    path, name = with_logits(tmp_path, lambda graph: "product")
    assert cleanclip.load(path).describe()["outputs"][name] == "products of features"


def test_logits_of_other_features_are_not_logits(tmp_path):
    def finish(graph):
        before(graph, node(graph, "MatMul", -1), 0, "Neg")
        return "scaled"

    path, name = with_logits(tmp_path, finish)
    assert cleanclip.load(path).describe()["outputs"][name] == "tensor inside a tower"


def test_logits_of_two_scales_are_refused(tmp_path):
    def finish(graph):
        graph.node.append(
            helper.make_node("Mul", ["product", constant(graph, "other", [2.0])], ["result"]))
        return "result"

    path, _ = with_logits(tmp_path, finish)
    with pytest.raises(cleanclip.CleanCLIPError, match="different scales"):
        cleanclip.load(path)


def test_biases_and_sequences_of_an_exporter_without_optimisation(tmp_path):
    """It gives every convolution a bias of zeros, and cuts tensors by sequences."""
    model = onnx.load(str(VIT))
    graph = model.graph
    convolution = node(graph, "Conv")
    width = next(t.dims[0] for t in graph.initializer if t.name == convolution.input[1])
    convolution.input.append(
        constant(graph, "zeros", [0.0] * width, TensorProto.FLOAT, (width,)))
    norm = node(graph, "LayerNormalization")
    gain = next(t for t in graph.initializer if t.name == norm.input[1])
    gain.CopyFrom(onnx.numpy_helper.from_array(
        np.concatenate([np.ones(width, np.float32), onnx.numpy_helper.to_array(gain)]), gain.name))
    one = constant(graph, "one", [1], TensorProto.INT64)
    length = constant(graph, "length", [width], TensorProto.INT64)
    graph.node.insert(0, helper.make_node("SplitToSequence", [gain.name, length], ["parts"], axis=0))
    graph.node.insert(1, helper.make_node("SequenceAt", ["parts", one], ["gain"]))
    norm.input[1] = "gain"
    path = tmp_path / "plain.onnx"
    onnx.save(model, str(path))
    loaded = cleanclip.load(path)
    assert largest_difference(path, loaded) < 2e-5
    loaded.save(tmp_path / "back.onnx")
    assert largest_difference(tmp_path / "back.onnx", loaded) < 2e-5


@pytest.mark.parametrize("operator", ["value", "query"])
def test_weights_that_are_one_cannot_differ(graphs, tmp_path, operator):
    """Keys that are values, or queries: no tensor could hold both."""
    model = onnx.load(str(graphs["square"]))
    split = node(model.graph, "Split")
    names = dict(zip(("query", "key", "value"), split.output))
    for target in model.graph.node:
        for place, name in enumerate(target.input):
            if name == names["key"]:
                target.input[place] = names[operator]
    path, target = tmp_path / "tied.onnx", tmp_path / "back.onnx"
    onnx.save(model, str(path))
    loaded = cleanclip.load(path)
    assert largest_difference(path, loaded) < 2e-5
    loaded.save(target)
    assert largest_difference(target, loaded) < 2e-5
    change(loaded)
    with pytest.raises(cleanclip.CleanCLIPError, match="are one at one place"):
        loaded.save(target)


def bases(graphs):
    folder = pathlib.Path(os.environ.get("CLEANCLIP_SHARED", ROOT.parent / "shared")) / "onnx-zoo"
    zoo = sorted(folder.glob("*.onnx"))
    refused = ("bad_", "ns_", "tr_int8", "tr_bf16", "tr_fp16")
    return [*graphs.values(), *(path for path in zoo if not path.stem.startswith(refused))]


def written_back(path, model, target):
    """The largest difference after other weights were written; 0 where they are refused."""
    try:
        change(model)
        model.save(target)
    except cleanclip.CleanCLIPError:
        return 0
    return largest_difference(target, model, optimized=False)


def test_random_changes_are_refused_or_computed(graphs, tmp_path):
    """Changes one place of each graph at random, `CLEANCLIP_MUTATIONS` times.

    Some of the graphs that are accepted get other weights and are written back.
    """
    rng = np.random.default_rng(int(os.environ.get("CLEANCLIP_SEED", "1")))
    path = tmp_path / "changed.onnx"
    refused = same = 0
    mistaken = []
    for base in bases(graphs):
        try:
            mutator = Mutator(base, cleanclip.load(base))
        except cleanclip.CleanCLIPError:
            continue
        for _ in range(MUTATIONS):
            mutation = mutator.mutate(rng)
            if not mutation:
                continue
            onnx.save(mutation[0], str(path))
            try:
                model = cleanclip.load(path)
            except cleanclip.CleanCLIPError:
                refused += 1
                continue
            try:
                difference = largest_difference(path, model, optimized=False)
            except (*RUNTIME_ERRORS, LookupError):
                continue
            same += 1
            if difference < 1e-4 and same % 5 == 0:
                difference = written_back(path, model, tmp_path / "back.onnx")
            if not difference < 1e-4:
                mistaken.append(f"{base.name}: {mutation[1]}: {difference:.1e}")
    assert not mistaken, "\n".join(mistaken)
    assert refused > same > 0
