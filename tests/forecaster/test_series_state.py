"""Several askers in one call: each gets what it gets alone, whatever the others send."""

import numpy as np
import pandas as pd
import pytest

from seqcast.errors import DataError
from seqcast.forecaster.estimator import Forecaster
from seqcast.specs.network import NetworkSpec

DAYS = pd.date_range("2024-01-01", periods=50)
TINY = NetworkSpec(encoder_units=(4,), decoder_units=(4,), head="normal")


def rows(name, days, shift=0.0):
    return pd.DataFrame({"unique_id": name, "ds": days, "y": shift + np.arange(len(days)) % 7.0})


@pytest.fixture(scope="module", params=["text", "numbers"])
def fitted(request):
    names = ["b", "a"] if request.param == "text" else [9, 4]
    frame = pd.concat([rows(name, DAYS, place) for place, name in enumerate(names)])
    options = {"preset": TINY, "training": {"epochs": 1, "steps_per_epoch": 1}, "random_state": 0, "verbose": 0}
    return Forecaster(5, context_length=14, level=80, **options).fit(frame), names


def check(forecaster, parts, **how):
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    table, of = forecaster.fitted_.for_owners(pd.concat(parts, ignore_index=True), owners, **how)
    assert (np.diff(of) >= 0).all()
    for owner, part in enumerate(parts):
        alone = forecaster.predict(df=part, **how)
        mine = table[of == owner].reset_index(drop=True)
        assert mine.iloc[:, :2].to_numpy().tolist() == alone.iloc[:, :2].to_numpy().tolist()
        np.testing.assert_allclose(mine.iloc[:, 2:], alone.iloc[:, 2:], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("how", [{}, {"horizon": 9, "level": (50, 99)}])
def test_known_and_new_series_of_the_same_names(fitted, how):
    forecaster, names = fitted
    new = "q" if isinstance(names[0], str) else 77
    later = DAYS[-1] + pd.to_timedelta([1, 2, 3], unit="D")
    parts = [
        rows(names[0], later),
        rows(names[0], later[:1], 30.0),
        pd.concat([rows(new, DAYS[:20]), rows(names[1], later)]),
        rows(new, DAYS[5:9], -4.0),
    ]
    check(forecaster, parts, **how)
    check(forecaster, parts[3:], **how)  # none that is known


def test_remembered_series(fitted):
    forecaster, names = fitted
    asked = pd.DataFrame({"unique_id": [names[0], names[1], names[0]]})
    table, owners = forecaster.fitted_.for_owners(asked, np.array([0, 0, 1]), remembered=True)
    both = forecaster.predict()
    assert owners.tolist() == [0] * 10 + [1] * 5
    np.testing.assert_allclose(table["seqcast"][:10], both["seqcast"], rtol=1e-6)
    np.testing.assert_allclose(table["seqcast"][10:], both[both["unique_id"] == names[0]]["seqcast"], rtol=1e-6)
    assert table["unique_id"].tolist() == [min(names)] * 5 + [max(names)] * 5 + [names[0]] * 5


def test_ids_of_another_type_are_refused(fitted):
    forecaster, names = fitted
    other = rows(3 if isinstance(names[0], str) else "a", DAYS[:20])
    with pytest.raises(DataError, match="expected ids of type"):
        forecaster.fitted_.for_owners(other, np.zeros(20, dtype=int))


def test_the_forecaster_stays_as_it_is(fitted):
    forecaster, names = fitted
    before = forecaster.predict()
    forecaster.fitted_.for_owners(rows(names[0], DAYS[-1:] + pd.Timedelta("1D"), 99.0), np.array([0]))
    pd.testing.assert_frame_equal(forecaster.predict(), before)
