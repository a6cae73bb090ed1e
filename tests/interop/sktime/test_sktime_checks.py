"""The adapter passes sktime's own checks of forecasters."""

import os
import warnings

import pytest

from seqcast.engine.training_jobs import TrainingJob

pytest.importorskip("sktime")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of sktime's own imports
    from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

    from seqcast.interop.sktime import SeqcastForecaster


@pytest.fixture(scope="module")
def _trained_once():
    """Train only the first network of each kind and size, and hand it out to all others.

    sktime's checks fit about 800 forecasters and look at their interface. `make check-sktime`
    trains them all.
    """
    if "SEQCAST_SKTIME" in os.environ:
        yield
        return
    trained = {}
    engine = TrainingJob.engine
    train = TrainingJob.train

    def kind(member):
        given = (
            member.window,
            member.network,
            member.training,
            member.seeds,
            member.freeze,
            member.weights is None,
        )
        return repr(given)

    def known_or_new(member):
        return trained[kind(member)][0] if kind(member) in trained else engine(member)

    def train_new(member, engine, **options):
        if kind(member) not in trained:
            trained[kind(member)] = engine, train(member, engine, **options)
        return trained[kind(member)][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingJob, "engine", known_or_new)
        patch.setattr(TrainingJob, "train", train_new)
        yield


FORECASTERS = [SeqcastForecaster(**options) for options in SeqcastForecaster.get_test_params()]
if "SEQCAST_SKTIME" not in os.environ:
    FORECASTERS = FORECASTERS[:1]  # that of a normal distribution, which is asked everything


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_trained_once")
@parametrize_with_checks(FORECASTERS, obj_varname="forecaster", check_varname="check")
def test_sktime_checks(forecaster, check):
    results = check_estimator(forecaster, tests_to_run=check, raise_exceptions=True, verbose=False)
    assert set(results.values()) <= {"PASSED"}
