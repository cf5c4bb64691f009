"""Changes of an ONNX graph, most of which change what it computes."""

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper

from reference import inputs, session

# Operators that take the same operands.
ALIKE = [
    {"Add", "Sub", "Mul", "Div", "Max", "Min"},
    {"Sigmoid", "Tanh", "Relu", "Erf", "Neg", "Abs", "Identity", "Sqrt", "Exp", "Reciprocal"},
    {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2", "ReduceSumSquare", "ReduceMin"},
    {"ArgMax", "ArgMin"},
    {"Softmax", "LogSoftmax", "Hardmax"},
    {"AveragePool", "MaxPool"},
    {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"},
    {"And", "Or", "Xor"},
]


class Mutator:
    """Makes copies of a graph that differ in one place, chosen by a seed."""

    def __init__(self, path, model):
        self.model = onnx.load(str(path))
        self.tensors = self._computed(model)

    def _computed(self, model):
        """Shape and type of every tensor that the graph computes."""
        whole = onnx.ModelProto()
        whole.CopyFrom(self.model)
        known = {output.name for output in whole.graph.output}
        for node in whole.graph.node:
            for name in node.output:
                if name and name not in known:
                    whole.graph.output.append(helper.make_empty_tensor_value_info(name))
        graph = session(whole.SerializeToString(), optimized=False)
        feed = inputs(graph, model.image_size, model.context_length, model.vocab_size)
        values = zip(graph.get_outputs(), graph.run(None, feed))
        return {
            output.name: (value.shape, value.dtype)
            for output, value in values
            if hasattr(value, "shape")
        }

    def mutate(self, rng):
        """A changed copy of the model and what was changed; ``None`` where nothing was found."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        kinds = [
            self._attribute, self._operator, self._operand, self._insertion, self._insertion,
            self._constant,
        ]
        change = kinds[rng.integers(len(kinds))](copy.graph, rng)
        return change and (copy, change)

    def _attribute(self, graph, rng):
        node = pick(graph.node, rng)
        kinds = (AttributeProto.INT, AttributeProto.INTS, AttributeProto.FLOAT)
        attributes = [a for a in node.attribute if a.type in kinds]
        if not attributes:
            return None
        attribute = pick(attributes, rng)
        old = helper.get_attribute_value(attribute)
        if attribute.type == AttributeProto.INT:
            attribute.i = int(pick([0, 1, -1, 2, 3, old + 1, old - 1], rng))
        elif attribute.type == AttributeProto.FLOAT:
            attribute.f = float(pick([0, 1, 2, old * 2, old / 2, old + 1e-3], rng))
        else:
            numbers = list(old)
            if rng.random() < 0.6:
                rng.shuffle(numbers)
            elif numbers:
                numbers[rng.integers(len(numbers))] = int(pick([0, 1, 2, 3, -1], rng))
            attribute.ints[:] = numbers
        new = helper.get_attribute_value(attribute)
        return new != old and f"{attribute.name} of {node.op_type} '{node.name}': {old} to {new}"

    def _operator(self, graph, rng):
        node = pick(graph.node, rng)
        for operators in ALIKE:
            if node.op_type in operators:
                old = node.op_type
                node.op_type = pick(sorted(operators - {old}), rng)
                return f"{old} '{node.name}' to {node.op_type}"
        return None

    def _operand(self, graph, rng):
        """Another tensor of the same shape, or the operands in another order."""
        node = pick(graph.node, rng)
        if not node.input:
            return None
        position = rng.integers(len(node.input))
        old = node.input[position]
        made = []
        for other in graph.node:
            if other.output[0] == node.output[0]:
                break
            made += other.output
        alike = [
            name for name in made
            if name != old and name in self.tensors
            and self.tensors[name] == self.tensors.get(old)
        ]
        if alike:
            node.input[position] = pick(alike, rng)
        elif len(node.input) > 1:
            node.input[position], node.input[0] = node.input[0], old
        else:
            return None
        return f"operand {position} of {node.op_type} '{node.name}': '{old}' to '{node.input[position]}'"

    def _insertion(self, graph, rng):
        node = pick(graph.node, rng)
        operands = [
            position for position, name in enumerate(node.input)
            if name in self.tensors and self.tensors[name][1] in (np.float32, np.int64)
        ]
        if not operands:
            return None
        position = pick(operands, rng)
        name = node.input[position]
        shape, kind = self.tensors[name]
        equal = [
            (a, b) for b in range(len(shape)) for a in range(b) if shape[a] == shape[b] > 1]
        long = [axis for axis, size in enumerate(shape) if size > 1]
        choices = ["Neg", "Abs"]
        choices += ["Relu", "Tanh", "Mul"] if kind == np.float32 else []
        choices += ["Transpose"] * 6 if equal else []
        choices += ["Gather"] * 2 if long else []
        operator = pick(choices, rng)
        operands, attributes = [name], {}
        if operator == "Transpose":
            order = list(range(len(shape)))
            a, b = pick(equal, rng)
            order[a], order[b] = b, a
            attributes["perm"] = order
        elif operator == "Gather":
            axis = pick(long, rng)
            places = np.roll(np.arange(shape[axis]), rng.integers(1, shape[axis]))
            places = pick([places, np.arange(shape[axis])[::-1], places * 0], rng)
            graph.initializer.append(numpy_helper.from_array(places.astype(np.int64), "places"))
            operands.append("places")
            attributes["axis"] = axis
        elif operator == "Mul":
            factor = np.float32(pick([0.5, 2, -1, 1.01], rng))
            graph.initializer.append(numpy_helper.from_array(np.array(factor), "factor"))
            operands.append("factor")
        node.input[position] = name + " changed"
        place = [other.output[0] for other in graph.node].index(node.output[0])
        graph.node.insert(
            place, helper.make_node(operator, operands, [name + " changed"], **attributes))
        return f"{operator} {attributes} before operand {position} of {node.op_type} '{node.name}'"

    def _constant(self, graph, rng):
        tensors = list(graph.initializer)
        for node in graph.node:
            tensors += [a.t for a in node.attribute if a.type == AttributeProto.TENSOR]
        tensors = [tensor for tensor in tensors if 0 < np.prod(tensor.dims, dtype=int) <= 4096]
        small = [tensor for tensor in tensors if np.prod(tensor.dims, dtype=int) <= 16]
        tensor = pick(small if small and rng.random() < 0.8 else tensors, rng)
        values = numpy_helper.to_array(tensor).copy()
        flat = values.reshape(-1)
        place = rng.integers(flat.size)
        old = flat[place].copy()
        if values.dtype.kind == "f":
            new = pick([0, 1, -1, old * 2, old * 1.01, -old, old + 1e-3], rng)
            flat[place if rng.random() < 0.5 else slice(None)] = new
        elif values.dtype.kind == "i":
            with np.errstate(over="ignore"):
                flat[place] = pick([0, 1, 2, 3, -1, old + 1, old - 1], rng)
        elif values.dtype.kind == "b":
            flat[place] = not old
        if flat[place] == old:
            return None
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        return f"'{tensor.name}' {list(tensor.dims)} at {place}: {old} to {flat[place]}"


def pick(choices, rng):
    return choices[rng.integers(len(choices))]
