"""The regressor's keyword arguments as specs, and the seed of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from seqcast.data.arrays import CheckedWindows, Preparation
from seqcast.data.series import SCALES
from seqcast.errors import SpecError
from seqcast.intervals import SUPPORTS
from seqcast.network import fresh_seed
from seqcast.specs import MULTIPLICATIVE_HEADS, NetworkSpec, TrainingSpec, check_choice, check_int, check_loss, preset

Spec = TypeVar("Spec", NetworkSpec, TrainingSpec)

# Options whose absence is a value, written "none" because None means "as the preset says".
NONE_BY_NAME = ("regularizer", "clip_norm", "early_stopping", "steps_per_epoch", "sampling_steps")


@dataclass(frozen=True)
class Options:
    """The keyword arguments, resolved and checked.

    Args:
        network: The network.
        training: How it is trained.
        scale: `standard` or `none`.
        target_features: As the user gave it; it is checked against the data.
        season_length: Steps of a season, where there is one.
        support: Which values are possible, see `seqcast.intervals.support`.
    """

    network: NetworkSpec
    training: TrainingSpec
    scale: str = "standard"
    target_features: Any = None
    season_length: int | None = None
    support: str = "auto"

    def learn(self, windows: CheckedWindows) -> Preparation:
        """Learn sizes and scaling from training windows.

        Raises:
            SpecError: An option does not fit the data.
            DataError: The windows are shorter than a season that the network looks back.
        """
        return Preparation.learn(
            windows,
            self.network,
            scale=self.scale,
            target_features=self.target_features,
            season_length=self.season_length,
        )


def resolve_options(params: Mapping[str, Any]) -> Options:
    """Return the options with the preset's defaults, checked as far as possible without data.

    Args:
        params: The result of `Seq2SeqRegressor.get_params`.

    Returns:
        The options.

    Raises:
        SpecError: An option is unknown, impossible, or does not go with another one.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> options = resolve_options(Seq2SeqRegressor(encoder_units=8, clip_norm="none").get_params())
        >>> options.network.decoder_units, options.training.clip_norm
        ((8,), None)
    """
    base = preset(params["preset"])
    check_choice("scale", params["scale"], SCALES)
    check_choice("support", params["support"], SUPPORTS)
    if params["encoder_units"] is not None and params["decoder_units"] is None:
        params = {**params, "decoder_units": params["encoder_units"]}
    if isinstance(params["metrics"], str):
        params = {**params, "metrics": (params["metrics"],)}
    network, training = _changed(base.network, params), _changed(base.training, params)
    check_loss(network.head, training.loss)
    _check_scale(params["scale"], network.head)
    return Options(
        network,
        training,
        scale=params["scale"],
        target_features=params["target_features"],
        season_length=params["season_length"],
        support=params["support"],
    )


def draw_seed(random_state: Any) -> int:
    """Return the seed of everything random in a fit, without touching global generators.

    Args:
        random_state: A whole number, which is the seed; a `numpy.random.RandomState`, which draws it; or `None`, for
            one from the operating system.

    Returns:
        The seed. The same fit with it as `random_state` gives the same model.

    Raises:
        SpecError: It is none of these.

    Example:
        >>> draw_seed(7)
        7
    """
    if random_state is None:
        return fresh_seed()
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31 - 1))
    return check_int("random_state", random_state, at_least=0)


def _changed(spec: Spec, params: Mapping[str, Any]) -> Spec:
    """Return a spec with the fields that are given; `None` is as the preset says."""
    given = {item.name: params[item.name] for item in fields(spec) if params[item.name] is not None}
    none = {name: None for name in NONE_BY_NAME if isinstance(given.get(name), str) and given[name] == "none"}
    return type(spec).from_dict({**vars(spec), **given, **none})


def _check_scale(scale: str, head: str) -> None:
    if head in MULTIPLICATIVE_HEADS and scale != "none":
        raise SpecError(
            "scale",
            expected=f"'none' with head={head!r}",
            received=repr(scale),
            hint="Positive data may be multiplied, but not shifted; normalise='scale' does that window by window.",
        )
