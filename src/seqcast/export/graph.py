"""A graph of ONNX operators, before it becomes a file: nodes that name themselves, and constants that are held once.

Values are known by their names. Nothing here imports the package `onnx`; `file` does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Value = str | Array | np.generic

# The end of an axis, whatever its length, for `Slice`.
END = int(np.iinfo(np.int64).max)
# Numbers of double precision, in which everything around networks is computed.
ZERO, ONE, INFINITY = np.float64(0), np.float64(1), np.float64(np.inf)


@dataclass(frozen=True)
class Node:
    """One operator.

    Args:
        kind: Name of the operator.
        inputs: Names of the values that it reads; empty for one that is left out.
        outputs: Names of the values that it writes; empty for one that nobody reads.
        attributes: Its attributes; a `Graph` is the body of a loop, or a branch.
        name: Its name.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    name: str


@dataclass(frozen=True)
class Port:
    """An input or output of a graph.

    Args:
        name: Its name.
        dtype: Type of its numbers.
        shape: Its axes: a number, or a name for one that is free.
        meaning: What it is, in words.
    """

    name: str
    dtype: Any
    shape: tuple[int | str, ...]
    meaning: str = ""


@dataclass
class Graph:
    """Nodes, constants, inputs and outputs, in the order in which they were added.

    Args:
        nodes: The operators.
        constants: Arrays by their names.
        inputs: What the graph reads.
        outputs: What it returns.

    Example:
        >>> graph = Graph()
        >>> past = graph.read("past", np.float32, ("batch", 3))
        >>> doubled = graph("Mul", past, np.float32(2))
        >>> graph.write("twice", doubled, np.float32, ("batch", 3))
        >>> [node.kind for node in graph.nodes], list(graph.constants)
        (['Mul', 'Identity'], ['constant_0'])
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    _scopes: list[str] = field(default_factory=list)
    _names: dict[bytes, str] = field(default_factory=dict)
    _count: list[int] = field(default_factory=lambda: [0])

    def __call__(self, kind: str, *inputs: Value, **attributes: Any) -> str:
        """Add an operator with one output.

        Args:
            kind: Name of the operator.
            *inputs: Values by their names, or arrays, which become constants; an empty name leaves an input out.
            **attributes: Attributes of the operator.

        Returns:
            The name of the output.
        """
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, outputs: int, *inputs: Value, **attributes: Any) -> tuple[str, ...]:
        """Add an operator with so many outputs; arguments as for a call."""
        name = self.name(kind.lower())
        written = (name,) if outputs == 1 else tuple(f"{name}:{place}" for place in range(outputs))
        self.nodes.append(Node(kind, tuple(map(self.value, inputs)), written, attributes, name))
        return written

    def name(self, what: str) -> str:
        """Return a name that nothing else in the graph has, nor in its loops."""
        self._count[0] += 1
        return "/".join([*self._scopes, f"{what}_{self._count[0] - 1}"])

    def value(self, value: Value) -> str:
        """Return the name of a value; an array becomes a constant, the same one as an equal array."""
        if isinstance(value, str):
            return value
        array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
        key = repr((array.dtype.str, array.shape)).encode() + array.tobytes()
        if key not in self._names:
            self._names[key] = f"constant_{len(self._names)}"
            self.constants[self._names[key]] = array
        return self._names[key]

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Let the names of all nodes that are added meanwhile begin with a name."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def body(self) -> Graph:
        """Return an empty graph for a loop or a branch, which reads this one's values and keeps its constants there."""
        return Graph(constants=self.constants, _scopes=list(self._scopes), _names=self._names, _count=self._count)

    def read(self, name: str, dtype: Any, shape: Sequence[int | str], meaning: str = "") -> str:
        """Add an input and return its name."""
        self.inputs.append(Port(name, dtype, tuple(shape), meaning))
        return name

    def write(self, name: str, value: str, dtype: Any, shape: Sequence[int | str], meaning: str = "") -> None:
        """Add an output that has a value."""
        self.nodes.append(Node("Identity", (value,), (name,), {}, f"output/{name}"))
        self.outputs.append(Port(name, dtype, tuple(shape), meaning))

    # What is often needed, in the words of NumPy.

    def cast(self, x: Value, dtype: Any) -> str:
        """Return a value in another type."""
        return self("Cast", x, to=np.dtype(dtype))

    def size(self, x: str, axis: int) -> str:
        """Return the length of an axis, `[1]`."""
        return self("Gather", self("Shape", x), np.array([axis], np.int64))

    def dims(self, *sizes: str | int) -> str:
        """Return a shape of known and of found lengths, `[axes]`."""
        return self.concat([np.array([size], np.int64) if isinstance(size, int) else size for size in sizes], 0)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Return a value in another shape; 0 keeps an axis, -1 is what is left."""
        return self("Reshape", x, np.array(shape, np.int64))

    def expand(self, x: Value, shape: str) -> str:
        """Return a value spread over a shape."""
        return self("Expand", x, shape)

    def concat(self, parts: Sequence[Value], axis: int) -> str:
        """Join values along an axis."""
        return self.value(parts[0]) if len(parts) == 1 else self("Concat", *parts, axis=axis)

    def transpose(self, x: str, *order: int) -> str:
        """Return a value with its axes in another order."""
        return self("Transpose", x, perm=list(order))

    def unsqueeze(self, x: str, *axes: int) -> str:
        """Return a value with new axes of length 1."""
        return self("Unsqueeze", x, np.array(axes, np.int64))

    def squeeze(self, x: str, *axes: int) -> str:
        """Return a value without axes of length 1."""
        return self("Squeeze", x, np.array(axes, np.int64))

    def cut(self, x: str, axis: int, start: int | str = 0, stop: int | str = END) -> str:
        """Return a stretch of an axis; bounds are numbers, or values `[1]`."""
        first, last = (np.array([each], np.int64) if isinstance(each, int) else each for each in (start, stop))
        return self("Slice", x, first, last, np.array([axis], np.int64))

    def take(self, x: Value, places: Value | Sequence[int], axis: int) -> str:
        """Return entries of an axis by their places."""
        if not isinstance(places, str | np.ndarray | np.generic):
            places = np.array(places, np.int64)
        return self("Gather", x, places, axis=axis)

    def total(self, x: str, axis: int, *, keep: bool = False) -> str:
        """Return the sum along an axis."""
        return self("ReduceSum", x, np.array([axis], np.int64), keepdims=int(keep))

    def steps(self, count: int | str) -> str:
        """Return 0, 1, … of so many steps, `[count]`; a number, or a value `[1]`."""
        if isinstance(count, int):
            return self.value(np.arange(count, dtype=np.int64))
        return self("Range", np.int64(0), self.squeeze(count, 0), np.int64(1))

    def dense(self, x: str, kernel: Array, bias: Array | None) -> str:
        """Return `x W + b`, with weights in single precision, whatever they were trained in."""
        product = self("MatMul", x, kernel.astype(np.float32))
        return product if bias is None else self("Add", product, bias.astype(np.float32))
