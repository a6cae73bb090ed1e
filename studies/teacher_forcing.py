"""Studies of decoder inputs: errors beyond the horizon, and use of the encoder's state."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seqcast.engine import ModelInputs
from seqcast.inspect import sensitivity
from seqcast.plots import repeated_runs
from seqcast.runtime import Array, derivatives, keras, to_numpy
from study_base import (
    Results,
    Run,
    Study,
    markdown,
    mse_by_step,
    plain_sines,
    spread,
)

# Steps that the networks learn to write.
TRAINED = 15
# Steps that they forecast.
LAST = 150


class Horizon(Study):
    """The error of each step up to ten times the trained horizon."""

    title = "Beyond the horizon"
    question = (
        "What is the error of each step up to ten times the trained horizon, and where do decoders "
        "break down that read zeros, positions (block by block), true values in training, or their "
        "own outputs?"
    )
    settings = tuple(
        {"decoder_input": one}
        for one in ("zeros", "position", "teacher", "scheduled", "autoregressive")
    )

    def measure(self, run: Run) -> dict[str, Any]:
        """Train on 15 steps, forecast 150.

        Args:
            run: The setting and the seed; it trains.
        """
        model = run.train(plain_sines, decoder_input=run.setting["decoder_input"])
        past, future, _ = plain_sines(5_000, future=LAST, seed=run.test_seed)
        return {
            "mse": mse_by_step(model.predict(past, LAST), future),
            "variance": float(np.square(future).mean()),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the error by step.

        Args:
            results: All results.
        """
        steps = np.arange(1, LAST + 1)
        curves: dict[str, Any] = {
            one: (steps, rows.array("mse")) for one, rows in results.by("decoder_input").items()
        }
        curves["forecasting zero"] = (steps, np.full(LAST, results.array("variance").mean()))
        figure = repeated_runs(
            {"": curves},
            xlabel="step of the forecast",
            ylabel="mean squared error",
            title="Ten times the trained horizon, by what the decoder reads",
            guides={TRAINED: "trained horizon"},
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors by step, and the step at which each is no better than zero.

        Args:
            results: All results.
        """
        variance = results.array("variance").mean()
        lines = []
        for each, rows in results.by("decoder_input").items():
            mse = rows.array("mse")
            steps = [spread(mse[:, step - 1]) for step in (1, TRAINED, 2 * TRAINED)]
            passed = [
                spread([_first(run, share * variance) for run in mse], 0) for share in (0.5, 1.0)
            ]
            lines.append([each, *steps, *passed, spread(mse[:, -1] / variance, 2)])
        header = ["decoder reads", "step 1", f"step {TRAINED}", f"step {2 * TRAINED}"]
        header += ["passes half of the variance at step", "passes the variance at step"]
        return (
            f"{results.seeds}; mean squared errors. Forecasting zero has {variance:.3f}, the "
            f"variance. A step that is never passed counts as {LAST + 1}.\n\n"
            + markdown([*header, f"step {LAST} over the variance"], lines)
        )


def _first(errors: Array, limit: float) -> int:
    """Return the first step whose error is above a limit; one more than all if there is none."""
    return int(np.append(errors > limit, True).argmax()) + 1


class Teacher(Study):
    """Error, gradient that reaches the encoder, and memory length, by what the decoder reads."""

    title = "Teacher forcing"
    question = (
        "Is the post's guess right that a decoder which is shown the true value before each step "
        "gets lazy and asks the encoder for little?"
    )
    settings = tuple(
        {"decoder_input": each} for each in ("zeros", "teacher", "scheduled", "autoregressive")
    )

    def measure(self, run: Run) -> dict[str, Any]:
        """Train; measure the errors, and how the forecast depends on the encoder's state.

        Args:
            run: The setting and the seed; it trains.
        """
        model = run.train(plain_sines, decoder_input=run.setting["decoder_input"])
        past, future, _ = plain_sines(5_000, seed=run.test_seed)
        model_inputs = model.model_inputs(past[:1_000], future[:1_000])
        truth = np.asarray(model_inputs.truth)
        forced = run.setting["decoder_input"] == "teacher"

        outcome: dict[str, Any] = {
            "mse": mse_by_step(model.predict(past), future),
            "reaching": reaching(model_inputs, teacher_forcing=forced),
            "memory": sensitivity(model_inputs[:256]).memory_length().tolist(),
        }
        if not forced:
            return outcome

        for name, teacher_forcing in (("free", False), ("forced", True)):
            for state, mean_state in (("own_state", False), ("mean_state", True)):
                forecast = written(
                    model_inputs, teacher_forcing=teacher_forcing, mean_state=mean_state
                )
                outcome[f"{name}_{state}"] = float(np.square(forecast - truth).mean())
        return outcome

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw error and gradient by step.

        Args:
            results: All results.
        """
        steps = np.arange(1, 16)
        keys = {
            "error of the free forecast": "mse",
            "as in training: what reaches the encoder": "reaching",
        }
        panels = {
            panel: {
                each: (steps, rows.array(key)) for each, rows in results.by("decoder_input").items()
            }
            for panel, key in keys.items()
        }
        labels = ("mean squared error", "change of the forecast by the encoder's state")
        figure = repeated_runs(
            panels,
            xlabel="step of the forecast",
            ylabel=dict(zip(keys, labels, strict=True)),
            title="Shown the truth, or not",
            logy=True,
        )
        return {"": figure}

    def finding(self, results: Results) -> str:
        """Return the errors, the influence of the encoder's state and the memory by decoder input.

        Args:
            results: All results.
        """
        lines = []
        for each, rows in results.by("decoder_input").items():
            shown = ((rows.array("reaching"), 2), (rows.array("memory"), 1))
            cells = [
                spread(values[:, step], digits) for values, digits in shown for step in (0, -1)
            ]
            lines.append([each, spread(rows.array("mse").mean(axis=1)), *cells])
        header = ["decoder reads", "error", "reaches the encoder from step 1", "from step 15"]

        teacher = results.where(decoder_input="teacher")
        forced = spread(teacher.array("forced_own_state"), 5)
        forced_mean = spread(teacher.array("forced_mean_state"))
        free, free_mean = (
            spread(teacher.array(f"free_{state}_state"), 3) for state in ("own", "mean")
        )

        return (
            f"{results.seeds}; mean squared errors of the free forecast. What reaches the encoder "
            "is the root mean square derivative of a step by the encoder's state, in standard "
            "deviations of its units, as in training: `teacher` reads the truth. Memory: the "
            "number of last past steps with 95 % of the influence on a "
            f"step.\n\n{markdown([*header, 'memory of step 1', 'of step 15'], lines)}\n\nThe "
            f"decoder trained with `teacher` has an error of {forced} (scaled units) when it reads "
            f"the truth, and of {forced_mean} from the mean state of all windows. Running free it "
            f"has {free} and {free_mean}."
        )


def _decoder(
    model_inputs: ModelInputs, teacher_forcing: bool
) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Return the encoder's states by layer, and what forecasts from such states, `[N, H, D]`."""
    arrays = model_inputs.engine.encode(model_inputs.past).arrays()
    arrays = keras.tree.map_structure(keras.ops.convert_to_tensor, arrays)
    target = None
    if teacher_forcing:
        target = keras.ops.convert_to_tensor(model_inputs.truth, dtype="float32")

    def forecast(states: dict[str, Any]) -> Any:
        changed = {**arrays, "layers": [(state,) for state in states.values()]}
        decoder = model_inputs.engine.built.model.decoder
        horizon = model_inputs.horizon
        return decoder.unroll(
            changed, horizon=horizon, target=target, training=teacher_forcing or None
        )[0]

    return {str(layer): state for layer, (state,) in enumerate(arrays["layers"])}, forecast


def written(model_inputs: ModelInputs, *, teacher_forcing: bool, mean_state: bool) -> Array:
    """Return the forecast in scaled units, `[N, H, D]`.

    Args:
        model_inputs: The windows.
        teacher_forcing: Whether the decoder reads the truth.
        mean_state: Whether it begins from the mean state of all windows, in place of each window's
            own.
    """
    states, forecast = _decoder(model_inputs, teacher_forcing)
    if mean_state:
        means = {
            name: keras.ops.mean(state, axis=0, keepdims=True) for name, state in states.items()
        }
        states = {name: keras.ops.ones_like(state) * means[name] for name, state in states.items()}
    values: Array = to_numpy(forecast(states))
    return values


def reaching(model_inputs: ModelInputs, *, teacher_forcing: bool) -> list[float]:
    """Return by step how much the forecast changes with the encoder's state.

    Its units are in standard deviations.

    Args:
        model_inputs: The windows.
        teacher_forcing: Whether the decoder reads the truth.
    """
    states, forecast = _decoder(model_inputs, teacher_forcing)
    horizon = model_inputs.horizon
    changes = derivatives(
        lambda states: keras.ops.reshape(forecast(states), (-1, horizon)), states, horizon
    )
    squares = np.zeros(horizon)
    for state, change in zip(to_numpy(states).values(), to_numpy(changes).values(), strict=True):
        squares = squares + np.square(change * state.std(axis=0)).sum(axis=2).mean(axis=1)
    return [float(value) for value in np.sqrt(squares)]
