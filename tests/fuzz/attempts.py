"""A process that makes hostile files by number, reads each as a user would, and says what came of it.

    python attempts.py FOLDER write    writes the valid files first, from which the hostile ones are made
    python attempts.py FOLDER read

A line on standard input names a case, such as `forecaster 17`, or `forecaster/header 17` for a mutation of one field of
the header; a line of JSON on standard output answers. The process
is the test's to end: one that hangs, or dies, is seen as such.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import hostile_models
import hostile_tables
import hostile_workbooks
import numpy as np
import pandas as pd
from header_mutations import HeaderMutations

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor, TrainingSpec
from seqcast.errors import DataError, FileFormatError, MissingFileError, SpecError
from seqcast.specs import CheckpointSpec, EnsembleSpec, MemberSpec
from seqcast.specs.columns import Columns
from seqcast.tables.open_table import read_table

# Beyond this much more than it has at first, an allocation of the process fails.
ADDRESS_SPACE = 3 << 30
CLEAN = (DataError, FileFormatError, MissingFileError, SpecError)
TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
PAST = np.sin(np.arange(6) + np.arange(20)[:, None])[:, :, None]
FUTURE = np.sin(np.arange(6, 9) + np.arange(20)[:, None])[:, :, None]


def series():
    """Return two series with covariates of every kind."""
    place, step = np.divmod(np.arange(80), 40)
    days = pd.date_range("2024-01-01", periods=40)[step]
    names = np.array(["a", "b"])[place]
    static = np.array(["north", "south"])[place]
    rest = {"region": static, "price": np.cos(np.arange(80.0)), "open": step % 3 == 0}
    return pd.DataFrame({"unique_id": names, "ds": days, "y": np.sin(step + place), **rest})


def ahead():
    return pd.DataFrame(
        {
            "unique_id": [*"aaabbb"],
            "ds": [*pd.date_range("2024-02-10", periods=3)] * 2,
            "open": True,
        }
    )


def write_forecaster(path):
    """Write a forecaster with covariates, intervals and a calibration."""
    training = TrainingSpec(
        epochs=1, steps_per_epoch=1, optimizer={"class_name": "Adam", "config": {}}, loss=None
    )
    roles = {
        "static_covariates": ("region",),
        "past_covariates": ("price",),
        "future_covariates": ("open",),
    }
    options = {"calibrate": True, "level": (50,), "random_state": 0, "verbose": 0}
    Forecaster(3, context_length=6, preset=TINY, training=training, **roles, **options).fit(
        series()
    ).save(path)


def read_forecaster(path):
    return Forecaster.load(path).predict(future=ahead()).to_numpy()[:, 2:].astype(float)


def random_walks():
    """Return two series of whole numbers as stamps, which the last season forecasts best."""
    steps = np.random.default_rng(0).normal(size=(2, 60))
    names = np.repeat([3, 7], 60)
    stamps = np.tile(np.arange(60), 2)
    return pd.DataFrame({"unique_id": names, "ds": stamps, "y": steps.cumsum(axis=1).ravel()})


def read_walks(path):
    return Forecaster.load(path).predict().to_numpy()[:, 2:].astype(float)


def write_season(path):
    """Write a forecaster that repeats the last season, since its network has learned nothing."""
    training = {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 1e-9}
    model = Forecaster(
        3, training=training, level=(80, 99), season_length=1, random_state=0, verbose=0
    )
    model.fit(random_walks()).save(path)


def write_pretrained(path):
    """Write a forecaster of the pretrained network, which reads a future covariate."""
    Forecaster(3, preset="pretrained", future_covariates=["open"], level=80, verbose=0).fit(
        series()
    ).save(path)


def read_pretrained(path):
    return Forecaster.load(path).predict(future=ahead()).to_numpy()[:, 2:].astype(float)


def write_ensemble(path):
    """Write a forecaster of two networks with a distribution."""
    network = NetworkSpec(encoder_units=(4,), decoder_units=(4,), head="normal")
    member = MemberSpec(network, TrainingSpec(epochs=1, steps_per_epoch=1), context_length=6)
    preset = EnsembleSpec([member, member], alone=True)
    Forecaster(3, preset=preset, missing="fill", random_state=0, verbose=0).fit(
        random_walks()
    ).save(path)


def regressor(**options):
    return Seq2SeqRegressor(
        encoder_units=(4,), decoder_units=(4,), random_state=0, verbose=0, **options
    )


def write_regressor(path):
    """Write a regressor with a scaler of each kind."""
    regressor(epochs=1, optimizer="adam", metrics=("mae",)).fit(PAST, FUTURE).save(path)


def read_regressor(path):
    return Seq2SeqRegressor.load(path).predict(PAST[:2])


def trained(folder, *, resume=False):
    return regressor(epochs=2, steps_per_epoch=1).fit(
        PAST, FUTURE, checkpoint=folder, resume=resume
    )


def write_checkpoint(path):
    """Write a checkpoint, which a training goes on from."""
    trained(path.parent / "written")
    newest = max(path.parent.glob("written/network/*.checkpoint"), key=lambda each: int(each.stem))
    path.write_bytes(newest.read_bytes())


def read_checkpoint(path):
    return resumed(path, trained)


def resumed(path, training):
    """Return the forecast of a training that goes on from a checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder, "network")
        network.mkdir()
        Path(folder, "fit.json").write_text('{"seed": 0}')
        os.link(path, network / "999.checkpoint")
        return training(folder, resume=True).predict(PAST[:2])


def interrupted(checkpoint, *, resume=False):
    """Return a regressor of two epochs of three steps."""
    options = {
        "epochs": 2,
        "steps_per_epoch": 3,
        "batch_size": 4,
        "metrics": ("mae",),
        "validation_fraction": 0.2,
    }
    return regressor(**options).fit(PAST, FUTURE, checkpoint=checkpoint, resume=resume)


def write_interrupted(path):
    """Write a checkpoint in the middle of an epoch, which has the metrics so far."""
    folder = path.parent / "written"
    interrupted(CheckpointSpec(folder, minutes=1e-9, keep=100))
    path.write_bytes((folder / "network" / "5.checkpoint").read_bytes())


def read_interrupted(path):
    return resumed(path, interrupted)


def write_feather(path):
    """Write a Feather file of several batches, one of whose columns is a dictionary."""
    table().astype({"region": "category"}).to_feather(path, chunksize=30, compression="zstd")


def write_ods(path):
    """Write a workbook of LibreOffice."""
    rows = [[f'office:value-type="string"><text:p>{name}</text:p>' for name in ("ds", "y")]]
    for row in range(40):
        rows.append(
            [f'office:value-type="float" office:value="{value}">' for value in (row, row % 7)]
        )
    cells = (
        "".join(f"<table:table-cell {cell}</table:table-cell>" for cell in row) for row in rows
    )
    path.write_bytes(
        hostile_workbooks.ods("".join(f"<table:table-row>{row}</table:table-row>" for row in cells))
    )


def write_xlsb(path):
    """Write a workbook of Excel's binary kind."""
    rows = [("ds", "y"), *((float(row), row % 7 / 2) for row in range(40))]
    cells = [
        (number, place, value) for number, row in enumerate(rows) for place, value in enumerate(row)
    ]
    path.write_bytes(hostile_workbooks.xlsb(cells))


def table():
    return series().drop(columns="open")


def read_file(path):
    return read_table(path, Columns()).with_ids()


# The name of a file, what writes a valid one, what reads it, and what changes it.
FILES = {
    "forecaster": ("model.seqcast", write_forecaster, read_forecaster, hostile_models.KINDS),
    "regressor": ("model.seqcast", write_regressor, read_regressor, hostile_models.KINDS),
    "checkpoint": ("state.checkpoint", write_checkpoint, read_checkpoint, hostile_models.KINDS),
    "season": ("model.seqcast", write_season, read_walks, hostile_models.KINDS),
    "pretrained": ("model.seqcast", write_pretrained, read_pretrained, hostile_models.KINDS),
    "ensemble": ("model.seqcast", write_ensemble, read_walks, hostile_models.KINDS),
    "interrupted": ("state.checkpoint", write_interrupted, read_interrupted, hostile_models.KINDS),
    "parquet": ("table.parquet", lambda path: table().to_parquet(path, row_group_size=30, compression="zstd"),
                read_file, hostile_tables.PARQUET),
    "feather": ("table.feather", write_feather, read_file, hostile_tables.FEATHER),
    "workbook": ("table.xlsx", lambda path: table().to_excel(path, index=False), read_file, hostile_workbooks.KINDS),
    "ods": ("table.ods", write_ods, read_file, hostile_workbooks.KINDS),
    "xlsb": ("table.xlsb", write_xlsb, read_file, hostile_workbooks.KINDS),
}  # fmt: skip


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


def mutated(kind, number, whole):
    """Return how a valid file is changed, and the bytes of the hostile one."""
    if kind.endswith("/header"):
        if kind not in MUTATIONS:
            MUTATIONS[kind] = HeaderMutations(whole)
        return MUTATIONS[kind].file(number)
    changes = FILES[kind][-1]
    rng = np.random.default_rng([sum(kind.encode()), number])
    change = changes[int(rng.integers(len(changes)))]
    return change.__name__, change(whole, rng)


def attempt(kind, number, folder):
    """Return what came of one file."""
    original = kind.removesuffix("/header")
    name, _, read, _ = FILES[original]
    how, data = mutated(kind, number, (folder / original / name).read_bytes())
    path = folder / f"{os.getpid()}-{name}"
    path.write_bytes(data)
    answer = {"kind": kind, "number": number, "how": how, "size": len(data)}
    with peak_of(answer):
        try:
            result = read(path)
        except CLEAN as error:
            answer |= {
                "outcome": "rejected",
                "type": type(error).__name__,
                "text": str(error)[:300],
            }
        except BaseException as error:
            answer |= {
                "outcome": "bug",
                "type": type(error).__name__,
                "text": traceback.format_exc()[-1500:],
            }
        else:
            answer |= {"outcome": "same" if same(result, ORIGINAL[original]) else "another"}
            if isinstance(result, np.ndarray) and not np.isfinite(result).all():
                answer |= {
                    "outcome": "bug",
                    "text": f"a forecast that is not finite: {result.ravel()[:5]}",
                }
    return answer


def same(first, second):
    if isinstance(first, pd.DataFrame):
        return first.equals(second)
    return first.shape == second.shape and np.array_equal(first, second, equal_nan=True)


# The forecast of each valid file, and the mutations of its header, by kind.
ORIGINAL = {}
MUTATIONS = {}


def main(folder, what):
    warnings.simplefilter("ignore")
    for kind, (name, write, read, _) in FILES.items():
        path = folder / kind / name
        if what == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
        ORIGINAL[kind] = read(path)
    import resource  # Windows has no such module, and collects this one all the same

    limit = memory("VmSize") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", flush=True)
    for line in sys.stdin:
        kind, number = line.split()
        print(json.dumps(attempt(kind, int(number), folder)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
