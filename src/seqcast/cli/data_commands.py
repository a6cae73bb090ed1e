"""`seqcast describe`, `plot` and `partition`: facts about a file, its picture, large tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seqcast import forecaster, plots, tables
from seqcast.cli.console import note, print_json, print_line, word_error, word_option
from seqcast.cli.forecaster_options import ColumnOptions, ForecasterOptions
from seqcast.cli.input_files import OF_READING, FileOptions
from seqcast.cli.output_files import check_figures
from seqcast.errors import AmbiguityError, DataError, counted
from seqcast.runtime import writing_results
from seqcast.specs import Columns

if TYPE_CHECKING:
    import pandas as pd

    from seqcast.data import Description


def describe(
    data: Path,
    files: FileOptions,
    options: ForecasterOptions,
    horizon: int | None = None,
    as_json: bool = False,
    figure: Path | None = None,
    force: bool = False,
) -> None:
    """Describe the series of a file: rows, step, gaps, outliers, season, trend, and all faults.

    It says what would forecast the file, in about what time, and for each fault the option that
    settles it.

    For example:

        seqcast describe sales.csv

        seqcast describe sales.csv --horizon 28 --figure sales.png

        seqcast describe sales.csv --json > facts.json

    Args:
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        files: Format of the files.
        options: The file, the network and its training.
        horizon: Describe also the fit for this number of steps.
        as_json: Print JSON, with the facts of each series.
        figure: PNG, SVG or PDF file for a picture.
        force: Write also over a file of another kind, or one that was read.
    """
    check_figures(figure, read=[data], force=force)

    faults = list[DataError]()
    rows = files.guess(data, options, faults)
    with tables.in_files(df=rows):
        if horizon is None:
            found = _with_outlook(rows, options)
        else:
            found = options.forecaster(horizon, rows.columns).describe(rows)
    facts = replace(found.data, faults=(*faults, *map(rows.locate, found.data.faults)))

    word = partial(word_error, options=OF_READING)
    if as_json:
        print_json(found.to_dict() | {"faults": list(map(word, facts.faults))})
    else:
        lines = [*_ambiguity_lines(facts.faults), *found.lines()]
        unused = () if rows.guess is None else rows.guess.unused
        if unused:
            advice = "Name covariates with --static, --future, --past."
            lines.append(f"Not used: {', '.join(unused)}. {advice}")
        others = [each for each in facts.faults if not isinstance(each, AmbiguityError)]
        lines += replace(facts, faults=tuple(others)).fault_lines(word)
        print_line("\n".join(lines))

    if figure is not None:
        with writing_results():
            plots.save_figure(plots.history_frame(facts), figure)
        note(f"Wrote {figure}")


def _ambiguity_lines(faults: Sequence[DataError]) -> Iterator[str]:
    """Yield lines about what can be read in two ways, with the answer that is taken."""
    ambiguous = [fault for fault in faults if isinstance(fault, AmbiguityError)]
    if not ambiguous:
        return
    yield "Can be read in two ways; `forecast` and `fit` ask:"
    for fault in ambiguous:
        answer = word_option(fault.answers[0], OF_READING)
        yield f"- {word_error(fault, OF_READING)} Below, {answer} is taken."
    yield ""


def proposed_horizon(facts: Description) -> int:
    """Return the number of steps that is usual to forecast: a season, or else twelve.

    Args:
        facts: Facts about the series.
    """
    return facts.season_length if facts.season_length > 1 else 12


def _with_outlook(rows: tables.ReadTable, options: ForecasterOptions) -> forecaster.PlannedFit:
    """Return facts about the rows of a file with what would forecast a season, or twelve steps."""
    model = options.forecaster(12, rows.columns)
    facts = forecaster.described(model, rows)
    model.set_params(horizon=proposed_horizon(facts))
    outlook = forecaster.outlook(model, facts.frame.source.lengths, facts.season_length)
    return forecaster.PlannedFit(facts, {"horizon": model.horizon, **outlook})


def plot(
    data: Path,
    forecast: Path,
    columns: ColumnOptions,
    files: FileOptions,
    output: Path = Path("forecast.png"),
    max_series: int = 8,
    last: int | None = None,
    force: bool = False,
) -> None:
    """Draw history and forecasts, one panel a series.

    For example:

        seqcast plot sales.csv forecast.csv -o forecast.png

    Args:
        data: File with one row a series and time: CSV, Excel, Parquet, JSON lines or Feather; - is
            standard input.
        forecast: CSV or Parquet file that `predict` or `backtest` wrote.
        columns: The columns of both.
        files: Format of the files.
        output: PNG, SVG or PDF file.
        max_series: Most series to draw, from the first.
        last: Steps of history to draw; twice the forecast's, at least 30, if absent.
        force: Write also over a file of another kind, or one that was read.
    """
    check_figures(output, read=[data, forecast], force=force)

    rows = files.guess(data, columns)
    names = rows.columns
    unique_id = names.unique_id
    of_forecasts = files.read(forecast, names, value=False)
    forecasts = of_forecasts.with_ids()
    if rows.layout == "wide" and of_forecasts.one_series:
        forecasts = _as_long(forecasts, names, rows.frame[unique_id].unique())
    ids = forecasts[unique_id].unique()
    history = rows.with_ids(ids[0] if len(ids) == 1 else None)
    if history[unique_id].dtype != forecasts[unique_id].dtype:  # one is from a CSV file, as text
        history = history.astype({unique_id: "str"})
        forecasts = forecasts.astype({unique_id: "str"})

    with tables.in_files(df=rows, forecast_df=of_forecasts):
        if not history[unique_id].isin(ids).any():
            raise DataError(
                option="forecast_df",
                column=unique_id,
                expected=f"series of {data}, such as {history[unique_id].iloc[0]!r}",
                received=repr(ids[0]),
                hint="Give the file that was forecast from.",
            )
        figure = plots.forecast_frame(
            history, forecasts, columns=names, max_series=max_series, last=last
        )
        with writing_results():
            plots.save_figure(figure, output)
    print_line(f"Wrote {output}")


def _as_long(wide: pd.DataFrame, columns: Columns, ids: Iterable[str]) -> pd.DataFrame:
    """Return a wide forecast, whose columns are as `north` and `north-lo-80`, as a long one.

    It is unchanged without such columns.
    """
    import pandas as pd

    by_series = []
    for name in ids:
        bounds = tuple(f"{name}-{side}-" for side in ("lo", "hi"))
        own = [column for column in wide.columns if column == name or column.startswith(bounds)]
        if own:
            renamed = {each: "seqcast" + each.removeprefix(name) for each in own}
            long = wide[[columns.ds, *own]].rename(columns=renamed)
            by_series.append(long.assign(**{columns.unique_id: name}))
    return pd.concat(by_series, ignore_index=True) if by_series else wide


def partition(
    sources: list[str],
    output: Path,
    id_column: str = "unique_id",
    time_column: str = "ds",
    time_format: str | None = None,
    files: int = 64,
    memory_limit: str = "1 GiB",
    force: bool = False,
    as_json: bool = False,
) -> None:
    """Sort a table of any size into a folder of Parquet files.

    Each file has whole series, sorted by time. The table may be larger than the memory: rows that
    do not fit are sorted on the disk. Needs the extra `files`: pip install '.[files]'.

    For example:

        seqcast partition sales.csv -o sales --id shop --time day

        seqcast partition 'years/*.parquet' -o sales --files 200

        seqcast partition sales.parquet -o sales --memory-limit '8 GB'

    Args:
        sources: Parquet or CSV: files, a folder, or a pattern as 'data/*.parquet'.
        output: Folder to write.
        id_column: Column that names the series.
        time_column: Column with the time stamp, or a whole number.
        time_format: Format of times: %d.%m.%Y, %Y%m%d, unix_s, ...; integer for whole numbers that
            are no times.
        files: Most files to write.
        memory_limit: Memory to sort with, as '4 GB'.
        force: Replace a folder of Parquet files.
        as_json: Print the result as one JSON document.
    """
    from seqcast.tables import partition as write

    columns = ColumnOptions(id_column, time_column, time_format=time_format).columns
    with writing_results():
        written = write(
            sources, output, columns=columns, files=files, memory_limit=memory_limit, force=force
        )
    if as_json:
        print_json(asdict(written) | {"folder": str(written.folder)})
        return
    counts = [(written.files, "file"), (written.series, "series"), (written.rows, "row")]
    print_line(f"Wrote {written.folder}: {', '.join(counted(*each) for each in counts)}")
