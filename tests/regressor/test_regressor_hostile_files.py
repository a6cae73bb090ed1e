"""An estimator's file is checked against its own specs before arrays are unpacked or a network is built."""

import numpy as np
import pytest

from seqcast import Seq2SeqRegressor
from seqcast.errors import FileFormatError, SpecError

MIB = 1 << 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    waves = np.sin(np.arange(9) + np.arange(20)[:, None])[:, :, None]
    sizes = {"encoder_units": (4,), "decoder_units": (4,)}
    model = Seq2SeqRegressor(**sizes, epochs=1, random_state=0, verbose=0).fit(waves[:, :6], waves[:, 6:])
    path = tmp_path_factory.mktemp("saved") / "model"
    model.save(path)
    return path


@pytest.fixture
def file(saved, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(saved.read_bytes())
    Seq2SeqRegressor.load(path)  # imports and compiles what a load needs
    return path


def refused(path, received):
    with pytest.raises(FileFormatError) as caught:
        Seq2SeqRegressor.load(path)
    assert caught.value.where == str(path)
    assert received in caught.value.received


@pytest.mark.parametrize(
    ("zeros", "received"),
    [
        ({"fitted/engine/weight/1": ((2048, 6144), "<f4")}, "weight 1 of shape (2048, 6144) and type float32"),
        ({"fitted/engine/weight/1": ((4, 12), "<i4")}, "weight 1 of shape (4, 12) and type int32"),
        (
            {"fitted/preparation/scaler/past/loc": ((6 * MIB,), "<f8")},
            "scaling of 'past' of shape (6291456,), where it has 1 columns",
        ),
        ({"fitted/engine/weight/1": ((4096, 24576), "<f4")}, "bytes that unpack to 402,"),
    ],
)
def test_arrays_larger_than_the_header_needs_are_not_unpacked(file, rewrite_archive, memory_at_most, zeros, received):
    rewrite_archive(file, zeros=zeros)
    with memory_at_most(3 * MIB):
        refused(file, received)


def test_a_network_larger_than_its_weights_is_not_built(file, rewrite_archive, memory_at_most):
    def enlarge(index):
        index["header"]["fitted"]["engine"]["built_network"]["encoder_units"] = [30_000]

    rewrite_archive(file, change_index=enlarge)
    with memory_at_most(3 * MIB):
        refused(file, "where the network has (1, 90000)")


@pytest.mark.parametrize(
    ("remove", "received"), [("preparation", "expected (preparation)"), ("history", "expected (history)")]
)
def test_headers_that_lack_a_part_are_refused(file, rewrite_archive, remove, received):
    rewrite_archive(file, change_index=lambda index: index["header"]["fitted"].pop(remove))
    refused(file, received)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fitted/engine/weight/0", np.nan),
        ("fitted/engine/weight/1", -np.inf),
        ("fitted/preparation/scaler/y/loc", np.nan),
        ("fitted/preparation/scaler/past/scale", np.inf),
    ],
)
def test_numbers_that_are_not_finite_are_refused(file, rewrite_archive, name, value):
    rewrite_archive(file, first={name: value})
    refused(file, "holds numbers that are not finite")


def test_a_horizon_that_none_is_trained_for_is_refused(file, rewrite_archive):
    def lengthen(index):
        for part in ("engine", "preparation"):
            index["header"]["fitted"][part]["window"]["horizon"] = 10**9

    rewrite_archive(file, change_index=lengthen)
    with pytest.raises(SpecError, match="horizon: expected at most 100,000 steps, received 1000000000"):
        Seq2SeqRegressor.load(file)
