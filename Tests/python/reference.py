"""What ONNX Runtime computes from a graph, beside what the library computes from it."""

import numpy as np
import onnxruntime

import cleanclip

IMAGES, CAPTIONS = 3, 4
# What ONNX Runtime throws where it refuses a graph or cannot run it.
RUNTIME_ERRORS = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in (
        "EPFail", "Fail", "InvalidArgument", "InvalidGraph", "NotImplemented", "RuntimeException")
)


def unit(features):
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def session(graph, optimized=True):
    """A session for a graph's path or bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Higher levels end the process on half-precision graphs with some processors.
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        if optimized
        else onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )
    graph = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def inputs(graph, image_size, context_length, vocab_size, seed=5):
    """Random inputs of a session, captions ending at different places."""
    rng = np.random.default_rng(seed)
    feed = {}
    for value in graph.get_inputs():
        sizes = [size if isinstance(size, int) else None for size in value.shape]
        if len(sizes) == 4:
            kind = np.float16 if value.type == "tensor(float16)" else np.float32
            size = sizes[2] or image_size
            feed[value.name] = rng.standard_normal(
                (sizes[0] or IMAGES, 3, size, size)).astype(kind)
            continue
        rows, length = sizes[0] or CAPTIONS, sizes[1] or context_length
        kind = np.int32 if "int32" in value.type else np.int64
        if "mask" in value.name:
            feed[value.name] = np.ones((rows, length), kind)
            continue
        ids = rng.integers(1, max(2, vocab_size - 2), (rows, length)).astype(kind)
        for row in range(rows):
            end = 2 + row % (length - 2)
            ids[row, end] = vocab_size - 1
            ids[row, end + 1 :] = 0
        feed[value.name] = ids
    return feed


def largest_difference(path, model, optimized=True):
    """How far a graph's outputs are from what the library says that they are, relatively.

    Infinite where shapes differ or an output is not finite. Raises LookupError where there is
    nothing to compare.
    """
    graph = session(path, optimized)
    feed = inputs(graph, model.image_size, model.context_length, model.vocab_size)
    names = [value.name for value in graph.get_outputs()]
    outputs = dict(zip(names, graph.run(None, feed)))
    expected = {}
    for name, value in feed.items():
        if value.ndim == 4 and model.image_size:
            expected["image"] = model.encode_image(value.astype(np.float32), preprocess=False)
        elif value.ndim == 2 and "mask" not in name and model.context_length:
            expected["text"] = model.encode_text(value.astype(np.int64))
    difference, compared = 0.0, 0
    for name, kind in cleanclip.load(path).describe()["outputs"].items():
        value = np.asarray(outputs[name], np.float64)
        if not np.isfinite(value).all():
            return np.inf
        if kind.startswith(("image features", "text features")):
            features = expected[kind.split()[0]]
            if value.shape != features.shape:
                return np.inf
            change = np.abs(unit(value) - features).max()
        elif kind in ("logits", "probabilities"):
            logits = model.logit_scale * expected["image"] @ expected["text"].T
            change = min(_distance(value, form, kind) for form in (logits, logits.T))
        elif kind == "scale of the logits":
            change = abs(float(value.reshape(())) / model.logit_scale - 1)
        else:
            continue
        difference = max(difference, change)
        compared += 1
    if compared == 0:
        raise LookupError(f"{path} has no output that can be compared")
    return difference


def change(model, seed=1):
    """Changes every weight."""
    rng = np.random.default_rng(seed)
    state = model.state_dict()
    for name, value in state.items():
        noise = rng.standard_normal(value.shape).astype(np.float32)
        if name.endswith("running_var"):
            state[name] = value * (1 + 0.1 * np.abs(noise))
        else:
            state[name] = np.asarray(value + 0.02 * noise + 0.05 * value * noise, np.float32)
    model.load_state_dict(state)


def _distance(value, logits, kind):
    if value.shape != logits.shape:
        return np.inf
    if kind == "logits":
        return np.abs(value - logits).max() / np.abs(logits).max()
    powers = np.exp(logits - logits.max())
    return min(
        np.abs(value - powers / powers.sum(axis, keepdims=True)).max() for axis in (0, 1))
