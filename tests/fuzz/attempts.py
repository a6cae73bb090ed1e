"""A process that makes hostile files by number, reads each as a user would, and says what came of it.

    python attempts.py FOLDER write    writes the valid files first, from which the hostile ones are made
    python attempts.py FOLDER read

A line on standard input names a case, such as `forecaster 17`; a line of JSON on standard output answers. The process
is the test's to end: one that hangs, or dies, is seen as such.
"""

import contextlib
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import hostile_feather
import hostile_models
import hostile_tables
import hostile_workbooks
import numpy as np
import pandas as pd

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor, TrainingSpec
from seqcast.data.frames.io import read_table
from seqcast.errors import DataError, FileFormatError, MissingFileError, SeqcastError, SpecError
from seqcast.specs.columns import Columns

# Beyond this much more than it has at first, an allocation of the process fails.
ADDRESS_SPACE = 3 << 30
CLEAN = (DataError, FileFormatError, MissingFileError, SpecError)
TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
PAST = np.sin(np.arange(6) + np.arange(20)[:, None])[:, :, None]
FUTURE = np.sin(np.arange(6, 9) + np.arange(20)[:, None])[:, :, None]


def series():
    """Return two series with covariates of every kind."""
    days = pd.date_range("2024-01-01", periods=40)
    waves = {name: np.sin(np.arange(40.0) + place) for place, name in enumerate("ab")}
    parts = [pd.DataFrame({"unique_id": name, "ds": days, "y": wave}) for name, wave in waves.items()]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(
        region=np.where(frame["unique_id"] == "a", "north", "south"),
        price=np.cos(np.arange(80.0)),
        open=np.arange(80) % 3 == 0,
    )


def ahead():
    days = pd.date_range("2024-02-10", periods=3)
    parts = [pd.DataFrame({"unique_id": name, "ds": days, "open": [True, False, True]}) for name in "ab"]
    return pd.concat(parts, ignore_index=True)


class ForecasterFile:
    """A forecaster with covariates, intervals and a calibration."""

    def write(self, path):
        training = TrainingSpec(epochs=1, steps_per_epoch=1, optimizer={"class_name": "Adam", "config": {}}, loss=None)
        model = Forecaster(
            3,
            context_length=6,
            preset=TINY,
            training=training,
            static_covariates=("region",),
            past_covariates=("price",),
            future_covariates=("open",),
            calibrate=True,
            level=(50,),
            random_state=0,
            verbose=0,
        )
        model.fit(series()).save(path)

    def read(self, path):
        model = Forecaster.load(path)
        return model.predict(future=ahead()).to_numpy()[:, 2:].astype(float)


class RegressorFile:
    """A regressor with a scaler of each kind."""

    def write(self, path):
        sizes = {"encoder_units": (4,), "decoder_units": (4,)}
        model = Seq2SeqRegressor(**sizes, epochs=1, optimizer="adam", metrics=("mae",), random_state=0, verbose=0)
        model.fit(PAST, FUTURE).save(path)

    def read(self, path):
        return Seq2SeqRegressor.load(path).predict(PAST[:2])


class CheckpointFile:
    """A checkpoint, which a training goes on from."""

    def write(self, path):
        path.parent.mkdir(exist_ok=True)
        folder = path.parent / "written"
        self._fit(folder, epochs=2)
        newest = max(folder.glob("network/*.checkpoint"), key=lambda each: int(each.stem))
        path.write_bytes(newest.read_bytes())

    def read(self, path):
        with tempfile.TemporaryDirectory() as folder:
            network = Path(folder, "network")
            network.mkdir()
            Path(folder, "fit.json").write_text('{"seed": 0}')
            os.link(path, network / "999.checkpoint")
            return self._fit(folder, epochs=2, resume=True).predict(PAST[:2])

    def _fit(self, folder, *, epochs, resume=False):
        sizes = {"encoder_units": (4,), "decoder_units": (4,)}
        model = Seq2SeqRegressor(**sizes, epochs=epochs, steps_per_epoch=1, random_state=0, verbose=0)
        return model.fit(PAST, FUTURE, checkpoint=folder, resume=resume)


class ParquetFile:
    """A Parquet file of several row groups."""

    def write(self, path):
        frame = series().drop(columns="open")
        frame.to_parquet(path, row_group_size=30, compression="zstd")

    def read(self, path):
        return read_table(path, Columns())


class FeatherFile(ParquetFile):
    """A Feather file of several batches, one of whose columns is a dictionary."""

    def write(self, path):
        frame = series().drop(columns="open").astype({"region": "category"})
        frame.to_feather(path, chunksize=30, compression="zstd")


class WorkbookFile(ParquetFile):
    """A workbook as pandas writes it."""

    def write(self, path):
        series().drop(columns="open").to_excel(path, index=False)


class OdsFile(ParquetFile):
    """A workbook of LibreOffice."""

    def write(self, path):
        rows = [[f'office:value-type="string"><text:p>{name}</text:p>' for name in ("ds", "y")]]
        for row in range(40):
            rows.append([f'office:value-type="float" office:value="{value}">' for value in (row, row % 7)])
        cells = ("".join(f"<table:table-cell {cell}</table:table-cell>" for cell in row) for row in rows)
        rows = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
        path.write_bytes(hostile_workbooks.ods(rows))

    def read(self, path):
        return read_table(path, Columns())


class XlsbFile(ParquetFile):
    """A workbook of Excel's binary kind."""

    def write(self, path):
        rows = [("ds", "y"), *((float(row), row % 7 / 2) for row in range(40))]
        cells = [(number, place, value) for number, row in enumerate(rows) for place, value in enumerate(row)]
        path.write_bytes(hostile_workbooks.xlsb(cells))


FILES = {
    "forecaster": (ForecasterFile(), "model.seqcast", hostile_models),
    "regressor": (RegressorFile(), "model.seqcast", hostile_models),
    "checkpoint": (CheckpointFile(), "state.checkpoint", hostile_models),
    "parquet": (ParquetFile(), "table.parquet", hostile_tables),
    "feather": (FeatherFile(), "table.feather", hostile_feather),
    "workbook": (WorkbookFile(), "table.xlsx", hostile_workbooks),
    "ods": (OdsFile(), "table.ods", hostile_workbooks),
    "xlsb": (XlsbFile(), "table.xlsb", hostile_workbooks),
}


def memory(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def peak_of(answer):
    """Write how much more memory a block took at most than before."""
    before = memory("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    began = time.perf_counter()
    yield
    answer["seconds"] = round(time.perf_counter() - began, 3)
    answer["peak"] = max(0, memory("VmHWM") - before)


def attempt(kind, number, folder):
    """Return what came of one file."""
    file, name, hostile = FILES[kind]
    valid = folder / kind / name
    rng = np.random.default_rng([sum(kind.encode()), number])
    data, how = hostile.mutate(valid.read_bytes(), rng)
    path = folder / f"{os.getpid()}-{name}"
    path.write_bytes(data)
    answer = {"kind": kind, "number": number, "how": how, "size": len(data)}
    with peak_of(answer):
        try:
            result = file.read(path)
        except CLEAN as error:
            answer |= {"outcome": "refused", "type": type(error).__name__, "text": str(error)[:300]}
        except SeqcastError as error:
            answer |= {"outcome": "bug", "type": type(error).__name__, "text": str(error)[:300]}
        except BaseException as error:
            import traceback

            answer |= {"outcome": "bug", "type": type(error).__name__, "text": traceback.format_exc()[-1500:]}
        else:
            answer |= {"outcome": "same" if same(result, ORIGINAL[kind]) else "another"}
            if isinstance(result, np.ndarray) and not np.isfinite(result).all():
                answer |= {"outcome": "bug", "text": f"a forecast that is not finite: {result.ravel()[:5]}"}
    return answer


def same(first, second):
    if isinstance(first, pd.DataFrame):
        return first.equals(second)
    return first.shape == second.shape and np.array_equal(first, second, equal_nan=True)


ORIGINAL = {}


def main(folder, what):
    warnings.simplefilter("ignore")
    for kind, (file, name, _) in FILES.items():
        path = folder / kind / name
        if what == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            file.write(path)
        ORIGINAL[kind] = file.read(path)
    limit = memory("VmSize") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", flush=True)
    for line in sys.stdin:
        kind, number = line.split()
        print(json.dumps(attempt(kind, int(number), folder)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
