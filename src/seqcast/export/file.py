"""From a graph to an ONNX file, checked by the package `onnx`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqcast._version import __version__
from seqcast.export.graph import Graph, Node, Port
from seqcast.runtime import require, write_beside

# The first with loops and sums as they are used here; also that of most programs that run ONNX in browsers and phones.
OPSET = 13
# The version of the format that came with it.
IR_VERSION = 7


def write_model(path: str | os.PathLike[str], graph: Graph, metadata: Mapping[str, str]) -> None:
    """Write a graph to a file, which appears whole or not at all.

    Args:
        path: The file.
        graph: The graph.
        metadata: What the file says about itself, as text.

    Raises:
        MissingPackageError: The package `onnx` is not installed.
        SaveError: The file could not be written.
    """
    content = model_of(graph, metadata).SerializeToString()
    write_beside(path, lambda file: file.write(content))


def model_of(graph: Graph, metadata: Mapping[str, str]) -> Any:
    """Return a graph as `onnx.ModelProto`, checked; arguments and errors as for `write_model`.

    Example:
        >>> graph = Graph()
        >>> past = graph.read("past", np.float32, ("batch",))
        >>> graph.write("twice", graph("Add", past, past), np.float32, ("batch",))
        >>> model_of(graph, {"model": "twice"}).producer_name
        'seqcast'
    """
    onnx = require("onnx", extra="onnx")
    model = onnx.helper.make_model(
        _graph(onnx, graph, "forecast"),
        producer_name="seqcast",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    return model


def _graph(onnx: Any, graph: Graph, name: str, *, inside: bool = False) -> Any:
    # Loops and branches read the constants of the graph around them.
    constants = {} if inside else graph.constants
    return onnx.helper.make_graph(
        [_node(onnx, node) for node in graph.nodes],
        name,
        [_port(onnx, port) for port in graph.inputs],
        [_port(onnx, port) for port in graph.outputs],
        [onnx.numpy_helper.from_array(values, constant) for constant, values in constants.items()],
    )


def _node(onnx: Any, node: Node) -> Any:
    attributes: dict[str, Any] = {}
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            value = _graph(onnx, value, node.name, inside=True)
        attributes[name] = _type(onnx, value) if isinstance(value, np.dtype) else value
    return onnx.helper.make_node(node.kind, list(node.inputs), list(node.outputs), name=node.name, **attributes)


def _port(onnx: Any, port: Port) -> Any:
    kind = _type(onnx, np.dtype(port.dtype))
    return onnx.helper.make_tensor_value_info(port.name, kind, list(port.shape), doc_string=port.meaning)


def _type(onnx: Any, dtype: Any) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))
