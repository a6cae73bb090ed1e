"""The models of a server: read, made ready, and taken over anew when their files are replaced.

A request holds the model that it was read for, so one that is replaced meanwhile answers what has begun, and is dropped
when the last of them is done.
"""

from __future__ import annotations

import copy
import hashlib
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from seqcast.data.frames import LONG
from seqcast.errors import suggest_name
from seqcast.forecaster import FittedForecaster, Forecaster
from seqcast.intervals import level_text
from seqcast.runtime import check_source
from seqcast.serve.problems import RequestError
from seqcast.serve.settings import PRETRAINED, ServerSettings
from seqcast.serve.tables import Needed

# Requests in one call that programs are compiled for: the sizes that blocks of rows are padded to.
_WARM_SIZES = (1, 8, 64)
_DIGEST_CHUNK = 1 << 20
# Until a file that cannot be served, and has not changed, is tried again.
_RETRY_SECONDS = 10.0

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
    needed: Needed = field(init=False)
    ahead: Needed = field(init=False)

    def __post_init__(self) -> None:
        f, columns, ids = self.forecaster, self.columns, self.forecaster.series_state_.ids
        text = columns.ds_format not in (None, "integer")
        keys: dict[str, Any] = {"only": ids[0] if len(ids) == 1 else None, "text_times": text}
        values = (*columns.targets, *f.past_covariates, *f.future_covariates)
        object.__setattr__(
            self, "needed", Needed(columns.unique_id, columns.ds, values, tuple(f.static_covariates), **keys)
        )
        object.__setattr__(self, "ahead", Needed(columns.unique_id, columns.ds, tuple(f.future_covariates), **keys))

    @classmethod
    def read(cls, name: str, path: Path, max_size: Any = None) -> ServedModel:
        """Read a model.

        Args:
            name: The name that requests ask for.
            path: Its file.
            max_size: As for `Forecaster.load`.

        Raises:
            SeqcastError: The file is not there, or is no model.
        """
        check_source(path)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_DIGEST_CHUNK):
                digest.update(chunk)
        return cls(name, _for_requests(Forecaster.load(path, max_size=max_size)), digest.hexdigest())

    @cached_property
    def fitted(self) -> FittedForecaster:
        """What its forecaster has learnt, with the options that it is served with."""
        return self.forecaster.fitted_

    @property
    def columns(self) -> Any:
        """Names of its columns."""
        return self.forecaster.series_state_.schema.columns

    @property
    def is_regular(self) -> bool:
        """Whether its stamps keep to a step."""
        return self.forecaster.series_state_.frequency is not None

    @property
    def has_whole_ids(self) -> bool:
        """Whether its series are named by whole numbers."""
        return isinstance(self.forecaster.series_state_.ids[0], int)

    @property
    def texts(self) -> frozenset[str]:
        """Columns that are text whatever stands in them."""
        frame = self.forecaster.series_state_.frame
        covariates = zip(frame.covariates.varying, frame.kinds, strict=True)
        static = zip(frame.covariates.static, frame.static_kinds, strict=True)
        named = {name for name, kind in (*covariates, *static) if kind.name == "category"}
        return frozenset({self.columns.unique_id, self.columns.ds, *named})

    def described(self) -> dict[str, Any]:
        """Return what `/v1/models` tells of it, JSON types."""
        f, columns = self.forecaster, self.columns
        covariates = {role: list(getattr(f, f"{role}_covariates")) for role in ("static", "past", "future")}
        return {
            "name": self.name,
            "version": self.digest[:16],
            "sha256": self.digest,
            "horizon": int(f.horizon),
            "columns": {"unique_id": columns.unique_id, "ds": columns.ds, "y": list(columns.targets)},
            "covariates": covariates,
            "frequency": f.freq_,
            "season_length": f.season_length_,
            "context_length": f.context_length_,
            "levels": [float(level_text(level)) for level in self.fitted.request().level],
            "series": len(f.series_state_.ids),
            "choice": str(f.choice_),
        }


def _for_requests(forecaster: Forecaster) -> Forecaster:
    """Return a forecaster whose forecasts are long pandas frames, and that leaves out no series that is wrong."""
    served: Forecaster = copy.copy(forecaster).set_params(on_bad_series="raise", verbose=0)
    fitted = served.fitted_
    series = fitted.series
    stamps, schema = series.frame.stamps, series.schema
    text = schema.columns.ds_format not in (None, "integer")
    ids = "int64" if isinstance(series.ids[0], int) else "object"
    schema = replace(schema, kind="pandas", form=LONG, id_dtype=ids, ds_dtype="object" if text else str(stamps.dtype))
    frame = replace(series.frame, schema=schema)
    return served.with_fitted(replace(fitted, series=replace(series, frame=frame)))


def warm_up(model: ServedModel, sizes: Sequence[int]) -> None:
    """Compile the programs that requests will need, by forecasting remembered series.

    Args:
        model: The model; one that needs the future, which nobody knows here, is left to its first request.
        sizes: Numbers of requests in one call.
    """
    import pandas as pd

    if not model.is_regular or model.forecaster.future_covariates:
        return
    fitted = model.fitted
    for size in sizes:
        asked = pd.DataFrame({model.columns.unique_id: [fitted.series.ids[0]] * size})
        fitted.for_owners(asked, np.arange(size), remembered=True)


class ModelShelf:
    """The models by name; a lookup sees the old model or the new one.

    Args:
        settings: Names and files of the models.
        told: Called with the name, and with the error if there was one, each time that a file has been read.

    Attributes:
        settled: Called when models have been warmed up; what a process does that has nothing else to do.
        ready: Set when all models have been warmed up for the first time.
    """

    def __init__(self, settings: ServerSettings, told: Callable[[str, Exception | None], None] | None = None) -> None:
        self.settings = settings
        self.told = told or (lambda _name, _error: None)
        self.settled: Callable[[], None] = lambda: None
        self.ready = threading.Event()
        # Of a file that cannot be served: its mark, what failed, and when it is tried again.
        self._failures: dict[str, tuple[_Mark, type[Exception], float]] = {}
        self._seen = {name: _mark(path) for name, path in settings.models}
        self._models = {name: ServedModel.read(name, path, settings.max_size) for name, path in settings.models}

    @property
    def models(self) -> list[ServedModel]:
        """All models."""
        return list(self._models.values())

    @property
    def degraded(self) -> list[str]:
        """Names of the models whose files cannot be served; the ones before them answer."""
        return list(self._failures)

    def find(self, name: str | None) -> ServedModel | None:
        """Return a model; `None` for the pretrained network.

        Args:
            name: Its name; `None` is the only one, or the pretrained network where there is none.

        Raises:
            RequestError: There is no such model, or it has to be named.
        """
        names = list(self._models)
        if name is None and len(names) == 1:
            return self._models[names[0]]
        if name == PRETRAINED or (name is None and not names):
            return None
        if name in self._models:
            return self._models[name]
        listed = ", ".join(repr(each) for each in [*names, PRETRAINED])
        raise RequestError(
            404 if name is not None else 422,
            "model",
            expected=f"one of {listed}",
            received=repr(name[:80]) if name is not None else "none",
            hint=(suggest_name(name, names) if name is not None else "") or "GET /v1/models lists them.",
        )

    def warm_up(self) -> None:
        """Make all models ready, and say so; one that cannot be warmed up is tried again by later looks."""
        for name in self._models:
            self._attempt(name, self._seen[name], partial(self._models.__getitem__, name))
        self.ready.set()

    def look(self) -> None:
        """Read the files that were replaced; one that cannot be served leaves the model as it is.

        It is tried again when it changes, and now and then while it does not: what failed may have been the machine.
        """
        for name, path in self.settings.models:
            mark = _mark(path)
            seen, _, again = self._failures.get(name, (self._seen[name], None, math.inf))
            if mark != seen or time.monotonic() >= again:
                self._attempt(name, mark, partial(ServedModel.read, name, path, self.settings.max_size))

    def _attempt(self, name: str, mark: _Mark, read: Callable[[], ServedModel]) -> None:
        """Take over the model that is read, unless anything fails, whatever it is."""
        failure = self._failures.get(name)
        try:
            model = read()
            is_news = not self.ready.is_set() or failure is not None or model.digest != self._models[name].digest
            if is_news:
                self._warm(model)
        except Exception as error:
            self._failures[name] = (mark, type(error), time.monotonic() + _RETRY_SECONDS)
            if failure is None or failure[:2] != (mark, type(error)):
                self.told(name, error)
            return
        self._seen[name] = mark
        self._failures.pop(name, None)
        if is_news:
            self._models = {**self._models, name: model}
            self.settled()
            self.told(name, None)

    def _warm(self, model: ServedModel) -> None:
        most = self.settings.batch_size
        warm_up(model, [size for size in _WARM_SIZES if size <= most] if most > 1 else [1])


def _mark(path: Path) -> _Mark:
    """Return what tells one file of a name from the next; `None` where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino
