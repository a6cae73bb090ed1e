"""Forecasts of many series, part by part: Ray Data gives parts to workers, and each worker writes its own."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Sequence
from typing import Any

from seqcast.distributed.session import Session
from seqcast.errors import SeqcastError
from seqcast.forecaster import OutputFolder
from seqcast.runtime import NumberTypes, require


class _Writer:
    """What a worker holds: the forecaster comes once, however many parts it writes.

    Args:
        work: Ray's reference to number types, the folder, and the function that makes the frame of an item.
    """

    def __init__(self, work: Sequence[Any]) -> None:
        types, self.folder, self.table = require("ray", extra="ray").get(work[0])
        types.apply()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write the part of an item; what is wrong with its rows is told, not raised, since Ray would try it again."""
        part = int(row["part"])
        try:
            self.folder.write(part, lambda: self.table(pickle.loads(row["item"])))
        except SeqcastError as error:
            return {"part": part, "error": pickle.dumps(error)}
        return {"part": part, "error": b""}


def write_parts(session: Session, table: Callable[[Any], Any], items: Sequence[Any], folder: OutputFolder) -> None:
    """Write the part of each item that is not there yet.

    Args:
        session: The workers.
        table: Makes the frame of an item, `None` where it would be empty.
        items: What each part is made of, in the order of the parts.
        folder: Where they are written; all workers see it.

    Raises:
        MissingPackageError: Ray is not installed.
        SeqcastError: What a worker raised; the parts that were written are kept.
    """
    missing = [number for number in range(len(items)) if not folder.part(number).exists()]
    if not missing:
        return
    ray, data = session.connect(), require("ray.data", extra="ray")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False
    # In a list Ray leaves it a reference, which each worker follows once.
    work = [ray.put((NumberTypes.current(), folder, table))]
    rows = [{"part": number, "item": pickle.dumps(items[number])} for number in missing]
    dataset = data.from_items(rows, override_num_blocks=len(rows)).map(
        _Writer,
        fn_constructor_args=(work,),
        compute=data.ActorPoolStrategy(size=min(session.workers, len(rows))),
        num_cpus=session.cpus_per_worker,
        runtime_env={"env_vars": session.variables},
    )
    for row in dataset.iter_rows():
        if row["error"]:
            raise pickle.loads(row["error"])
