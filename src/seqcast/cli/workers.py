"""Options of the commands that work in processes of Ray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqcast.cli.options import count_option
from seqcast.errors import Option, Phrase, SpecError

if TYPE_CHECKING:
    from seqcast.distributed import RayCluster

Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Work in processes of Ray: local, auto, host:port, ray://host:port."),
]
Workers = Annotated[int | None, count_option("--workers", help="Workers of --ray; one a core if absent.")]


def cluster_of(address: str | None, workers: int | None, storage: Path | None) -> RayCluster | None:
    """Return where a command works; `None` is this machine.

    Args:
        address: Where Ray is.
        workers: Number of workers.
        storage: A folder that all machines see: that of checkpoints, or of the forecasts.
    """
    if address is None:
        if workers is not None:
            raise SpecError("workers", expected=Phrase(Option("on"), " beside it"), received="none", hint="Add it.")
        return None
    from seqcast.distributed import RayCluster

    return RayCluster(workers, address, storage=storage)
