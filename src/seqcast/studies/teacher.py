"""Teacher forcing: is a decoder that reads the truth in training lazy?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqcast.engine import ModelInputs
from seqcast.inspect import sensitivity
from seqcast.runtime import derivatives, keras, to_numpy
from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, mse_by_step, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]
INPUTS = ("zeros", "teacher", "scheduled", "autoregressive")


class Teacher(Study):
    """Error, gradient that reaches the encoder, and memory length, by what the decoder reads."""

    name = "teacher"
    title = "Teacher forcing"
    question = (
        "Is the post's guess right that a decoder which is shown the true value before each step gets lazy and asks "
        "the encoder for little?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return a setting for each decoder input."""
        size = {"windows": 640, "epochs": 1} if quick else {"windows": 25_600, "epochs": 12}
        return [{"decoder_input": each, **size} for each in (("zeros", "teacher") if quick else INPUTS)]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train; measure the errors, and how the forecast depends on the encoder's state, free and teacher-forced."""
        past, future, _ = sine_windows(setting["windows"], seed=TRAIN + seed, offset=(0.0, 0.0))
        model = trainings.fit(
            network(seed, epochs=setting["epochs"], decoder_input=setting["decoder_input"]), past, future
        )
        past, future, _ = sine_windows(5_000, seed=TEST + seed, offset=(0.0, 0.0))
        model_inputs = model.model_inputs(past[:1_000], future[:1_000])
        teacher_forcing = setting["decoder_input"] == "teacher"
        free, without = (
            written(model_inputs, teacher_forcing=False),
            written(model_inputs, teacher_forcing=False, mean_state=True),
        )
        truth = model_inputs.truth
        assert truth is not None
        outcome = {
            "mse": mse_by_step(model.predict(past), future),
            "without_state": mse_by_step(without, truth),
            "with_state": mse_by_step(free, truth),
            "reaching": reaching(model_inputs, teacher_forcing=teacher_forcing),
            "reaching_free": reaching(model_inputs, teacher_forcing=False),
            "memory": sensitivity(model_inputs[:256]).memory_length().tolist(),
        }
        if teacher_forcing:
            outcome["teacher_forced"] = mse_by_step(written(model_inputs, teacher_forcing=True), truth)
            outcome["teacher_forced_without_state"] = mse_by_step(
                written(model_inputs, teacher_forcing=True, mean_state=True), truth
            )
        return outcome

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw error and gradient by step."""
        from seqcast.plots import repeated_runs

        names = results.settings("decoder_input")
        errors = {each: _by_step(results.where(decoder_input=each).array("mse")) for each in names}
        reaching = {each: _by_step(results.where(decoder_input=each).array("reaching")) for each in names}
        ylabels = {
            "error of the free forecast": "mean squared error",
            "as in training: what reaches the encoder": "change of the forecast by the encoder's state",
        }
        figure = repeated_runs(
            dict(zip(ylabels, (errors, reaching), strict=True)),
            xlabel="step of the forecast",
            ylabel=dict(ylabels),
            title="Shown the truth, or not",
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors, the influence of the encoder's state and the memory by decoder input."""
        lines = []
        for each in results.settings("decoder_input"):
            rows = results.where(decoder_input=each)
            mse, reached, memory_lengths = rows.array("mse"), rows.array("reaching"), rows.array("memory")
            steps = [mse.mean(axis=1), mse[:, 0], mse[:, -1]]
            cells = [*map(spread, steps), spread(reached[:, 0], 2), spread(reached[:, -1], 2)]
            cells += [spread(memory_lengths[:, 0], 1), spread(memory_lengths[:, -1], 1)]
            lines.append(f"| {' | '.join([each, *cells])} |")
        text = (
            f"{results.seeds}; means, in brackets the smallest and the largest. Errors are mean squared ones of the "
            f"free forecast. What reaches the encoder is the root mean square derivative of a step of the forecast by "
            f"the encoder's state, units in their standard deviations, as in training: with the truth shown to "
            f"`teacher`. Memory: within how many of the last steps of the past 95 % of the influence on a step of the "
            f"free forecast lies.\n\n| decoder reads | error | step 1 | step 15 | reaches the encoder from step 1 | "
            f"from step 15 | memory of step 1 | of step 15 |\n|---|---|---|---|---|---|---|---|\n" + "\n".join(lines)
        )
        rows = results.where(decoder_input="teacher")
        teacher_forced, without = (
            rows.array("teacher_forced").mean(axis=1),
            rows.array("teacher_forced_without_state").mean(axis=1),
        )
        free, free_without = rows.array("with_state").mean(axis=1), rows.array("without_state").mean(axis=1)
        return (
            f"{text}\n\nShown the truth, the teacher-trained decoder has an error of {spread(teacher_forced, 5)} "
            f"(scaled units); with the mean state of all windows in place of each window's own it has "
            f"{spread(without, 4)}. Running free it has {spread(free, 3)} and {spread(free_without, 3)}."
        )


def _by_step(values: Array) -> tuple[Array, Array]:
    return np.arange(1, values.shape[1] + 1), values


def _layers(parts: dict[str, Any]) -> dict[str, Any]:
    return {f"{i} {j}": state for i, layer in enumerate(parts["layers"]) for j, state in enumerate(layer)}


def _unrolled(
    model_inputs: ModelInputs, parts: dict[str, Any], layers: dict[str, Any], *, teacher_forcing: bool
) -> Any:
    """Return the forecast from layer states, `[N, H, D]`, with teacher forcing or running free."""
    model = model_inputs.engine.built.model
    states = [tuple(layers[f"{i} {j}"] for j in range(len(layer))) for i, layer in enumerate(parts["layers"])]
    target = keras.ops.convert_to_tensor(model_inputs.truth, dtype="float32") if teacher_forcing else None
    training = True if teacher_forcing else None
    parts = {**parts, "layers": states}
    return model.decoder.unroll(parts, horizon=model_inputs.horizon, target=target, training=training)[0]


def _encoded(model_inputs: ModelInputs) -> dict[str, Any]:
    parts = model_inputs.engine.encode(model_inputs.past).to_dict()
    tensors: dict[str, Any] = keras.tree.map_structure(keras.ops.convert_to_tensor, parts)
    return tensors


def written(model_inputs: ModelInputs, *, teacher_forcing: bool, mean_state: bool = False) -> Array:
    """Return the forecast in scaled units, perhaps from the mean state of all windows in place of their own."""
    parts = _encoded(model_inputs)
    layers = _layers(parts)
    if mean_state:
        layers = {
            name: keras.ops.ones_like(state) * keras.ops.mean(state, axis=0, keepdims=True)
            for name, state in layers.items()
        }
    forecast: Array = to_numpy(_unrolled(model_inputs, parts, layers, teacher_forcing=teacher_forcing))
    return forecast


def reaching(model_inputs: ModelInputs, *, teacher_forcing: bool) -> list[float]:
    """Return by step how much the forecast changes with the encoder's state, its units in standard deviations."""
    parts = _encoded(model_inputs)
    layers = _layers(parts)

    def forecast(layers: dict[str, Any]) -> Any:
        steps = _unrolled(model_inputs, parts, layers, teacher_forcing=teacher_forcing)
        return keras.ops.reshape(steps, (-1, model_inputs.horizon))

    changes = to_numpy(derivatives(forecast, layers, model_inputs.horizon))
    squares = 0.0
    for name, state in to_numpy(layers).items():
        squares = squares + np.square(changes[name] * state.std(axis=0)).sum(axis=2).mean(axis=1)
    return [float(value) for value in np.sqrt(squares)]


STUDY = Teacher()
