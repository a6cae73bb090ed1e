"""An ONNX file while it is built: its inputs, its outputs and its metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqcast._version import __version__
from seqcast.export.operators import Array, entry, ndx, numbers
from seqcast.intervals import ForecastRequest
from seqcast.runtime import require, write_atomically
from seqcast.specs import check_choice, check_int

# The version of the metadata; it grows when readers have to change.
FORMAT = 1
# The horizon of a file that has it as an input.
ANY = "any"


@dataclass(frozen=True)
class Port:
    """An input or output of a file.

    Args:
        value: Its values.
        shape: Its axes: a number, or a name for one that is free.
        meaning: Its meaning, in words.
    """

    value: Array
    shape: tuple[int | str, ...]
    meaning: str


@dataclass
class OnnxFile:
    """Inputs and outputs of a file, in the order in which they were added.

    Args:
        inputs: The inputs by name.
        outputs: The outputs by name.

    Example:
        >>> file = OnnxFile()
        >>> past = file.read("past", ndx.float32, ("batch", 3), "values")
        >>> file.write("twice", past * 2, ("batch", 3), "twice the values")
        >>> [node.op_type for node in file.model({"model": "twice"}).graph.node]
        ['Constant', 'Mul', 'Identity']
    """

    inputs: dict[str, Port] = field(default_factory=dict)
    outputs: dict[str, Port] = field(default_factory=dict)

    def read(self, name: str, dtype: Any, shape: tuple[int | str, ...], meaning: str) -> Array:
        """Add an input, and return its values.

        Args:
            name: Its name.
            dtype: Type of its numbers.
            shape: Its axes: a number, or a name for one that is free.
            meaning: Its meaning, in words.
        """
        self.inputs[name] = Port(ndx.argument(shape=shape, dtype=dtype), shape, meaning)
        return self.inputs[name].value

    def read_horizon(self, horizon: int | None) -> int | Array:
        """Return the number of steps; if it is `None`, an input says it.

        Args:
            horizon: The number.
        """
        if horizon is not None:
            return horizon
        return entry(self.read("horizon", ndx.int64, (1,), "steps to forecast"), 0, 0)

    def write(self, name: str, value: Array, shape: tuple[int | str, ...], meaning: str) -> None:
        """Add an output.

        Args:
            name: Its name.
            value: Its values.
            shape: Its axes.
            meaning: Its meaning, in words.
        """
        self.outputs[name] = Port(value, shape, meaning)

    def write_forecast(
        self, forecast: Array, outputs: Outputs, shape: tuple[int | str, ...]
    ) -> None:
        """Add the outputs of a forecast.

        Args:
            forecast: The columns of the forecast, `[B, H, D, columns]`.
            outputs: Names of the outputs.
            shape: Axes of the point: rows, steps and targets; the axis of targets may be left out.
        """
        forecast = entry(forecast, 0, 2) if len(shape) == 2 else forecast
        self.write(
            "point", entry(forecast, 0, len(shape)), shape, "the forecast, in the units of the past"
        )
        if len(outputs.names):
            quantiles = ndx.take(forecast, numbers(*outputs.order), axis=len(shape))
            self.write("quantiles", quantiles, (*shape, len(outputs.names)), "quantiles, rising")

    def model(self, metadata: Mapping[str, str]) -> Any:
        """Return the content of the file as `onnx.ModelProto`, checked.

        Args:
            metadata: Metadata of the file, as text.
        """
        onnx = require("onnx", extra="onnx")
        spox = require("spox", extra="onnx")
        reads, writes = (
            {name: port.value.unwrap_spox() for name, port in ports.items()}
            for ports in (self.inputs, self.outputs)
        )

        model = spox.build(reads, writes)
        model.producer_name = "seqcast"
        model.producer_version = __version__
        model.graph.name = "forecast"

        for described, ports in (
            (model.graph.input, self.inputs),
            (model.graph.output, self.outputs),
        ):
            for info in described:
                port = ports[info.name]
                kind = info.type.tensor_type.elem_type
                described_port = onnx.helper.make_tensor_value_info(
                    info.name, kind, port.shape, doc_string=port.meaning
                )
                info.CopyFrom(described_port)

        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, Any]) -> None:
        """Write the file, which appears whole or not at all.

        Args:
            path: The file.
            metadata: Metadata of the file, JSON types.

        Raises:
            SaveError: The file could not be written.
        """
        described = {"format": FORMAT, "seqcast": __version__, **metadata}
        model = self.model({"seqcast": json.dumps(described, ensure_ascii=False)})
        content = model.SerializeToString()
        write_atomically(path, lambda file: file.write(content))


@dataclass(frozen=True)
class Outputs:
    """The outputs of a file: `point`, and `quantiles` in rising order where there are any.

    Args:
        point: Name of the point.
        names: Name of each quantile.
        probabilities: Probability of each, rising.
        order: The place of each among the columns of a forecast.
    """

    point: str
    names: Sequence[str]
    probabilities: Sequence[float]
    order: Sequence[int]

    @classmethod
    def of(cls, alias: str, request: ForecastRequest) -> Outputs:
        """Return the outputs of a forecaster.

        Args:
            alias: Name of the forecast.
            request: Point and intervals.

        Example:
            >>> Outputs.of("seqcast", ForecastRequest(level=(80, 95))).names
            ['seqcast-lo-95', 'seqcast-lo-80', 'seqcast-hi-80', 'seqcast-hi-95']
        """
        point, *bounds = request.columns(alias)
        order = sorted(range(len(bounds)), key=request.probabilities.__getitem__)
        probabilities = [request.probabilities[place] for place in order]
        return cls(
            point, [bounds[place] for place in order], probabilities, [1 + place for place in order]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON types."""
        pairs = zip(self.names, self.probabilities, strict=True)
        quantiles = [{"name": name, "probability": probability} for name, probability in pairs]
        return {"point": self.point, "quantiles": quantiles}


def check_horizon(horizon: int | str | None, trained: int) -> int | None:
    """Return the number of steps that a file forecasts; `None` is any.

    Args:
        horizon: A number, `any`, or `None` for the trained one.
        trained: The trained one.

    Raises:
        SpecError: It is none of these.

    Example:
        >>> check_horizon(None, 12), check_horizon("any", 12)
        (12, None)
    """
    if horizon is None:
        return trained
    if isinstance(horizon, str):
        check_choice("horizon", horizon, (ANY,))
        return None
    return check_int("horizon", horizon)
