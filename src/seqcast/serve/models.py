"""The models of a server: read, warmed up, and replaced together with their files.

A request refers to its model. So a replaced model answers the requests that have begun, and goes
with the last of them.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seqcast.data.frames import LONG, Frequency
from seqcast.errors import suggest_name
from seqcast.forecaster import FittedForecaster, Forecaster
from seqcast.intervals import level_text
from seqcast.pretrained import load_pretrained
from seqcast.runtime import check_source
from seqcast.serve.configuration import PRETRAINED, ServerSettings
from seqcast.serve.problems import RequestError, shown
from seqcast.serve.request_bodies import Needed

# Numbers of requests in one call for which programs are compiled: the sizes that blocks of rows are
# padded to.
_WARM_SIZES = (1, 8, 32)

_Mark = tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model as requests see it.

    Args:
        name: Its name.
        forecaster: The fitted forecaster, whose frames are pandas's.
        digest: SHA-256 of its file.
    """

    name: str
    forecaster: Forecaster
    digest: str

    @classmethod
    def read(cls, name: str, path: Path, max_size: Any = None) -> ServedModel:
        """Read a model.

        Args:
            name: The name that requests ask for.
            path: Its file.
            max_size: As for `Forecaster.load`.

        Raises:
            SeqcastError: The file is missing, or is no model.
        """
        check_source(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        return cls(
            name, _for_requests(Forecaster.load(path, max_size=max_size)), digest.hexdigest()
        )

    @cached_property
    def fitted(self) -> FittedForecaster:
        """The fitted value of its forecaster, with the options of a server."""
        return self.forecaster.fitted_

    @property
    def columns(self) -> Any:
        """Names of its columns."""
        return self.forecaster.series_state_.schema.columns

    @property
    def is_regular(self) -> bool:
        """Whether its stamps have a regular step."""
        return self.forecaster.series_state_.frequency is not None

    @cached_property
    def levels(self) -> list[float]:
        """Levels of its intervals, in per cent, where a request names none."""
        return [float(level_text(level)) for level in self.fitted.request().level]

    @property
    def version(self) -> dict[str, Any]:
        """The fields of its answers that name it."""
        return {"model": self.name, "version": self.digest[:16]}

    @cached_property
    def needed(self) -> Needed:
        """The columns that it reads of rows."""
        model = self.forecaster
        columns = self.columns
        frame = model.series_state_.frame
        ids = model.series_state_.ids
        varying = zip(frame.covariates.varying, frame.kinds, strict=True)
        static = zip(frame.covariates.static, frame.static_kinds, strict=True)
        return Needed(
            columns.unique_id,
            columns.ds,
            (*columns.targets, *model.past_covariates, *model.future_covariates),
            tuple(model.static_covariates),
            only=ids[0] if len(ids) == 1 else None,
            text_times=_has_text_times(columns),
            whole_ids=isinstance(ids[0], int),
            labels=frozenset(name for name, kind in (*varying, *static) if kind.name == "category"),
        )

    @cached_property
    def ahead(self) -> Needed:
        """The columns that it reads of the steps ahead."""
        return replace(self.needed, values=tuple(self.forecaster.future_covariates), optional=())

    def described(self) -> dict[str, Any]:
        """Return its entry in `/v1/models`, JSON types."""
        model = self.forecaster
        columns = self.columns
        return {
            "name": self.name,
            "version": self.digest[:16],
            "sha256": self.digest,
            "horizon": int(model.horizon),
            "columns": {
                "unique_id": columns.unique_id,
                "ds": columns.ds,
                "y": list(columns.targets),
            },
            "covariates": {
                role: list(getattr(model, f"{role}_covariates"))
                for role in ("static", "past", "future")
            },
            "frequency": model.freq_,
            "season_length": model.season_length_,
            "context_length": model.context_length_,
            "levels": self.levels,
            "series": len(model.series_state_.ids),
            "choice": str(model.choice_),
        }


def _has_text_times(columns: Any) -> bool:
    return columns.ds_format not in (None, "integer")


def _for_requests(forecaster: Forecaster) -> Forecaster:
    """Return a forecaster whose forecasts are long pandas frames, and that rejects wrong series."""
    served: Forecaster = copy.copy(forecaster).set_params(on_bad_series="raise", verbose=0)
    fitted = served.fitted_
    series = fitted.series
    stamps = series.frame.stamps
    schema = series.schema
    ids = "int64" if isinstance(series.ids[0], int) else "object"
    times = "object" if _has_text_times(schema.columns) else str(stamps.dtype)
    schema = replace(schema, kind="pandas", form=LONG, id_dtype=ids, ds_dtype=times)
    return served.with_fitted(
        replace(fitted, series=replace(series, frame=replace(series.frame, schema=schema)))
    )


def warm_up(model: ServedModel, sizes: Sequence[int]) -> None:
    """Compile the programs that requests will need, by forecasting a remembered series.

    Args:
        model: The model; one without a regular step is warmed up by its first request.
        sizes: Numbers of requests in one call.
    """
    frequency = model.forecaster.series_state_.frequency
    if frequency is None:
        return
    fitted = model.fitted
    name = model.needed.unique_id
    for size in sizes:
        asked = pd.DataFrame({name: [fitted.series.ids[0]] * size})
        future = None
        if model.forecaster.future_covariates:
            future = pd.concat([_steps_ahead(model, frequency)] * size, ignore_index=True)
        owners = np.repeat(np.arange(size), model.forecaster.horizon)
        fitted.for_owners(
            asked, np.arange(size), remembered=True, future=future, future_owners=owners
        )


def _steps_ahead(model: ServedModel, frequency: Frequency) -> Any:
    """Return a known future of the first series, a pandas frame with any values."""
    series = model.fitted.series
    frame = model.fitted.series.frame
    stamps = frequency.following(frame.last_stamps[:1], model.forecaster.horizon)
    kinds = dict(zip(frame.covariates.varying, frame.kinds, strict=True))
    values = {
        name: next(iter(kinds[name].labels), 0.0) for name in model.forecaster.future_covariates
    }
    times = stamps.strftime(model.columns.ds_format) if model.needed.text_times else stamps
    return pd.DataFrame({model.needed.unique_id: series.ids[0], model.needed.ds: times, **values})


@functools.cache
def warm_up_pretrained() -> None:
    """Compile the pretrained network for contexts of each length, once per process."""
    for rows in load_pretrained().context_lengths:
        values = pd.DataFrame({"unique_id": "a", "ds": np.arange(rows), "y": np.arange(rows) % 7.0})
        Forecaster(1, preset="pretrained", freq=1, level=(), verbose=0).fit(values).predict()


class ModelShelf:
    """The models by name; a lookup sees the old model or the new one.

    Args:
        settings: Names and files of the models.
        on_read: Called with the name, and with the error if there was one, each time that a file
            has been read.

    Attributes:
        settled: Called when models have been warmed up.
        ready: Set when all models have been warmed up for the first time.
    """

    def __init__(
        self, settings: ServerSettings, on_read: Callable[[str, Exception | None], None]
    ) -> None:
        self.settings = settings
        self.on_read = on_read
        self.settled: Callable[[], None] = lambda: None
        self.ready = threading.Event()
        # Of a file that cannot be served: its mark, and the type of the error.
        self._failures: dict[str, tuple[_Mark, type[Exception]]] = {}
        self._marks = {name: _mark(path) for name, path in settings.models}
        self._models = {
            name: ServedModel.read(name, path, settings.max_size) for name, path in settings.models
        }

    @property
    def models(self) -> list[ServedModel]:
        """All models."""
        return list(self._models.values())

    @property
    def degraded(self) -> list[str]:
        """Names of the models whose files cannot be served; the previous ones answer."""
        return list(self._failures)

    def find(self, name: str | None) -> ServedModel | None:
        """Return a model; `None` for the pretrained network.

        Args:
            name: Its name; `None` is the only one, or the pretrained network where there is none.

        Raises:
            RequestError: There is no such model, or the request has to name one.
        """
        names = [*self._models, PRETRAINED]
        if name is None and len(names) <= 2:
            name = names[0]
        if name in names:
            return self._models.get(name)
        received, near = ("none", "") if name is None else (shown(name), suggest_name(name, names))
        expected = f"one of {', '.join(map(repr, names))}"
        hint = near or "GET /v1/models lists them."
        raise RequestError(422 if name is None else 404, "model", expected, received, hint)

    def warm_up(self) -> None:
        """Warm all models up and set `ready`; a model that fails is tried again at later looks."""
        for name in self._models:
            self._attempt(name, self._marks[name], partial(self._models.__getitem__, name))
        warm_up_pretrained()
        self.ready.set()

    def look(self) -> None:
        """Read the files that were replaced, and retry those that failed.

        A file may fail because of the machine, for example when its memory is full.
        """
        for name, path in self.settings.models:
            mark = _mark(path)
            if mark != self._marks[name] or name in self._failures:
                self._attempt(
                    name, mark, partial(ServedModel.read, name, path, self.settings.max_size)
                )

    def _attempt(self, name: str, mark: _Mark, read: Callable[[], ServedModel]) -> None:
        """Read a model and serve it; after any error the previous one stays."""
        try:
            model = read()
            is_known = self.ready.is_set() and name not in self._failures
            is_new = not is_known or model.digest != self._models[name].digest
            if is_new:
                most = self.settings.batch_size
                warm_up(model, [size for size in _WARM_SIZES if size <= most] if most > 1 else [1])
        except Exception as error:
            failure = (mark, type(error))
            if failure != self._failures.get(name):
                self.on_read(name, error)
            self._failures[name] = failure
            return
        self._marks[name] = mark
        self._failures.pop(name, None)
        if is_new:
            self._models = {**self._models, name: model}
            self.settled()
            self.on_read(name, None)


def _mark(path: Path) -> _Mark:
    """Return the identity of a file, which changes when it is replaced; `None` if it is missing."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino
