"""Options of the commands: the types that several of them share, and those that make a `Forecaster`."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from seqcast.cli.files import FileOptions
from seqcast.errors import SpecError

if TYPE_CHECKING:
    from seqcast.forecaster import Forecaster
    from seqcast.specs import CheckpointSpec, Columns

# ---------------------------------------------------------------- types


def count_option(*names: str, least: int = 1, **settings: Any) -> Any:
    """Return the typer option for a whole number.

    Args:
        names: How the option is typed.
        least: The smallest number that it takes.
        settings: Further settings of `typer.Option`.
    """

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"expected a whole number, at least {least}, received {text!r}.")
        return number

    return typer.Option(*names, parser=parse, metavar="N", **settings)


def parse_number(text: str) -> float:
    """Return a number that was typed, for typer."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"expected a number, received {text!r}.") from None


Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is standard input.",
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="File that `seqcast fit` wrote.")]
Horizon = Annotated[int, count_option("--horizon", "-H", help="Steps to forecast.")]
IdColumn = Annotated[
    str, typer.Option("--id", help="Column that names the series; a file without one holds one series.")
]
TimeColumn = Annotated[str, typer.Option("--time", help="Column with the time stamp, or a whole number.")]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        "--time-format",
        help="How times are written: %d.%m.%Y, %Y%m%d, unix_s, ...; integer for whole numbers that are no times.",
    ),
]
TimeZone = Annotated[
    str | None, typer.Option("--tz", help="Time zone of the clock that times were read from, such as Europe/Berlin.")
]
Figure = Annotated[Path | None, typer.Option("--figure", help="PNG, SVG or PDF file for a picture.")]
ValueColumn = Annotated[str, typer.Option("--value", help="Column with the value; several with commas.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="FOLDER",
        help="Folder to which the training is written every two minutes, for --resume.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the training of --checkpoint, if there is one.")]
TimeLimit = Annotated[
    str | None,
    typer.Option("--time-limit", metavar="TIME", help="Be done in this time: 90, '10 min', 1h; in place of epochs."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]

# ---------------------------------------------------------------- what makes a forecaster


@dataclass(frozen=True)
class ForecasterOptions:
    """What the commands that train are told of the file, the network and the training; as typed."""

    id_column: IdColumn = "unique_id"
    time_column: TimeColumn = "ds"
    value_column: ValueColumn = "y"
    time_format: TimeFormat = None
    tz: TimeZone = None
    freq: Annotated[
        str | None, typer.Option(help="Step between stamps (h, D, W-SAT, MS, ... or 1); inferred when absent.")
    ] = None
    context_length: Annotated[
        int | None, count_option("--context-length", help="Steps of past to read; chosen from the data if absent.")
    ] = None
    season_length: Annotated[
        int | None, count_option("--season-length", help="Steps of a season; by the frequency if absent.")
    ] = None
    static: Annotated[str, typer.Option("--static", help="Columns that are constant within a series, with commas.")] = (
        ""
    )
    past: Annotated[str, typer.Option("--past", help="Columns that are known up to the cutoff, with commas.")] = ""
    future: Annotated[str, typer.Option("--future", help="Columns that are known ahead, with commas.")] = ""
    missing: Annotated[
        str, typer.Option("--missing", help="What to do about missing values and steps: fill or raise.")
    ] = "fill"
    on_bad_series: Annotated[
        str,
        typer.Option("--on-bad-series", help="What to do about series with something wrong in them: raise or skip."),
    ] = "raise"
    scale: Annotated[
        str,
        typer.Option("--scale", help="Scaling of series: auto, standard, robust, minmax, mean, log1p, log or none."),
    ] = "auto"
    support: Annotated[
        str,
        typer.Option(
            "--support", help="Which values are possible: auto, real, non-negative or counts (whole numbers)."
        ),
    ] = "auto"
    calendar: Annotated[
        str,
        typer.Option("--calendar", help="Features of the time: auto, none, or names with commas, as auto,holidays:DE."),
    ] = "auto"
    preset: Annotated[
        str, typer.Option("--preset", help="Network: auto, classic, segment or pretrained (not trained).")
    ] = "auto"
    effort: Annotated[
        str,
        typer.Option(
            "--effort",
            help="How much preset auto tries: quick trains nothing, balanced a network, best as many as help; auto "
            "goes by the number of rows.",
        ),
    ] = "auto"
    units: Annotated[
        str | None,
        typer.Option("--units", help="Width of each layer of encoder and decoder, instead of the preset's."),
    ] = None
    cell: Annotated[str | None, typer.Option("--cell", help="Recurrent cell, instead of gru: lstm or simple_rnn.")] = (
        None
    )
    level: Annotated[
        str, typer.Option("--level", help="Levels of the intervals in per cent, with commas; '' for none.")
    ] = "80,95"
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Widen intervals to what they promise on validation rows.")
    ] = False
    epochs: Annotated[int | None, count_option("--epochs", help="Passes over the windows; else the preset's.")] = None
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", parser=parse_number, metavar="RATE", help="Largest learning rate; else the preset's."
        ),
    ] = None
    members: Annotated[
        int,
        count_option("--members", help="Networks to train, from seeds of their own; forecasts are their median."),
    ] = 1
    seed: Annotated[int | None, count_option("--seed", least=0, help="Seed of everything random; fresh if absent.")] = (
        None
    )
    quiet: Quiet = False

    @property
    def columns(self) -> Columns:
        """The names of the file's columns."""
        return named_columns(self.id_column, self.time_column, self.value_column, self.time_format, self.tz)

    @property
    def step(self) -> str | int | None:
        """The step between stamps; whole numbers as such."""
        return int(self.freq) if self.freq is not None and re.fullmatch(r"\d{1,18}", self.freq) else self.freq

    def forecaster(self, horizon: int) -> Forecaster:
        """Return the forecaster that is asked for, not fitted."""
        from seqcast.forecaster import Forecaster, interval_levels

        level = interval_levels(parse_levels(self.level))
        training = {"epochs": self.epochs, "learning_rate": self.learning_rate}
        return Forecaster(
            horizon,
            columns=self.columns,
            freq=self.step,
            context_length=self.context_length,
            season_length=self.season_length,
            static_covariates=_split_names(self.static),
            past_covariates=_split_names(self.past),
            future_covariates=_split_names(self.future),
            missing=self.missing,
            on_bad_series=self.on_bad_series,
            scale=self.scale,
            support=self.support,
            calendar=self.calendar if self.calendar in ("auto", "none") else _split_names(self.calendar),
            preset=self._network(level),
            effort=self.effort,
            level=level,
            calibrate=self.calibrate,
            # The forecaster's own rules hold for the rest.
            training={name: value for name, value in training.items() if value is not None} or None,
            members=self.members,
            random_state=self.seed,
            verbose=int(not self.quiet),
        )

    def _network(self, level: tuple[float, ...]) -> Any:
        """Return the name of a preset, or the preset with a cell and units of the user's choice."""
        from seqcast.forecaster import Sizes, named_network
        from seqcast.pretrained import is_zero_shot

        if self.units is None and self.cell is None:
            return self.preset
        if is_zero_shot(self.preset):
            raise SpecError(
                "units" if self.cell is None else "cell",
                expected="nothing beside the pretrained network, which is what it is",
                received=str(self.units if self.cell is None else self.cell),
                hint="Leave it out, or name another preset.",
            )
        network = named_network("classic" if self.preset == "auto" else self.preset, level, Sizes())
        changes: dict[str, Any] = {} if self.cell is None else {"cell": self.cell}
        if self.units is not None:
            widths = _parse_widths(self.units)
            changes |= {"encoder_units": widths, "decoder_units": widths}
        return replace(network, **changes)


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see each field of `ForecasterOptions` and `FileOptions` as an option of a command.

    Args:
        command: A function with parameters of these types, in whose place their fields come.

    Returns:
        The function as typer should see it.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        group = parameter.annotation
        if group not in (ForecasterOptions, FileOptions):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        hints = get_type_hints(group, include_extras=True)
        groups[parameter.name] = (group, [field.name for field in fields(group)])
        parameters += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
            )
            for field in fields(group)
        ]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        given = {name: group(**{each: values.pop(each) for each in names}) for name, (group, names) in groups.items()}
        command(**values, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


# ---------------------------------------------------------------- text to values


def named_columns(
    id_column: str, time_column: str, value_column: str, time_format: str | None = None, tz: str | None = None
) -> Columns:
    """Return the names of a file's columns, and how its times are written; several values are parted by commas."""
    from seqcast.specs import Columns

    return Columns(id_column, time_column, _split_names(value_column) or value_column, time_format, tz)


def checkpoint_spec(folder: Path | None, max_size: str | None) -> CheckpointSpec | None:
    """Return where a training is written, with what its files may unpack to."""
    from seqcast.specs import CheckpointSpec

    return None if folder is None else CheckpointSpec(folder, max_size=max_size)


def parse_levels(text: str) -> tuple[float, ...]:
    """Return levels in per cent.

    Raises:
        SpecError: They are no numbers.

    Example:
        >>> parse_levels("80,95"), parse_levels("")
        ((80.0, 95.0), ())
    """
    try:
        return tuple(float(level) for level in _split_names(text))
    except ValueError:
        raise SpecError(
            "level", expected="numbers with commas, as 80,95", received=repr(text), hint="In per cent."
        ) from None


def _parse_widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise SpecError(
            "units", expected="whole numbers with commas, as 35,35", received=repr(text), hint="One a layer."
        ) from None


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text.strip() else ()
