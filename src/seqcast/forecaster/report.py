"""Facts about a planned fit and about a fitted forecaster, and its report."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqcast.data import Description
from seqcast.data.frames import LongFrame
from seqcast.engine import Engine
from seqcast.errors import DataError
from seqcast.forecaster.arguments import ForecasterArguments, is_compared
from seqcast.forecaster.candidates import candidates, words
from seqcast.forecaster.duration import estimate_seconds, in_words
from seqcast.forecaster.explain import covariate_importance
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.option_checks import check_options
from seqcast.forecaster.options import FitOptions, ReadOptions
from seqcast.forecaster.planning import FitPlan
from seqcast.forecaster.reading import check_future_given, read_rows
from seqcast.pretrained import is_zero_shot
from seqcast.runtime import Array
from seqcast.specs import Columns, NetworkSpec


@dataclass(frozen=True)
class PlannedFit:
    """Facts about a frame, and the settings of a fit to it; as a string, a text to read.

    Args:
        data: Facts about the series.
        settings: Settings of the fit, by name.
    """

    data: Description
    settings: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {**self.data.to_dict(), "fit": self.settings}

    def __str__(self) -> str:
        return "\n".join([*self.lines(), *self.data.fault_lines()])

    def lines(self) -> Iterator[str]:
        """Yield the facts and the settings, a line each."""
        width = max(map(len, self.settings)) + 2
        yield from (*self.data.lines(), "", "A fit would take")
        yield from (f"{name:<{width}}{value}" for name, value in self.settings.items())


def described(arguments: ForecasterArguments, df: Any) -> Description:
    """Return facts about a frame, whatever is wrong with it.

    Args:
        arguments: The arguments of the forecaster.
        df: As for `Forecaster.fit`.

    Raises:
        DataError: A column is missing or has another type, or no row is left.
    """
    reading = replace(ReadOptions.of(arguments), on_bad_rows="skip", on_bad_series="skip")
    return Description.of(read_rows(reading, df), arguments.season_length)


def outlook(arguments: ForecasterArguments, lengths: Array, season_length: int) -> dict[str, Any]:
    """Return what a fit would try, and about how long it takes on two cores, by name.

    Args:
        arguments: The arguments of the forecaster.
        lengths: Rows of each series.
        season_length: Steps of a season.

    Raises:
        SpecError: An option is impossible.
    """
    check_options(arguments)
    options = FitOptions.resolve(arguments, seed=0)
    texts = words()
    options = options.decided(int(np.maximum(lengths - options.horizon, 0).sum()))

    effort = "balanced" if options.effort == "auto" else options.effort
    if is_zero_shot(arguments.preset):
        effort = "quick"

    seconds = estimate_seconds(
        lengths,
        options.horizon,
        effort,
        season_length=season_length,
        future=len(arguments.future_covariates),
    )

    return {
        "effort": options.effort if is_compared(arguments.preset) else "none: nothing is chosen",
        "candidates": "; ".join(
            texts[name] for candidate in candidates(options) for name in candidate.names
        ),
        "time": in_words(seconds),
    }


def planned(plan: FitPlan, arguments: ForecasterArguments) -> dict[str, Any]:
    """Return the settings of a plan, by name.

    Args:
        plan: The plan.
        arguments: The arguments of the forecaster.
    """
    rows = plan.rows
    series = plan.rows.series
    jobs = list(plan.by_place.values())
    # Members are the networks that learn from the data alone; a fine-tuned one is not counted.
    own = [job for job in jobs if not job.observers_only]
    job = next(iter([*own, *jobs]), None)

    members: int | str = len(own)
    networks = (
        [network for each in plan.candidates for network in each.networks]
        if job is None
        else [job.network]
    )

    if rows.options.networks.round_size is not None:
        more = (
            f", and more while they help, at most {members}" if plan.comparison is not None else ""
        )
        members = f"{rows.options.networks.round_size}{more}"

    epochs = (
        "nothing is trained"
        if job is None
        else f"{job.training.epochs} of batches of {job.training.batch_size}"
    )

    covariates = series.frame.covariates
    names = (*covariates.static, *covariates.varying, *series.builder.calendar.names)
    return {
        "horizon": rows.options.horizon,
        "context": f"{series.context_length} steps",
        "scale": series.scale + (" (chosen)" if arguments.scale == "auto" else ""),
        "support": ", ".join(series.support) + (" (seen)" if arguments.support == "auto" else ""),
        "preset": arguments.preset if isinstance(arguments.preset, str) else "given",
        **outlook(arguments, rows.lengths, rows.season_length),
        "network": _in_words(networks[0]) if networks else "none",
        "inputs": ", ".join(map(str, names)) or "the values alone",
        "windows": 0 if job is None else job.count_windows(),
        "epochs": epochs,
        "members": members,
        "padded series": len(plan.short_series),
    }


def _in_words(network: NetworkSpec) -> str:
    segment = f", segments of {network.segment}" if network.segment > 1 else ""
    layers = ", ".join(map(str, network.encoder_units))
    return f"{network.cell}, layers {layers}, head {network.head}{segment}"


def facts(fitted: FittedForecaster, arguments: ForecasterArguments) -> dict[str, dict[str, Any]]:
    """Return facts about a fitted forecaster, by heading.

    Args:
        fitted: The fitted forecaster.
        arguments: The arguments of the forecaster.
    """
    history = fitted.histories[0]
    trainings = fitted.trainings
    networks = fitted.networks
    training = {
        "epochs": f"{len(history)}" + (" (stopped early)" if history.stopped_early else ""),
        "best epoch": history.best_epoch or "none chosen: no validation rows",
        "batch size": trainings[0].batch_size if trainings else "nothing was trained",
        "seconds": f"{history.seconds:.1f}",
    }

    network: dict[str, Any] = {"forecast": str(fitted.choice)}
    for candidate in fitted.by_learning:
        network |= candidate.facts()
    if networks:
        network |= {**network_facts(networks[0]), "members": len(networks)}
    return {"Training": training, "Network": network, "Settings": _settings(fitted, arguments)}


def network_facts(engine: Engine) -> dict[str, Any]:
    """Return facts about a network, by name.

    Args:
        engine: Its engine.
    """
    network = engine.network
    return {
        "cell": network.cell,
        "encoder units": ", ".join(map(str, network.encoder_units)),
        "decoder units": ", ".join(map(str, network.decoder_units)),
        "head": network.head,
        "weights": f"{engine.weight_count:,}",
    }


def _settings(fitted: FittedForecaster, arguments: ForecasterArguments) -> dict[str, Any]:
    series = fitted.series
    windows: int | str = "not calibrated"
    if fitted.calibrations:
        windows = int(fitted.calibrations[0].windows.min())
    covariates = series.frame.covariates
    calendar = series.builder.calendar
    inputs = (*covariates.static, *covariates.varying, *calendar.names)

    return {
        "horizon": fitted.forecasting.horizon,
        "context_length": series.context_length,
        "frequency": fitted.frequency or "irregular",
        "season_length": fitted.season_length,
        "inputs other than the target": ", ".join(map(str, inputs)) or "none",
        "scale": arguments.scale,
        "levels": ", ".join(f"{level:g} %" for level in fitted.request().level) or "none",
        "calibration windows": windows,
        "random_state": f"{fitted.seed}" + (" (drawn)" if arguments.random_state is None else ""),
    }


def write_report(
    fitted: FittedForecaster,
    df: Any,
    frame: LongFrame,
    arguments: ForecasterArguments,
    *,
    future: Any,
    **how: Any,
) -> None:
    """Write the report of a fit; see `Forecaster.report`.

    Args:
        fitted: The fitted forecaster.
        df: The rows to forecast from; `None` takes those of the fit.
        frame: The same rows, read.
        arguments: The arguments of the forecaster.
        future: The future steps; without it a forecaster that needs it shows no forecast.
        **how: Other arguments of `seqcast.report.report`: the path, the backtest, the title and so
            on.
    """
    from seqcast.report import report

    forecast = None
    importance = None
    names = fitted.series.frame.covariates.future
    columns = frame.schema.columns
    is_needed = bool(names) or fitted.reading.irregular
    if future is not None or not is_needed:
        forecast = fitted.forecast(fitted.rows_to_forecast(df), fitted.request(), future=future)
    elif how.get("backtest") is None:
        check_future_given(future, columns, names, needed=is_needed)
    if fitted.trainings:
        with contextlib.suppress(
            DataError
        ):  # there are no covariates, or no rows to evaluate them on
            importance = covariate_importance(fitted, df, metric="mae", repeats=5, seed=0)
    report(
        history=frame.table(),
        model=fitted.forecasting.alias,
        metadata=facts(fitted, arguments),
        learning=fitted.histories[0].epochs or None,
        season_length=fitted.season_length,
        trained_horizon=fitted.forecasting.horizon,
        columns=Columns(columns.unique_id, columns.ds, columns.value),
        forecast=forecast,
        importance=importance,
        **how,
    )
