import subprocess
import sys
from importlib import resources

import numpy as np
import pandas
import polars
import pytest

from seqcast.data import datasets
from seqcast.errors import SpecError
from tests.rejections import rejections

NAMES = datasets.names()


@pytest.mark.parametrize("name", NAMES)
def test_description_and_frame_agree(name):
    frame = datasets.load(name)
    told = datasets.describe(name)
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert (frame["unique_id"] == name).all()
    assert frame["ds"].dtype == "datetime64[ns]"
    assert frame["y"].dtype == np.float64
    assert len(frame) == told.length
    assert np.isfinite(frame["y"]).all()
    regular = pandas.date_range(told.start, told.end, freq=told.frequency)
    np.testing.assert_array_equal(frame["ds"].to_numpy(), regular.to_numpy())


@pytest.mark.parametrize("name", NAMES)
def test_polars_and_pandas_have_the_same(name):
    ours = datasets.load(name, backend="polars")
    assert ours.schema["ds"] == polars.Datetime("ns")
    assert ours.equals(polars.from_pandas(datasets.load(name)))


def test_every_file_is_in_the_list_and_in_the_sources():
    folder = resources.files("seqcast.data") / "samples"
    files = {item.name for item in folder.iterdir()}
    assert files == {f"{name}.csv" for name in NAMES} | {"SOURCES.md", "catalogue.json"}
    sources = (folder / "SOURCES.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"\n## {name}\n" in sources


@pytest.mark.parametrize("module", ["datasets", "signals"])
def test_importing_takes_no_frames_and_no_keras_with_it(module):
    code = f"import sys, seqcast.data.{module}; print(sorted({{'keras', 'pandas', 'polars'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WRONG = [
    (
        lambda: datasets.load("linx"),
        r"name: expected one of 'co2', .*received 'linx'. Did you mean 'lynx'\?",
    ),
    (lambda: datasets.describe(3), r"name: expected one of .*received 3"),
    (lambda: datasets.load("lynx", backend="panda"), r"backend: .*Did you mean 'pandas'\?"),
]
test_wrong_inputs = rejections((call, SpecError, message) for call, message in WRONG)
