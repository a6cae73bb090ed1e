"""`seqcast explain`: which covariates the forecasts of a fitted model rest on."""

from __future__ import annotations

from typing import Annotated

import typer

from seqcast.cli.console import note, print_json, print_table
from seqcast.cli.files import FileOptions
from seqcast.cli.messages import in_files
from seqcast.cli.options import Data, Figure, ModelFile, count_option, takes_options
from seqcast.cli.outputs import AsJson, Force, as_records, check_output
from seqcast.cli.tables import read_model_tables


@takes_options
def explain(
    model: ModelFile,
    data: Data,
    metric: Annotated[str, typer.Option("--metric", help="Error: mae, mse or rmse, in scaled units.")] = "mae",
    repeats: Annotated[int, count_option("--repeats", help="Permutations of each covariate.")] = 10,
    seed: Annotated[int, count_option("--seed", least=0, help="Seed of the permutations.")] = 0,
    figure: Figure = None,
    as_json: AsJson = False,
    force: Force = False,
    *,
    files: FileOptions,
) -> None:
    """Say which covariates matter: by how much the error grows when one belongs to another window.

    The file holds rows that the model was not trained on, with those before them that a forecast reads; of the file of
    the fit, its validation rows count.

    For example:

        seqcast explain sales.seqcast newer.csv --figure covariates.png
    """
    from seqcast.forecaster import Forecaster
    from seqcast.plots import SUFFIXES, importance_chart, save_figure

    if figure is not None:
        check_output(figure, SUFFIXES, read=[model, data], force=force)
    fitted = Forecaster.load(model, max_size=files.max_size)
    frame, _ = read_model_tables(fitted, data, None, files)
    with in_files(df=(data, frame)):
        table = fitted.covariate_importance(frame, metric=metric, repeats=repeats, seed=seed)
    if figure is not None:
        save_figure(importance_chart(table), figure)
        note(f"Wrote {figure}")
    if as_json:
        print_json(as_records(table))
        return
    rows = [
        [row["covariate"], f"{row['importance']:.4g}", f"{row['spread']:.2g}", f"{row['share']:.1%}"]
        for row in table.to_dict("records")
    ]
    title = f"{metric.upper()} {table['error'].iloc[0]:.4g} (scaled); how much it grows without each covariate"
    print_table(title, ["covariate", "by", "spread", "share"], rows)
