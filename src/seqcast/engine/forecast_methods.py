"""What an engine does with a network that is built: forecast, encode, decode, and look inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import fill_gaps
from seqcast.engine.built import BuiltNetwork
from seqcast.engine.sampling import PATHS, Forecasts
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.network import Parametric, Sampled, States
from seqcast.specs import NetworkSpec, check_int, check_probabilities

Array = npt.NDArray[Any]

# Derivatives that are computed at a time, so that memory does not grow with the number of windows.
MOST_NUMBERS = 2**24


class ForecastMethods:
    """The part of `Engine` that reads its network; any number of threads may call it at once.

    Each call reads the network once, so that it forecasts with the old or the new one while another is published.
    """

    network: NetworkSpec
    _built: BuiltNetwork | None

    def predict(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Forecast.

        Args:
            inputs: `past` `[N, T, F]`, NaN where the network takes gaps; `static`, `future` where it was trained with
                them. In place of `past` and `static` may come `states`, which `encode` or `update` returned.
            horizon: Number of steps, any.

        Returns:
            The forecast, `[N, H, D]`; with a probabilistic head the median of its distribution.

        Raises:
            NotFittedError: Neither `fit` nor `build` was called.
            SpecError: The network cannot write so long a horizon.
            DataError: Known-future inputs do not cover the horizon.
        """
        forecasts, prepared = self._ready(inputs)
        return forecasts.point(prepared, horizon)

    def distribution(
        self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS, seed: Any = None
    ) -> Parametric | Sampled:
        """Forecast a distribution, which knows its mean, median, quantiles and probabilities.

        A network that reads none of its own outputs forecasts the parameters of each step; of one that does, sample
        paths are drawn, each reading its own draws, and the distribution is theirs.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
            paths: How many paths are drawn where paths are needed, 100 or more.
            seed: As for `paths`.

        Returns:
            The forecast.

        Raises:
            SpecError: The head is a point.
        """
        check_int("paths", paths, at_least=PATHS)
        forecasts, prepared = self._ready(inputs)
        return forecasts.distribution(prepared, horizon, paths, seed)

    def quantiles(
        self,
        inputs: dict[str, Any],
        horizon: int,
        probabilities: Sequence[float],
        *,
        paths: int = PATHS,
        seed: Any = None,
    ) -> Array:
        """Forecast quantiles, `[N, H, D, Qs]`, which never cross; arguments as for `distribution`.

        Quantiles beyond those that a quantile head was trained with lie on exponential tails.

        Raises:
            SpecError: The head is a point, or a probability is not between 0 and 1.
        """
        probabilities = check_probabilities("probabilities", probabilities)
        return self.distribution(inputs, horizon, paths=paths, seed=seed).quantile(probabilities)

    def mean(self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS, seed: Any = None) -> Array:
        """Forecast the mean, `[N, H, D]`, or the point of a point head; arguments as for `distribution`."""
        if not self.network.is_probabilistic:
            return self.predict(inputs, horizon)
        return self.distribution(inputs, horizon, paths=paths, seed=seed).mean()

    def paths(self, inputs: dict[str, Any], horizon: int, *, paths: int = PATHS, seed: Any = None) -> Array:
        """Draw sample paths of the future.

        A decoder that feeds back reads each path's own draws. Steps that read no draw are drawn one by one and say
        nothing of how they go together: all steps with `decoder_input` `zeros`, those of a segment, and with
        `position` those up to the trained horizon and of each block after it.

        Args:
            inputs: As for `predict`.
            horizon: Number of steps.
            paths: Number of paths.
            seed: One seed: all rows get the same random numbers, so that a row's paths do not depend on its company.
                One seed a row, `[N]`: rows with different seeds are independent, as sums over rows need it. `None` is
                the engine's own, one for all.

        Returns:
            The paths, `[N, paths, H, D]`.

        Raises:
            SpecError: The head is a point, or a seed is none.
        """
        forecasts, prepared = self._ready(inputs)
        return forecasts.paths(prepared, horizon, check_int("paths", paths), seed)

    def encode(self, inputs: dict[str, Array]) -> States:
        """Read the past into states; inputs as for `predict`, without `future`."""
        forecasts, prepared = self._ready(inputs)
        return States.from_dict(forecasts.states(prepared))

    def update(self, states: States, inputs: dict[str, Array]) -> States:
        """Read on from states: the same as encoding old and new steps at once, under the old normaliser statistics.

        Args:
            states: What `encode` returned.
            inputs: New steps, `past` `[N, n, F]`: whole segments, NaN where the network takes gaps.

        Returns:
            The states after the new steps.

        Raises:
            SpecError: The encoder also reads backwards, so that it cannot go on.
            DataError: The new steps are no whole segments, or not one row for each of the states.
        """
        if len(inputs["past"]) != len(states):
            raise DataError(
                "past",
                expected=f"new steps for each of the {len(states)} rows of the states",
                received=f"{len(inputs['past'])} rows",
                hint="Choose rows of states by indexing, states[rows].",
            )
        forecasts, prepared = self._ready(inputs)
        return States.from_dict(forecasts.compiled("update", {"states": states.to_dict(), "new": prepared}))

    def decode(self, states: States, horizon: int, future: Array | None = None) -> Array:
        """Write a forecast, `[N, H, D]`, out of states: the same as `predict` of the past that they come from."""
        return self.predict({"states": states, **({} if future is None else {"future": future})}, horizon)

    def attention(self, inputs: dict[str, Any], horizon: int) -> Array:
        """Return the attention's weights over the tokens of the past, `[N, H, T]`, of a forecast.

        Where it is written block by block they go on over its own tokens, which later blocks read.

        Raises:
            SpecError: The network has no attention.
        """
        if self.network.attention == "none":
            raise SpecError(
                "attention",
                expected="a network with attention",
                received="'none'",
                hint="Fit with attention='additive', 'dot' or 'multi_head'; a Forecaster takes "
                "preset=NetworkSpec(attention='dot').",
            )
        forecasts, prepared = self._ready(inputs)
        return forecasts.attention(prepared, horizon)

    def trace(self, inputs: dict[str, Any], horizon: int) -> dict[str, Any]:
        """Return what every layer does while the encoder reads and while the decoder writes.

        Args:
            inputs: As for `predict`, with `past`.
            horizon: Number of steps; at most the trained one of a decoder that writes block by block.

        Returns:
            `encoder` and `decoder`: for each layer a dict of `states`, after each token `[N, tokens, n]` each, and
            of `gates` by name; and `valid`, `[N, tokens]`, where not all tokens of the past count.

        Raises:
            SpecError: The horizon is written block by block.
        """
        forecasts, prepared = self._ready(inputs)
        if forecasts.model.writes_in_blocks(horizon, prepared.get("future")):
            raise SpecError(
                "horizon",
                expected=f"at most the trained one, {forecasts.model.window.horizon}",
                received=repr(horizon),
                hint="A longer forecast is written block by block, each from states of its own: look at one block.",
            )
        past = {name: values for name, values in prepared.items() if name != "future"}
        read = forecasts.compiled("trace_encoder", past)
        written = forecasts.compiled("trace_decoder", prepared, horizon=horizon)
        traced = {"encoder": read["layers"], "decoder": written}
        return {**traced, "valid": read["valid"]} if "valid" in read else traced

    def sensitivity(self, inputs: dict[str, Any], horizon: int) -> dict[str, Array]:
        """Return how much the forecast moves with what it is made from: derivatives, in scaled units.

        Of a distribution the derivatives are those of its point; a decoder that reads its own outputs reads points.

        Args:
            inputs: As for `predict`, with `past`.
            horizon: Number of steps.

        Returns:
            `past`, the derivatives of the forecast by the past, `[N, H, D, T, F]`, and where the network knows
            some of the future `future`, `[N, H, D, H, F']`.
        """
        forecasts, prepared = self._ready(inputs)
        targets = forecasts.model.window.targets
        steps, features = prepared["past"].shape[1:]
        largest = max(1, MOST_NUMBERS // (horizon * targets * steps * features))
        derivatives = forecasts.compiled("sensitivity", prepared, largest=largest, horizon=horizon)
        return {
            name: values.reshape(len(values), horizon, targets, *values.shape[2:])
            for name, values in derivatives.items()
        }

    @property
    def built(self) -> BuiltNetwork:
        """The network and the sizes of its windows.

        Raises:
            NotFittedError: Neither `fit` nor `build` was called.
        """
        if self._built is None:
            raise NotFittedError("the network", expected="a fitted one", received="none", hint="Call fit first.")
        return self._built

    def _ready(self, inputs: dict[str, Any]) -> tuple[Forecasts, dict[str, Any]]:
        """Return what the network forecasts, and inputs as it reads them: arrays without gaps."""
        built = self.built
        prepared: dict[str, Any] = {
            name: values.to_dict() if isinstance(values, States) else np.asarray(values, dtype=np.float32)
            for name, values in inputs.items()
        }
        if built.window.observed and "past" in prepared:
            prepared["past"], prepared["observed"] = fill_gaps(prepared["past"])
        return built.forecasts, prepared
