"""The base of estimators: parameters, one fitted value, and attributes that show its fields."""

import copy
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from sklearn.base import BaseEstimator

from seqcast.errors import NotFittedError

Value = TypeVar("Value")


class LearningEstimator(BaseEstimator, Generic[Value]):
    """The base of estimators with one fitted value.

    A fit completes the value and publishes it by a single assignment, `self._fitted = fitted`. A
    method reads it once, from `fitted_`. A thread that predicts during a fit sees the whole old
    value or the whole new one. A fit that fails leaves the old one.

    Example:
        >>> class Mean(LearningEstimator[float]):
        ...     mean_ = FittedAttribute[float](lambda fitted: fitted)
        ...     def fit(self, y):
        ...         self._fitted = sum(y) / len(y)
        ...         return self
        >>> model = Mean().fit([1.0, 2.0])
        >>> model.mean_, model.with_fitted(5.0).mean_, hasattr(Mean(), "mean_")
        (1.5, 5.0, False)
    """

    _fitted: Value | None = None

    @property
    def fitted_(self) -> Value:
        """The fitted value.

        Raises:
            NotFittedError: `fit` was not called.
        """
        return self._published

    @property
    def _published(self) -> Value:
        fitted = self._fitted
        if fitted is None:
            this = f"this {type(self).__name__} instance"
            raise NotFittedError(
                f"{this} is not fitted yet", hint="Call fit before using this estimator."
            )
        return fitted

    def with_fitted(self, fitted: Value) -> Self:
        """Return a copy of this estimator with another fitted value.

        Args:
            fitted: The fitted value, see `fitted_`.
        """
        other = copy.copy(self)
        other._fitted = fitted
        return other

    def __sklearn_is_fitted__(self) -> bool:
        return self._fitted is not None


class FittedAttribute(Generic[Value]):
    """A read-only attribute of an estimator that shows a field of the fitted value.

    Args:
        of: Returns the field of the fitted value.
    """

    def __init__(self, of: Callable[[Any], Value]) -> None:
        self.of = of

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: LearningEstimator[Any], owner: type) -> Value: ...

    def __get__(self, instance: LearningEstimator[Any] | None, owner: type) -> Self | Value:
        return self if instance is None else self.of(instance._published)

    def __set__(self, instance: LearningEstimator[Any], value: Any) -> None:
        raise AttributeError("attributes of the fitted value are read-only")
