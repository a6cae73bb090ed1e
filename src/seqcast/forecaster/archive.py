"""The file of a forecaster: its options, the state of its series, and its candidates."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import FrameSchema, Frequency, LongFrame, is_zone, plain_stamps
from seqcast.data.series import SERIES_SCALES, InMemoryStore, SeriesScaler
from seqcast.errors import DataError, SeqcastError, SpecError
from seqcast.forecaster.arguments import ForecasterArguments
from seqcast.forecaster.candidates import CANDIDATES, FittedCandidate
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.copulas import KnownCopula
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.option_checks import LONGEST_SEASON, check_options
from seqcast.forecaster.options import ForecastOptions, ReadOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals import SUPPORTS, Calibration, Copula
from seqcast.pretrained import MODELS, ZeroShotModel
from seqcast.runtime import Array, from_payload, open_archive, to_payload, write_archive
from seqcast.specs import (
    MOST_SEED,
    Columns,
    Covariates,
    EnsembleSpec,
    NetworkSpec,
    TrainingSpec,
    check_int,
    check_writable,
)
from seqcast.training import History

KIND = "Forecaster"
# Arrays that may have NaN or NaT.
GAPS = ("series/values", "series/static", "series/trained_until")
# Most steps of a horizon or context over all series of a file, or this multiple of its rows if that
# is more.
MOST_STEPS = 10_000_000
MOST_GROWTH = 100
_SPECS: dict[str, Any] = {"columns": Columns, "preset": NetworkSpec}
# Fields of a file that are those of the fitted forecaster.
_OF_FITTED = (
    "season_length",
    "seed",
    "choice",
    "candidates",
    "calibrations",
    "short_series",
    "tried",
)
# Fields of a file that are those of the state of the series.
_OF_STATE = ("scaler", "builder", "scale", "context_length", "observed", "fill", "support")
# Kinds of NumPy's types that the arrays of the series may have.
_DTYPES = {"ids": "Uiu", "ends": "i", "stamps": "Miu", "last_seen": "Miu", "trained_until": "Miu"}


@dataclass(frozen=True)
class StoredSeries:
    """The payload of the state of the series, see `SeriesState`."""

    freq: str | int | None
    schema: FrameSchema
    covariates: Covariates
    scaler: SeriesScaler
    builder: FeatureBuilder
    scale: str
    context_length: int
    observed: bool
    fill: bool
    support: tuple[str, ...]
    ids: Array
    ends: Array
    values: Array
    stamps: Array
    static: Array
    last_seen: Array
    trained_until: Array

    @classmethod
    def of(cls, state: SeriesState) -> Self:
        """Return the payload of a state.

        Args:
            state: The state of the series.
        """
        return cls(
            freq=None if state.frequency is None else state.frequency.name,
            schema=state.schema,
            covariates=state.frame.covariates,
            ids=np.array(state.ids),
            ends=state.frame.source.ends,
            values=state.frame.source.values,
            stamps=plain_stamps(state.frame.stamps),
            static=state.frame.static,
            last_seen=plain_stamps(state.last_seen),
            trained_until=plain_stamps(state.trained_until),
            **{name: getattr(state, name) for name in _OF_STATE},
        )

    def state(self) -> SeriesState:
        """Build the state of the series, and reject fields that do not fit together.

        Raises:
            ValueError: Fields do not.
        """
        self._check_options()
        self._check_arrays()

        schema = self.schema
        builder = self.builder
        frame = LongFrame(
            InMemoryStore(tuple(self.ids.tolist()), self.ends, self.values),
            stamps=schema.stamps(self.stamps),
            frequency=None if self.freq is None else Frequency(self.freq),
            schema=schema,
            covariates=self.covariates,
            kinds=(*builder.past.kinds, *builder.future.kinds),
            static=self.static,
            static_kinds=builder.static.kinds,
            rows=np.full(len(self.values), -1),
        )

        _check_stamps(frame)
        return SeriesState(
            frame=frame,
            last_seen=schema.stamps(self.last_seen),
            trained_until=schema.stamps(self.trained_until),
            **{name: getattr(self, name) for name in _OF_STATE},
        )

    def _check_options(self) -> None:
        """Reject options of the series that are impossible, or do not go with the columns."""
        builder = self.builder
        covariates = self.covariates
        targets = self.schema.columns.targets
        builder.check()
        check_int("context_length", self.context_length)
        if self.scale not in SERIES_SCALES or not set(self.support) <= set(SUPPORTS):
            raise ValueError(f"series with the scale {self.scale!r} and the support {self.support}")

        names = (builder.past.names, builder.future.names, builder.static.names)
        if (
            names != (covariates.past, covariates.future, covariates.static)
            or not builder.targets == len(self.support) == len(targets)
            or (builder.median_gap is None) != (self.freq is not None)
            or self.schema.kind not in ("pandas", "polars")
        ):
            raise ValueError("features of other columns than the frame has")
        if self.schema.zone is not None and not is_zone(self.schema.zone):
            raise ValueError(f"the time zone {self.schema.zone!r:.80}, which is unknown")

    def _check_arrays(self) -> None:
        """Reject arrays whose shapes, types or numbers do not fit together."""
        builder = self.builder
        columns = self.schema.columns
        targets = len(columns.targets)
        weights = int(columns.weight is not None)
        series = len(self.ends)
        rows = len(self.stamps)

        scaling = {name: values for name, values in vars(self.scaler).items() if values is not None}
        shapes = {
            "ids": (series,),
            "ends": (series,),
            "values": (
                rows,
                targets + len(builder.past.kinds) + len(builder.future.kinds) + weights,
            ),
            "stamps": (rows,),
            "static": (series, len(builder.static.kinds)),
            "last_seen": (1,),
            "trained_until": (series,),
            **dict.fromkeys(scaling, (series, targets)),
        }

        for name, shape in shapes.items():
            values = scaling[name] if name in scaling else getattr(self, name)
            if values.shape != shape:
                raise ValueError(
                    f"{name!r} of shape {values.shape}, where {series} series have {shape}"
                )
            if values.dtype.kind not in _DTYPES.get(name, "f"):
                raise ValueError(f"{name!r} of type {values.dtype}")

        if not series <= rows <= series * self.context_length:
            raise ValueError(
                f"{rows} rows of {series} series, of which a context has {self.context_length}"
            )
        if int(self.ends[-1]) != rows or (np.diff(self.ends, prepend=0) < 1).any():
            raise ValueError(f"series that do not end where {rows} rows do")
        for name, values in scaling.items():
            if not np.isfinite(values).all() or (name != "loc" and not (values > 0).all()):
                raise ValueError(f"{name!r} that no scaling has")
        ids = self.ids.tolist()
        if ids != sorted(set(ids)):
            raise ValueError("ids that are not sorted, or are repeated")


@dataclass(frozen=True)
class _File:
    """The payload of a file, see `FittedForecaster`; `options` are the forecaster's arguments."""

    options: dict[str, Any]
    series: StoredSeries
    season_length: int
    seed: int
    choice: Choice
    candidates: tuple[FittedCandidate, ...]
    calibrations: tuple[Calibration, ...]
    short_series: tuple[str | int, ...]
    skipped: list[list[str | int]]
    tried: History
    copula: Copula


def write_forecaster(
    path: str | os.PathLike[str], options: dict[str, Any], fitted: FittedForecaster
) -> None:
    """Write a file.

    Args:
        path: Path of the file, which appears whole or not at all.
        options: Arguments of the forecaster, by name.
        fitted: The fitted forecaster; the rows of the fit are not written.

    Raises:
        SpecError: The training has a function, which cannot be written, or the horizon or context
            is too long.
        SaveError: The file could not be written.
    """
    _check_steps(fitted)
    specs = [
        *fitted.trainings,
        *(spec for engine in fitted.networks for spec in (engine.training, engine.network)),
    ]
    if options["training"] is not None:  # not among these where the last season alone is used
        specs.append(_whole(options["training"]))
    check_writable(
        specs, where="training or preset", expected="options that can be written to a file"
    )

    file = _File(
        options={
            **{
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in options.items()
            },
            "training": _training_to_json(options["training"]),
        },
        series=StoredSeries.of(fitted.series),
        skipped=[
            [name, *map(str, (error.where, error.expected, error.received, error.hint))]
            for name, error in fitted.skipped.items()
        ],
        copula=fitted.copula,  # a file has no rows to learn it from later
        **{name: getattr(fitted, name) for name in _OF_FITTED},
    )

    write_archive(path, KIND, *to_payload(file))


def read_forecaster(
    path: str | os.PathLike[str], names: Collection[str], *, max_size: Any = None
) -> tuple[dict[str, Any], FittedForecaster]:
    """Read a file.

    Args:
        path: A file of `write_forecaster`.
        names: Names of a forecaster's options, which the file has to contain.
        max_size: As for `Forecaster.load`.

    Returns:
        Options and fitted forecaster, as they were given to `write_forecaster`.

    Raises:
        MissingFileError: There is no such file.
        FileFormatError: It is not the file of a forecaster.
        SpecError: An option in it is impossible, or `max_size` is no size.
    """
    with open_archive(path, KIND, max_size=max_size, gaps=GAPS) as payload:
        fitted = {key: kind.fitted_type for key, kind in CANDIDATES.items()}
        tables: Any = {FittedCandidate: fitted, ZeroShotModel: MODELS}
        file: _File = from_payload(_File, *payload, tables=tables)
        if set(file.options) != set(names):
            raise ValueError(f"options {', '.join(sorted(set(file.options) ^ set(names)))}")
        options = _options(file.options)
        return options, _fitted(file, options)


def _options(values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a forecaster from JSON types."""
    options = dict(values)
    for name, kind in _SPECS.items():
        if isinstance(options[name], dict):
            kind = EnsembleSpec if "members" in options[name] else kind
            options[name] = kind.from_dict(options[name])

    training = options["training"]
    if isinstance(training, dict) and "spec" in training:
        options["training"] = TrainingSpec.from_dict(training["spec"])
    elif training is not None:
        spec = TrainingSpec.from_dict(training)
        options["training"] = {name: getattr(spec, name) for name in training}

    for name in (
        "static_covariates",
        "past_covariates",
        "future_covariates",
        "calendar",
        "level",
        "context_length",
    ):
        if isinstance(options[name], list):
            options[name] = tuple(options[name])

    check_options(ForecasterArguments(**options))
    return options


def _fitted(file: _File, options: dict[str, Any]) -> FittedForecaster:
    """Build the fitted forecaster, and reject fields that do not fit together."""
    skipped = {
        name: DataError(str(where), expected=str(expected), received=str(received), hint=str(hint))
        for name, where, expected, received, hint in file.skipped
    }

    arguments = ForecasterArguments(**options)
    fitted = FittedForecaster(
        series=file.series.state(),
        reading=ReadOptions.of(arguments),
        forecasting=ForecastOptions.of(arguments),
        skipped=skipped,
        copula_source=KnownCopula(file.copula),
        **{name: getattr(file, name) for name in _OF_FITTED},
    )
    _check_fields(fitted)
    return fitted


def _check_steps(fitted: FittedForecaster) -> None:
    """Reject a horizon or context that would fill the memory: a small file may name any."""
    source = fitted.series.frame.source
    steps = max(fitted.forecasting.horizon, fitted.series.context_length)
    most = max(MOST_STEPS, MOST_GROWTH * len(source.values))
    if steps * len(source) > most:
        size = f"{len(source):,} series with {len(source.values):,} rows"
        raise SpecError(
            "horizon, context_length",
            expected=f"at most {most // len(source):,} steps, for {size}",
            received=f"{steps:,}",
            hint="Fit a shorter one; predict(horizon=...) forecasts more steps.",
        )


def _check_fields(fitted: FittedForecaster) -> None:
    """Reject candidates and calibrations of other series or steps than those of the file."""
    check_int("season_length", fitted.season_length, at_most=LONGEST_SEASON)
    check_int("seed", fitted.seed, at_least=0, at_most=MOST_SEED)
    _check_steps(fitted)

    names = [candidate.name for candidate in fitted.candidates]
    if sorted(names) != sorted(fitted.choice.shares):
        raise ValueError(
            f"shares of {', '.join(fitted.choice.shares)}, where there are {', '.join(names)}"
        )
    fitted.choice.check()

    for candidate in fitted.candidates:
        candidate.check_file(fitted.series, fitted.season_length)

    targets = len(fitted.series.schema.columns.targets)
    if len(fitted.calibrations) not in (0, targets) or fitted.series.fill != (
        fitted.reading.missing == "fill"
    ):
        raise ValueError(f"{len(fitted.calibrations)} calibrations of {targets} targets")

    intervals = [each for candidate in fitted.candidates for each in candidate.intervals]
    for calibration in (*fitted.calibrations, *intervals):
        if len(calibration.windows) != fitted.forecasting.horizon:
            raise ValueError(f"a calibration of {len(calibration.windows)} steps")
        # Bounds of scaled series are numbers of single precision.
        if (
            np.max(np.asarray(calibration.usual)) * max(1.0, np.max(calibration.widths))
            > np.finfo(np.float32).max
        ):
            raise ValueError("widths of intervals that no forecast has")


def _training_to_json(given: TrainingSpec | Mapping[str, Any] | None) -> Any:
    """Return `training` as JSON types: whole under the key `spec`, or the given fields."""
    if given is None:
        return None
    whole = _whole(given).to_dict()
    return (
        {"spec": whole}
        if isinstance(given, TrainingSpec)
        else {name: whole[name] for name in given}
    )


def _whole(given: TrainingSpec | Mapping[str, Any]) -> TrainingSpec:
    return given if isinstance(given, TrainingSpec) else TrainingSpec(**given)


def _check_stamps(frame: LongFrame) -> None:
    """Reject stamps that do not rise within a series, or that such a frame cannot have."""
    stamps = frame.stamps
    source = frame.source
    rises = np.asarray(stamps[1:] > stamps[:-1])
    rises[source.starts[1:] - 1] = True
    if stamps.hasnans or not rises.all():
        raise ValueError("stamps that do not rise")

    last = frame.last_stamps[:1]
    try:
        ahead = last if frame.frequency is None else frame.frequency.after(last, 1)
        frame.schema.build(
            np.asarray(source.ids[:1], dtype=object), {frame.schema.columns.ds: ahead}, {}
        )
    except SeqcastError:
        raise
    except Exception as error:  # pandas and Polars raise many types of errors here
        raise ValueError(f"forecasts of another type than a frame has ({error})") from error
