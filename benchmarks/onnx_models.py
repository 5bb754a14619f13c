"""Our models as graphs of ONNX, for ONNX Runtime beside our kernels: single precision, one thread.

Trees are converted by onnxmltools, a graph for each, and joined to one. The Temporal Fusion Transformer has a state,
for which no exporter is made: one step of it is written with ONNX's own operators, layer normalisation among them. It
is the step of a window that is full: the oldest key and value leave as the newest come.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from learning.tft.network import TemporalFusion
from operators.models.served import QUANTILES
from operators.models.tft.residual import EPSILON
from operators.models.tft.weights import Gate, GatedResidual, Selection, Size, Weights, from_named, named

_OPSET = 17  # the first with layer normalisation


def session(model: Any) -> onnxruntime.InferenceSession:
    """A graph in one thread, as our kernels run."""
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def trees(boosters: list[Any], columns: int) -> onnxruntime.InferenceSession:
    """LightGBM's models in one graph: ``x`` of shape ``(rows, columns)``, an output each."""
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    kind = [("x", FloatTensorType([None, columns]))]
    models = [convert_lightgbm(booster, initial_types=kind, zipmap=False, target_opset=15) for booster in boosters]
    nodes, outputs, constants = [], [], []
    for number, model in enumerate(models):
        renamed = onnx.compose.add_prefix(model, f"m{number}_", rename_inputs=False, rename_edges=True)
        for node in renamed.graph.node:
            node.input[:] = ["x" if name.endswith("_x") else name for name in node.input]
            nodes.append(node)
        outputs += renamed.graph.output
        constants += renamed.graph.initializer
    graph = helper.make_graph(nodes, "trees", [models[0].graph.input[0]], outputs, constants)
    return session(helper.make_model(graph, opset_imports=models[0].opset_import, ir_version=models[0].ir_version))


class Graph:
    """Nodes that are written one after the other."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        names = [name if isinstance(name, str) else self.constant(name) for name in inputs]
        out = [f"n{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, out, **attributes))
        return out[0] if outputs == 1 else out

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        found = np.asarray(array)
        kind = np.int64 if found.dtype.kind == "i" else np.float32
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(found, kind), name))
        return name


def _affine(g: Graph, x: str, w: Any) -> str:
    return g("Gemm", x, w[:-1], w[-1])


def _gated(g: Graph, x: str, skip: str, gate: Any, norm: Any) -> str:
    sigmoid, linear = g("Split", _affine(g, x, gate), axis=-1, outputs=2)
    total = g("Add", skip, g("Mul", g("Sigmoid", sigmoid), linear))
    return g("LayerNormalization", total, norm[0], norm[1], axis=-1, epsilon=EPSILON)


def _gate(g: Graph, x: str, skip: str, w: Gate) -> str:
    return _gated(g, x, skip, w.gate, w.norm)


def _residual(g: Graph, x: str, w: GatedResidual, context: str = "") -> str:
    hidden = _affine(g, x, w.hidden)
    if context:
        hidden = g("Add", hidden, g("MatMul", context, w.context))
    inner = _affine(g, g("Elu", hidden), w.inner)
    return _gated(g, inner, _affine(g, x, w.skip) if len(w.skip) else x, w.gate, w.norm)


def _select(g: Graph, x: str, w: Selection, context: str) -> str:
    shares = g("Softmax", _residual(g, x, w.weigh, context), axis=-1)
    each, d = w.each, w.each.norm.shape[-1]
    rows = g("Unsqueeze", g("Transpose", x, perm=[1, 0]), np.array([2]))  # (m, B, 1)
    hidden = g("Elu", g("Add", g("Mul", rows, each.hidden[0][:, None]), each.hidden[1][:, None]))
    inner = g("Add", g("MatMul", hidden, each.inner[:, :-1]), each.inner[:, -1:])
    gates = g("Add", g("MatMul", inner, each.gate[:, :-1]), each.gate[:, -1:])
    sigmoid, linear = g("Split", gates, axis=-1, outputs=2)
    skip = g("Add", g("Mul", rows, each.skip[0][:, None]), each.skip[1][:, None])
    total = g("Add", skip, g("Mul", g("Sigmoid", sigmoid), linear))
    plain = g("LayerNormalization", total, np.ones(d), np.zeros(d), axis=-1, epsilon=EPSILON)
    scaled = g("Add", g("Mul", plain, each.norm[:, :1]), each.norm[:, 1:])
    found = g("MatMul", g("Unsqueeze", shares, np.array([1])), g("Transpose", scaled, perm=[1, 0, 2]))
    return g("Squeeze", found, np.array([1]))


def fusion(net: TemporalFusion, size: Size) -> onnxruntime.InferenceSession:
    """One step of B instruments: what `operators.models.tft.step` does with a row, without passes for its doubt."""
    w: Weights = from_named({name: np.asarray(array) for name, array in named(net.weights).items()})
    g, d, heads = Graph(), size.width, size.heads
    each = d // heads
    selected = g("Add", _select(g, "x", w.observed, "select"), _select(g, "known", w.known, "select"))
    gates = g("Add", g("Gemm", selected, w.lstm[:d], w.lstm[-1]), g("MatMul", "output", w.lstm[d:-1]))
    i, f, z, o = g("Split", gates, axis=-1, outputs=4)
    kept = g("Mul", g("Sigmoid", f), "cell")
    cell = g("Add", kept, g("Mul", g("Sigmoid", i), g("Tanh", z)))
    output = g("Mul", g("Sigmoid", o), g("Tanh", cell))
    recurrent = _gate(g, output, selected, w.recurrent)
    enriched = _residual(g, recurrent, w.enrich, "enrich")

    def of_heads(matrix: Any) -> str:
        return g("Reshape", g("MatMul", enriched, matrix), np.array([-1, heads, 1, each]))

    def newest(old: str, new: str, axis: int) -> str:
        rest = g("Slice", old, np.array([1]), np.array([size.window]), np.array([axis]))
        return g("Concat", rest, new, axis=axis)

    keys = newest("keys", of_heads(w.attention.key), 2)
    values = newest("values", g("Unsqueeze", g("MatMul", enriched, w.attention.value), np.array([1])), 1)
    scores = g("MatMul", of_heads(w.attention.query / np.sqrt(each)), g("Transpose", keys, perm=[0, 1, 3, 2]))
    shares = g("ReduceMean", g("Softmax", scores, axis=-1), axes=[1], keepdims=0)  # (B, 1, window)
    found = g("MatMul", g("Squeeze", g("MatMul", shares, values), np.array([1])), w.attention.merge)
    delta = _gate(g, found, enriched, w.head.attended)
    context = _gate(g, _residual(g, delta, w.head.position), recurrent, w.head.final)
    quantiles = _affine(g, context, w.head.quantiles)

    shapes = {
        "x": [size.columns], "known": [4], "select": [d], "enrich": [d], "output": [d], "cell": [d],
        "keys": [heads, size.window, each], "values": [size.window, each],
    }  # fmt: skip
    after = {quantiles: [size.horizons * len(QUANTILES)], output: [d], cell: [d]}
    after |= {keys: shapes["keys"], values: shapes["values"]}

    def told(names: dict[str, list[int]]) -> list[Any]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["B", *shape]) for n, shape in names.items()]

    graph = helper.make_graph(g.nodes, "step", told(shapes), told(after), g.constants)
    return session(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10))
