"""The base of estimators: one value that a fit publishes, and attributes that show parts of it."""

import copy
import pickle
from dataclasses import dataclass

import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from seqcast.engine.base_estimator import LearningEstimator, Learnt
from seqcast.errors import NotFittedError


@dataclass(frozen=True)
class Moments:
    mean: float
    count: int

    @property
    def name(self):
        raise AttributeError("moments have no name")


class Average(LearningEstimator[Moments]):
    mean_ = Learnt[float](lambda fitted: fitted.mean)
    """The mean."""

    count_ = Learnt[int](lambda fitted: fitted.count)
    """How many numbers there were."""

    name_ = Learnt[str](lambda fitted: fitted.name)

    def __init__(self, unit="m"):
        self.unit = unit

    def fit(self, y):
        self._learnt = Moments(sum(y) / len(y), len(y))
        return self


def test_what_is_learnt_is_there_after_fit_and_cannot_be_set():
    model = Average()
    for name in ("fitted_", "mean_", "count_"):
        assert not hasattr(model, name)
        with pytest.raises(NotFittedError, match=r"this Average instance is not fitted yet\. Call fit before using"):
            getattr(model, name)
    model.fit([1.0, 2.0])
    assert (model.mean_, model.count_, model.fitted_) == (1.5, 2, Moments(1.5, 2))
    for name in ("fitted_", "mean_"):
        with pytest.raises(AttributeError):
            setattr(model, name, 3.0)
    assert model.mean_ == 1.5


def test_a_part_may_be_missing():
    model = Average().fit([1.0])
    assert not hasattr(model, "name_")
    with pytest.raises(AttributeError, match="moments have no name"):
        _ = model.name_


def test_the_class_has_the_attribute_itself():
    assert isinstance(Average.mean_, Learnt)


def test_scikit_learn_knows_what_is_fitted():
    with pytest.raises(sklearn.exceptions.NotFittedError):
        check_is_fitted(Average())
    model = Average("km").fit([4.0])
    check_is_fitted(model, ["mean_", "count_"])
    assert not hasattr(clone(model), "mean_")
    assert model.get_params() == {"unit": "km"}


def test_another_fitted_value_makes_another_estimator():
    model = Average("km").fit([4.0])
    other = model.with_fitted(Moments(7.0, 1))
    assert (model.mean_, other.mean_, other.unit, type(other)) == (4.0, 7.0, "km", Average)
    assert Average().with_fitted(model.fitted_).mean_ == 4.0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_learnt_the_same_and_go_their_own_way(copied):
    model = Average().fit([4.0])
    other = copied(model)
    assert other.fitted_ == model.fitted_
    assert (other.fit([9.0]).mean_, model.mean_) == (9.0, 4.0)
