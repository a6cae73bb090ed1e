"""Options that several commands share: of a `Forecaster`, of its training, of memory, processes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from seqcast import distributed, forecaster, pretrained
from seqcast.errors import Option, Phrase, SpecError
from seqcast.specs import CheckpointSpec, Columns

if TYPE_CHECKING:
    from seqcast.forecaster import Forecaster
    from seqcast.specs import NetworkSpec

Number = TypeVar("Number", int, float)

# The roles of covariates.
_ROLES = ("static", "past", "future")


@dataclass(frozen=True)
class ColumnOptions:
    """Columns, as typed.

    Args:
        id_column: Column that names the series, or several with commas; guessed if absent.
        time_column: Column with the time stamp or a whole number, or several with commas; guessed
            if absent.
        value_column: Column with the value; several with commas; guessed if absent.
        time_format: Format of times: %d.%m.%Y, %Y%m%d, unix_s, ...; integer for whole numbers that
            are no times.
        tz: Time zone of the clock that times were read from, such as Europe/Berlin.
        freq: Step between stamps (h, D, W-SAT, MS, ... or 1); inferred when absent.
    """

    id_column: str | None = None
    time_column: str | None = None
    value_column: str | None = None
    time_format: str | None = None
    tz: str | None = None
    freq: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The fields of `Columns` that were typed."""
        names = {"unique_id": self.id_column, "ds": self.time_column, "y": self.value_column}
        return given(**names, ds_format=self.time_format, tz=self.tz)

    @property
    def columns(self) -> Columns:
        """The columns, where those that were not typed have the usual names."""
        names: dict[str, Any] = self.given
        return Columns(**names | {"y": split_names(names.get("y", "y"))})

    @property
    def step(self) -> str | int | None:
        """The step between stamps; a whole number as such."""
        if self.freq is not None and re.fullmatch(r"\d{1,18}", self.freq):
            return int(self.freq)
        return self.freq

    @property
    def covariates(self) -> tuple[str, ...]:
        """The columns of covariates, where they are options."""
        return ()


@dataclass(frozen=True)
class SeriesOptions(ColumnOptions):
    """Series and covariates, as typed.

    Args:
        season_length: Steps of a season; by the frequency if absent.
        static: Columns that are constant within a series, with commas.
        past: Columns that are known up to the cutoff, with commas.
        future: Columns that are known ahead, with commas.
        weight: Column with the weight of each row in the losses of trainings; 0 leaves the row out.
        missing: Treatment of missing values and steps: fill or raise.
        on_bad_series: Treatment of series with an error: raise or skip.
        on_duplicates: Treatment of rows of a series with one time: raise, first, last, mean or sum.
        scale: Scaling of series: auto, standard, robust, minmax, mean, log1p, log or none.
        support: Which values are possible: auto, real, non-negative or counts (whole numbers).
        calendar: Features of the time: auto, none, or names with commas, as auto,holidays:DE.
    """

    season_length: int | None = None
    static: str = ""
    past: str = ""
    future: str = ""
    weight: str | None = None
    missing: str = "fill"
    on_bad_series: str = "raise"
    on_duplicates: str = "raise"
    scale: str = "auto"
    support: str = "auto"
    calendar: str = "auto"

    @property
    @override
    def given(self) -> dict[str, str]:
        return super().given | given(weight=self.weight)

    @property
    def covariates(self) -> tuple[str, ...]:
        """The columns of covariates."""
        return tuple(name for role in _ROLES for name in split_names(getattr(self, role)))


@dataclass(frozen=True)
class ForecasterOptions(SeriesOptions):
    """The network, and how it is trained, as typed.

    Args:
        preset: Network: auto, classic, segment or pretrained (not trained).
        effort: How much preset auto tries: quick trains nothing, balanced a network, best as many
            as help; auto goes by the number of rows.
        context_length: Steps of past to read; chosen from the data if absent.
        units: Width of each layer of encoder and decoder, instead of the preset's.
        cell: Recurrent cell, instead of gru: lstm or simple_rnn.
        level: Levels of the intervals in per cent, with commas; '' for none.
        calibrate: Widen intervals until they reach their level on validation rows.
        epochs: Passes over the windows; else the preset's.
        learning_rate: Largest learning rate; else the preset's.
        members: Networks to train, from seeds of their own; forecasts are their median.
        seed: Seed of everything random; fresh if absent.
        quiet: Show no progress.
    """

    preset: str = "auto"
    effort: str = "auto"
    context_length: int | None = None
    units: str | None = None
    cell: str | None = None
    level: str = "80,95"
    calibrate: bool = False
    epochs: int | None = None
    learning_rate: float | None = None
    members: int = 1
    seed: int | None = None
    quiet: bool = False

    def forecaster(
        self, horizon: int, columns: Columns | None = None, *, silent: bool = False
    ) -> Forecaster:
        """Return the forecaster of these options, not fitted.

        Args:
            horizon: Steps to forecast.
            columns: The columns, once they are known.
            silent: Whether it shows no progress, also without `quiet`.
        """
        level = forecaster.interval_levels(parse_levels(self.level))
        calendar: str | tuple[str, ...] = self.calendar
        if calendar not in ("auto", "none"):
            calendar = split_names(self.calendar)
        # The forecaster's own rules apply to the other fields of a training.
        training = given(epochs=self.epochs, learning_rate=self.learning_rate) or None

        return forecaster.Forecaster(
            horizon,
            columns=columns or self.columns,
            freq=self.step,
            context_length=self.context_length,
            season_length=self.season_length,
            static_covariates=split_names(self.static),
            past_covariates=split_names(self.past),
            future_covariates=split_names(self.future),
            calendar=calendar,
            missing=self.missing,
            on_bad_series=self.on_bad_series,
            on_duplicates=self.on_duplicates,
            scale=self.scale,
            support=self.support,
            preset=self._network(level),
            effort=self.effort,
            members=self.members,
            training=training,
            level=level,
            calibrate=self.calibrate,
            random_state=self.seed,
            verbose=int(not (self.quiet or silent)),
        )

    def _network(self, level: tuple[float, ...]) -> str | NetworkSpec:
        """Return the name of a preset, or the preset with the user's cell and units."""
        changes = given(units=self.units, cell=self.cell)
        if not changes:
            return self.preset

        if pretrained.is_zero_shot(self.preset):
            name = "cell" if self.units is None else "units"
            raise SpecError(
                name,
                expected="none with the pretrained network, whose layers are fixed",
                received=str(changes[name]),
                hint="Leave it out, or name another preset.",
            )
        if self.units is not None:
            expected = "whole numbers with commas, as 35,35"
            widths = _numbers("units", int, self.units, expected=expected, hint="One a layer.")
            del changes["units"]
            changes |= {"encoder_units": widths, "decoder_units": widths}
        name = "classic" if self.preset == "auto" else self.preset
        return replace(forecaster.named_network(name, level, forecaster.Sizes()), **changes)


@dataclass(frozen=True)
class TrainingOptions:
    """Time limit and checkpoints, as typed.

    Args:
        time_limit: Be done in this time: 90, '10 min', 1h; in place of epochs.
        checkpoint: Folder to which the training is written every two minutes, for --resume.
        resume: Go on with the training of --checkpoint, if there is one.
    """

    time_limit: str | None = None
    checkpoint: Path | None = None
    resume: bool = False

    def arguments(self, machines: MachineOptions, max_size: str | None) -> dict[str, Any]:
        """Return the arguments of a fit or a backtest for its training.

        Args:
            machines: Memory and processes.
            max_size: Length of the files of a checkpoint.
        """
        checkpoint = None
        if self.checkpoint is not None:
            checkpoint = CheckpointSpec(self.checkpoint, max_size=max_size)
        return {
            "checkpoint": checkpoint,
            "resume": self.resume,
            "time_limit": self.time_limit,
            "memory_limit": machines.memory_limit,
            "on": machines.cluster(self.checkpoint),
        }


@dataclass(frozen=True)
class MachineOptions:
    """Memory and processes, as typed.

    Args:
        memory_limit: Memory for the rows of Parquet files that are read piece by piece, as '512
            MiB'; 1 GiB if absent. A folder or a pattern such as 'sales/*.parquet' is read so in any
            case. --output may then be a folder.
        ray: Work in processes of Ray: local, auto, host:port, ray://host:port.
        workers: Workers of --ray; one a core if absent.
    """

    memory_limit: str | None = None
    ray: str | None = None
    workers: int | None = None

    def reads_pieces(self, path: Path | None) -> bool:
        """Return whether rows are read piece by piece, since memory may not suffice.

        Args:
            path: A file, a folder or a pattern.
        """
        if path is None:
            return False
        is_pattern = any(mark in str(path) for mark in "*?[") and not path.exists()
        return self.memory_limit is not None or is_pattern or path.is_dir()

    def cluster(self, storage: Path | None) -> distributed.RayCluster | None:
        """Return the cluster that a command works on; `None` is this machine.

        Args:
            storage: A folder that all machines see: that of checkpoints, or of the forecasts.
        """
        if self.ray is None:
            if self.workers is not None:
                raise SpecError(
                    "workers",
                    expected=Phrase(Option("on"), " as well"),
                    received="none",
                    hint="Add it.",
                )
            return None
        return distributed.RayCluster(self.workers, self.ray, storage=storage)


def given(**options: object) -> dict[str, Any]:
    """Return the options that are not `None`.

    Args:
        options: Options by name.
    """
    return {name: value for name, value in options.items() if value is not None}


def parse_levels(text: str) -> tuple[float, ...]:
    """Return levels in per cent.

    Args:
        text: The levels, with commas.

    Raises:
        SpecError: They are no numbers.

    Example:
        >>> parse_levels("80,95"), parse_levels("")
        ((80.0, 95.0), ())
    """
    return _numbers(
        "level", float, text, expected="numbers with commas, as 80,95", hint="In per cent."
    )


def _numbers(
    option: str, kind: Callable[[str], Number], text: str, *, expected: str, hint: str
) -> tuple[Number, ...]:
    try:
        return tuple(map(kind, split_names(text)))
    except ValueError:
        raise SpecError(option, expected=expected, received=repr(text), hint=hint) from None


def split_names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas.

    Args:
        text: The names.
    """
    return tuple(name.strip() for name in text.split(",")) if text.strip() else ()
