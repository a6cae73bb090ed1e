"""What is chosen before anything is computed: plain, frozen, checked data that goes to JSON and back.

`Columns` names the columns of a frame, `WindowSpec` the sizes that come from the data, `NetworkSpec` the boxes of the
network, `TrainingSpec` how it is trained. All checks of options are here: what holds a spec holds a possible one.
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Self

from seqcast.errors import SpecError, unknown_name

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "DECODER_INPUTS",
    "DECODINGS",
    "DEFAULT_QUANTILES",
    "HEADS",
    "MULTIPLICATIVE_HEADS",
    "NORMALISERS",
    "RESIDUALS",
    "SAMPLING_SCHEDULES",
    "STATIC_INPUTS",
    "Columns",
    "Covariates",
    "NetworkSpec",
    "TrainingSpec",
    "WindowSpec",
    "check_choice",
    "check_loss",
    "check_number",
    "check_probabilities",
    "check_whole",
]

CELLS = ("gru", "lstm", "simple_rnn")
DECODER_INPUTS = ("zeros", "position", "teacher", "scheduled", "autoregressive")
DECODINGS = ("recurrent", "parallel")
RESIDUALS = ("none", "seasonal", "gated")
ATTENTIONS = ("none", "additive", "dot", "multi_head")
NORMALISERS = ("none", "last", "level", "instance", "recent", "scale")
STATIC_INPUTS = ("state", "steps")
SAMPLING_SCHEDULES = ("linear", "exponential", "inverse_sigmoid")
HEADS = ("point", "quantile", "normal", "student_t", "negative_binomial", "log_normal")
# Heads for positive data: such data may be multiplied, but not shifted.
MULTIPLICATIVE_HEADS = ("negative_binomial", "log_normal")
DEFAULT_QUANTILES = (0.1, 0.5, 0.9)


def check_choice(where: str, value: object, known: Sequence[str]) -> None:
    """Refuse a name that is not in a list."""
    if not isinstance(value, str) or value not in known:
        raise unknown_name(where, value, known)


def check_whole(where: str, value: object, *, at_least: int = 1) -> int:
    """Return a whole number as an int, and refuse everything else.

    Example:
        >>> check_whole("horizon", 15)
        15
        >>> check_whole("horizon", 1.5)
        Traceback (most recent call last):
        seqcast.errors.SpecError: horizon: expected a whole number >= 1, received 1.5. Give it as an int.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise SpecError(
            where, expected=f"a whole number >= {at_least}", received=repr(value), mend="Give it as an int."
        )
    if int(value) < at_least:
        raise SpecError(
            where, expected=f"a whole number >= {at_least}", received=repr(value), mend="Choose a larger one."
        )
    return int(value)


def check_number(
    where: str, value: object, *, low: float = -math.inf, high: float = math.inf, open_low: bool = False
) -> float:
    """Return a finite number of an interval as a float, and refuse everything else."""
    bounds = f"a number in {'(' if open_low else '['}{low:g}, {high:g}]"
    try:
        number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # an int beyond the floats
        number = math.nan
    if not math.isfinite(number):
        raise SpecError(where, expected=bounds, received=repr(value), mend="Give it as a float.")
    if number > high or number < low or (open_low and number == low):
        raise SpecError(where, expected=bounds, received=repr(value), mend="Choose one inside.")
    return number


def check_probabilities(where: str, values: Any) -> tuple[float, ...]:
    """Return probabilities as floats, and refuse everything but numbers strictly between 0 and 1.

    Example:
        >>> check_probabilities("probabilities", [0.1, 0.9])
        (0.1, 0.9)
    """
    plain = values.tolist() if hasattr(values, "tolist") else values
    plain = (plain,) if isinstance(plain, numbers.Real) else plain
    given = list(plain) if isinstance(plain, Sequence) else []
    probabilities = tuple(
        float(value)
        for value in given
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and 0.0 < float(value) < 1.0
    )
    if not given or len(probabilities) < len(given):
        raise SpecError(
            where,
            expected="numbers between 0 and 1, both excluded",
            received=repr(values),
            mend="Give them in a tuple, such as (0.1, 0.5, 0.9).",
        )
    return probabilities


def _check_flag(where: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SpecError(where, expected="True or False", received=repr(value), mend="Give one of the two.")


class _Spec:
    """JSON for the specs: a dict of their fields, unknown ones refused."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the spec from the result of `to_dict`, or from any part of it.

        Raises:
            SpecError: A field does not exist or has an impossible value.
        """
        known = [item.name for item in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in known:
                raise unknown_name(f"{cls.__name__} field", name, known)
        for item in fields(cls):  # type: ignore[arg-type]
            if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
                raise SpecError(
                    f"{cls.__name__} field {item.name!r}",
                    expected="a value",
                    received="nothing",
                    mend="Give one.",
                )
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (str, int, float, bool, list)):
        return value
    from seqcast._backend import keras

    return _plain(keras.saving.serialize_keras_object(value))


def _set(spec: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(spec, name, value)


@dataclass(frozen=True)
class Columns(_Spec):
    """Names of the columns of a long frame.

    Args:
        unique_id: The column that names the series.
        ds: The column with the time stamp.
        y: The column with the value; several of them are forecast together.

    Example:
        >>> Columns(unique_id="shop", ds="day", y="sales").ds
        'day'
        >>> Columns(y=["open", "close"]).targets
        ('open', 'close')
    """

    unique_id: str = "unique_id"
    ds: str = "ds"
    y: str | tuple[str, ...] = "y"

    def __post_init__(self) -> None:
        if isinstance(self.y, Sequence) and not isinstance(self.y, str):
            if not len(self.y):
                raise SpecError(
                    "columns.y", expected="a column's name", received=repr(self.y), mend="Name one or more."
                )
            _set(self, y=self.y[0] if len(self.y) == 1 else tuple(self.y))
        for where, name in self.named():
            if not isinstance(name, str) or not name:
                raise SpecError(
                    f"columns.{where}",
                    expected="a column's name",
                    received=repr(name),
                    mend="Give a string.",
                )
        names = [name for _, name in self.named()]
        if len(set(names)) < len(names):
            count = "three" if len(names) == 3 else len(names)
            raise SpecError("columns", expected=f"{count} different names", received=repr(names), mend="Rename one.")
        taken = [name for name in (self.unique_id, self.ds) if name in ("target", self.value)]
        if len(self.targets) > 1 and taken:
            raise SpecError(
                "columns",
                expected=f"other names than 'target' and {self.value!r}, which the forecasts of several targets have",
                received=repr(taken[0]),
                mend="Rename the column.",
            )

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that are forecast."""
        return self.y if isinstance(self.y, tuple) else (self.y,)

    @property
    def value(self) -> str:
        """What the column of true values is called beside forecasts: `y` where there are several targets."""
        return "y" if isinstance(self.y, tuple) else self.y

    def named(self) -> list[tuple[str, str]]:
        """Return each field with a name that it holds, target after target."""
        return [("unique_id", self.unique_id), ("ds", self.ds), *(("y", name) for name in self.targets)]

    @property
    def names(self) -> tuple[str, ...]:
        """All the names."""
        return tuple(name for _, name in self.named())


@dataclass(frozen=True)
class Covariates(_Spec):
    """Names of the columns of a long frame that are read beside the values.

    Args:
        static: Columns that are constant within a series.
        past: Columns that are known up to the cutoff.
        future: Columns that are known ahead, for the horizon too.

    Raises:
        SpecError: A name is no text, or stands twice.

    Example:
        >>> Covariates(static=["region"], future="price").future
        ('price',)
    """

    static: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        found: dict[str, str] = {}
        for item in fields(self):
            given = getattr(self, item.name)
            given = (given,) if isinstance(given, str) else given
            where = f"{item.name}_covariates"
            if not isinstance(given, Sequence) or not all(isinstance(name, str) and name for name in given):
                raise SpecError(where, expected="names of columns", received=repr(given), mend="Give a tuple of names.")
            for name in given:
                if name in found:
                    raise SpecError(
                        where,
                        expected="each column once",
                        received=f"{name!r}, which is in {found[name]} already",
                        mend="A column that is known ahead is a future covariate; its past is read too.",
                    )
                found[name] = where
            _set(self, **{item.name: tuple(given)})

    @property
    def varying(self) -> tuple[str, ...]:
        """The columns that change within a series: past ones, then future ones."""
        return (*self.past, *self.future)

    def check_beside(self, columns: Columns) -> None:
        """Refuse a covariate that is the id, the stamp or a target."""
        for item in fields(self):
            for name in getattr(self, item.name):
                if name in columns.names:
                    raise SpecError(
                        f"{item.name}_covariates",
                        expected=f"other columns than {', '.join(map(repr, columns.names))}",
                        received=repr(name),
                        mend="A target's own past is read without being named, and ids tell nothing about new series.",
                    )


@dataclass(frozen=True)
class WindowSpec(_Spec):
    """Sizes of a window, read from the data at `fit`.

    Args:
        horizon: Steps to forecast in training, `H`.
        features: Input features, `F`.
        targets: Target dimensions, `D`.
        static: Static features, `S`; 0 is none.
        future: Known-future features; 0 is none.
        target_features: For each target, the index of the input feature that is its own past. `None` when the
            inputs do not hold it.
        context_length: Input steps, `T`, when they are fixed; `None` leaves them free.
        observed: Whether the inputs come with an observed-indicator channel, for data with gaps.
        season_length: Steps of a season, for boxes that look a season back; `None` when there is none.

    Example:
        >>> WindowSpec(horizon=15, features=1, targets=1).target_features
    """

    horizon: int
    features: int
    targets: int
    static: int = 0
    future: int = 0
    target_features: tuple[int, ...] | None = None
    context_length: int | None = None
    observed: bool = False
    season_length: int | None = None

    def __post_init__(self) -> None:
        for name in ("horizon", "features", "targets"):
            _set(self, **{name: check_whole(name, getattr(self, name))})
        for name in ("static", "future"):
            _set(self, **{name: check_whole(name, getattr(self, name), at_least=0)})
        for name in ("context_length", "season_length"):
            if getattr(self, name) is not None:
                _set(self, **{name: check_whole(name, getattr(self, name))})
        if self.target_features is not None:
            _set(self, target_features=self._checked_target_features())
        _check_flag("observed", self.observed)

    def _checked_target_features(self) -> tuple[int, ...]:
        given: Any = self.target_features
        given = (given,) if isinstance(given, numbers.Integral) else given
        if not isinstance(given, Sequence):
            given = ()
        indices = tuple(check_whole("target_features", i, at_least=0) for i in given)
        if len(indices) != self.targets or len(set(indices)) < len(indices) or max(indices) >= self.features:
            raise SpecError(
                "target_features",
                expected=f"{self.targets} different column(s) of X below {self.features}, one for each target",
                received=repr(list(indices)),
                mend="Name for each column of y the column of X that holds its past, or 'none'.",
            )
        return indices


@dataclass(frozen=True)
class NetworkSpec(_Spec):
    """The boxes of the network, by name.

    Args:
        cell: `gru`, `lstm` or `simple_rnn`.
        encoder_units: Width of each encoder layer, first to last.
        decoder_units: Width of each decoder layer, first to last.
        bidirectional: Whether the encoder also reads the past backwards.
        normalise: What each window's target columns are freed of before the network and given back after it: `none`,
            `last` (its last value), `level` (the mean of its last token), `instance` (its mean and standard deviation),
            `recent` (the mean of its last token and the deviation) or `scale` (its mean absolute value, as a factor).
        segment: Steps folded into one token. With more than 1 the encoder reads a token a segment, through a linear
            layer and ReLU, and the decoder writes a segment a token. A past that is no multiple of it is lengthened on
            the left: by unobserved steps where the window has an observed-indicator channel, else by its first step.
        static_input: Where a static vector enters: `state` extends the encoder's state before the bridge, `steps`
            repeats it at each input token.
        decoder_input: What the decoder reads: `zeros` (nothing), `position` (a learned vector for each token of the
            trained horizon; longer ones are written block by block), `teacher` (the true previous values in training,
            its own afterwards), `scheduled` (a mixture that moves from the true to its own in training), or
            `autoregressive` (its own previous values, in training too).
        decoding: `recurrent` (token after token) or `parallel` (each token is one step from the encoder's state, told
            from the others by its position alone, as in SegRNN); `parallel` needs `decoder_input="position"`.
        residual: What the forecast is added to: `none`, `seasonal` (the last season's values, repeated) or `gated` (the
            same, each value as far as a gate lets it through: `σ(h V + c)` of the decoder's output `h`).
        sampling_schedule: How the share of true values falls for `scheduled`: `linear`, `exponential` or
            `inverse_sigmoid`.
        sampling_steps: Training steps until only own values are left, for `scheduled`; `None` is half of all, which
            the engine fills in.
        attention: Attention over encoder outputs: `none`, `additive`, `dot` or `multi_head`.
        attention_heads: Number of heads of `multi_head`; divides the last decoder layer's width.
        dropout: Fraction of units dropped between layers and before the head, one mask a sequence.
        regularizer: `None`, or for any of `kernel`, `recurrent`, `bias` a Keras regulariser's name, config or object.
        head: What is forecast: `point` (one number), `quantile` (quantiles that cannot cross), or the parameters of a
            distribution: `normal`, `student_t`, `negative_binomial` (counts) or `log_normal` (positive data). The last
            two go with `normalise` `none` or `scale` only, and without a residual.
        quantiles: The quantiles of `quantile`, rising, with 0.5 among them; `None` is 0.1, 0.5 and 0.9.

    Raises:
        SpecError: A name is unknown, a value impossible, or two options do not go together.

    Example:
        >>> NetworkSpec(encoder_units=(35, 35), decoder_units=(20,)).decoder_units
        (20,)
    """

    cell: str = "gru"
    encoder_units: tuple[int, ...] = (35, 35)
    decoder_units: tuple[int, ...] = (35, 35)
    bidirectional: bool = False
    normalise: str = "none"
    segment: int = 1
    static_input: str = "state"
    decoder_input: str = "zeros"
    decoding: str = "recurrent"
    residual: str = "none"
    sampling_schedule: str = "linear"
    sampling_steps: int | None = None
    attention: str = "none"
    attention_heads: int = 1
    dropout: float = 0.0
    regularizer: Mapping[str, Any] | None = None
    head: str = "point"
    quantiles: tuple[float, ...] | None = None

    _names: ClassVar[dict[str, tuple[str, ...]]] = {
        "cell": CELLS,
        "normalise": NORMALISERS,
        "static_input": STATIC_INPUTS,
        "decoder_input": DECODER_INPUTS,
        "decoding": DECODINGS,
        "residual": RESIDUALS,
        "sampling_schedule": SAMPLING_SCHEDULES,
        "attention": ATTENTIONS,
        "head": HEADS,
    }

    def __post_init__(self) -> None:
        for name, known in self._names.items():
            check_choice(name, getattr(self, name), known)
        for name in ("encoder_units", "decoder_units"):
            _set(self, **{name: _checked_units(name, getattr(self, name))})
        _check_flag("bidirectional", self.bidirectional)
        _set(self, dropout=check_number("dropout", self.dropout, low=0.0, high=0.95))
        if self.sampling_steps is not None:
            _set(self, sampling_steps=check_whole("sampling_steps", self.sampling_steps))
        _set(self, segment=check_whole("segment", self.segment))
        if self.decoding == "parallel" and self.decoder_input != "position":
            raise SpecError(
                "decoding",
                expected="decoder_input='position' beside 'parallel'",
                received=f"decoder_input={self.decoder_input!r}",
                mend="Tokens written side by side are told apart by their positions alone.",
            )
        _set(self, attention_heads=check_whole("attention_heads", self.attention_heads))
        if self.attention == "multi_head" and self.decoder_units[-1] % self.attention_heads:
            raise SpecError(
                "attention_heads",
                expected=f"a divisor of the last decoder width, {self.decoder_units[-1]}",
                received=repr(self.attention_heads),
                mend="Change one of the two.",
            )
        if self.regularizer is not None:
            _set(self, regularizer=_checked_regularizer(self.regularizer))
        self._check_head()

    def _check_head(self) -> None:
        if self.head == "quantile":
            given = DEFAULT_QUANTILES if self.quantiles is None else self.quantiles
            _set(self, quantiles=_checked_quantiles(given))
        elif self.quantiles is not None:
            raise SpecError(
                "quantiles",
                expected=f"nothing with head={self.head!r}",
                received=repr(self.quantiles),
                mend="They go with head='quantile'; a distribution has all of them.",
            )
        if self.head in MULTIPLICATIVE_HEADS and self.normalise not in ("none", "scale"):
            raise SpecError(
                "normalise",
                expected=f"'none' or 'scale' with head={self.head!r}",
                received=repr(self.normalise),
                mend="Positive data may be multiplied, but not shifted.",
            )
        if self.head in MULTIPLICATIVE_HEADS and self.residual != "none":
            raise SpecError(
                "residual",
                expected=f"'none' with head={self.head!r}",
                received=repr(self.residual),
                mend="Positive data may be multiplied, but nothing may be added to them.",
            )

    @property
    def is_probabilistic(self) -> bool:
        """Whether a distribution is forecast, not only a point."""
        return self.head != "point"

    @property
    def reads_season(self) -> bool:
        """Whether the forecast is added to the last season."""
        return self.residual != "none"

    @property
    def feeds_back(self) -> bool:
        """Whether the decoder reads target values."""
        return self.decoder_input in ("teacher", "scheduled", "autoregressive")

    @property
    def is_taught(self) -> bool:
        """Whether the decoder reads the true future in training."""
        return self.decoder_input in ("teacher", "scheduled")

    @property
    def in_blocks(self) -> bool:
        """Whether horizons longer than the trained one are written block by block, each read as past by the next."""
        return self.decoder_input == "position"

    @property
    def readers_of_target_past(self) -> list[str]:
        """The options that need the targets' own past among the inputs."""
        readers = {
            "decoder_input": self.feeds_back or self.in_blocks,
            "normalise": self.normalise != "none",
            "residual": self.residual != "none",
        }
        return [f"{name}={getattr(self, name)!r}" for name, reads in readers.items() if reads]

    @property
    def needs_target_past(self) -> bool:
        """Whether the targets' own past has to be among the inputs."""
        return bool(self.readers_of_target_past)

    def check_window(self, window: WindowSpec) -> None:
        """Refuse windows that this network cannot be built for.

        Args:
            window: Sizes of a window.

        Raises:
            SpecError: A box needs what the window does not have.
        """
        if self.needs_target_past and window.target_features is None:
            raise SpecError(
                "target_features",
                expected="the index of each target's own past among the input features",
                received="none",
                mend=f"It is needed by {' and '.join(self.readers_of_target_past)}.",
            )
        if self.segment > window.horizon:
            raise SpecError(
                "segment",
                expected=f"at most the horizon, {window.horizon}",
                received=repr(self.segment),
                mend="A longer token would hold steps that nothing is learnt about.",
            )
        if self.reads_season:
            self._check_season(window)

    def _check_season(self, window: WindowSpec) -> None:
        if window.season_length is None:
            raise SpecError(
                "season_length",
                expected=f"the steps of a season, for residual={self.residual!r}",
                received="None",
                mend="Give it, such as 24 for the hours of a day.",
            )
        if window.context_length is not None and window.context_length < window.season_length:
            raise SpecError(
                "context_length",
                expected=f"at least a season, {window.season_length} steps, for residual={self.residual!r}",
                received=repr(window.context_length),
                mend="Lengthen the context, or leave the residual out.",
            )


def _checked_units(where: str, units: Any) -> tuple[int, ...]:
    if isinstance(units, numbers.Integral) and not isinstance(units, bool):
        units = (units,)
    if isinstance(units, str) or not isinstance(units, Sequence) or not len(units):
        raise SpecError(
            where,
            expected="one width a layer, such as (35, 35)",
            received=repr(units),
            mend="Give a tuple of ints.",
        )
    return tuple(check_whole(where, width) for width in units)


def _checked_quantiles(values: Any) -> tuple[float, ...]:
    quantiles = check_probabilities("quantiles", values)
    rising = all(low < high for low, high in itertools.pairwise(quantiles))
    if not rising or 0.5 not in quantiles or len(quantiles) < 2:
        raise SpecError(
            "quantiles",
            expected="rising numbers, 0.5 and at least one other among them",
            received=repr(values),
            mend="Give (0.1, 0.5, 0.9); the median is the point forecast.",
        )
    return quantiles


def _checked_regularizer(regularizer: Any) -> dict[str, Any]:
    kinds = ("kernel", "recurrent", "bias")
    if not isinstance(regularizer, Mapping):
        # One regulariser alone means the weights of all products, as weight decay does; biases are left free.
        regularizer = {"kernel": regularizer, "recurrent": regularizer}
    for kind, value in regularizer.items():
        check_choice("regularizer", kind, kinds)
        if value is not None:
            _check_keras_name("regularizer", value)
    return {kind: value for kind, value in regularizer.items() if value is not None}


def _check_keras_name(where: str, value: Any) -> None:
    from seqcast._backend import keras

    getter = {
        "regularizer": keras.regularizers.get,
        "optimizer": keras.optimizers.get,
        "loss": keras.losses.get,
        "metrics": keras.metrics.get,
        "learning_rate_schedule": _schedule,
    }
    try:
        # A copy, because Keras writes into the dicts of optimisers that it reads.
        if getter[where](dict(value) if isinstance(value, Mapping) else value) is None:
            raise ValueError("None")
    except (ValueError, TypeError) as error:
        raise SpecError(
            where,
            expected=f"a Keras {where}: name, config or object",
            received=repr(value),
            mend="See keras.io/api.",
        ) from error


def _schedule(value: Any) -> Any:
    from seqcast._backend import keras

    schedules = keras.optimizers.schedules
    value = schedules.deserialize(value) if isinstance(value, Mapping) else value
    if not isinstance(value, schedules.LearningRateSchedule):
        raise TypeError("not a schedule")
    return value


def _checked_metrics(metrics: Any) -> tuple[Any, ...]:
    if isinstance(metrics, str) or not isinstance(metrics, Sequence):
        raise SpecError(
            "metrics",
            expected="a sequence of Keras metrics",
            received=repr(metrics),
            mend="Give a tuple, ('mae',).",
        )
    for metric in metrics:
        _check_keras_name("metrics", metric)
    return tuple(metrics)


@dataclass(frozen=True)
class TrainingSpec(_Spec):
    """How a network is trained.

    Args:
        loss: A Keras loss: name, config, object or function of `(y_true, y_pred)`, for a point head. `None` is the
            head's own: the squared error of a point, the pinball loss of quantiles, the likelihood of a distribution.
        horizon_decay: How fast the weight of a step in the loss falls with its distance: step `h` of the horizon
            counts `h^-horizon_decay`, and all together what they counted before; 0 counts all alike.
        optimizer: A Keras optimiser: name, config or object. An object keeps its own learning rate and clipping. Its
            averaged weights (`use_ema`) are used where there is no validation, whose best epoch's weights come first.
        learning_rate: The largest learning rate, reached after the warm-up.
        learning_rate_schedule: `cosine` (linear warm-up, then half a cosine down to nothing over all steps),
            `constant`, or a Keras `LearningRateSchedule`.
        warmup: Share of all steps in which the rate rises, for `cosine`.
        clip_norm: Largest norm of the whole gradient; `None` does not clip.
        batch_size: Largest number of windows a training step; an epoch's windows are divided into equal batches.
        epochs: Passes over the windows.
        steps_per_epoch: Training steps an epoch; `None` is one pass over the windows.
        validation_fraction: Share of the windows, the last ones, that is kept for validation; 0 keeps none.
        early_stopping: Epochs without a better validation loss after which training ends; `None` trains all epochs.
            The best epoch's weights are restored either way, when there is validation.
        metrics: Further Keras metrics to record.

    Raises:
        SpecError: A name is unknown or a value impossible.

    Example:
        >>> TrainingSpec(learning_rate_schedule="constant", clip_norm=None).learning_rate
        0.01
    """

    loss: Any = None
    horizon_decay: float = 0.0
    optimizer: Any = "adam"
    learning_rate: float = 0.01
    learning_rate_schedule: Any = "cosine"
    warmup: float = 0.05
    clip_norm: float | None = 1.0
    batch_size: int = 128
    epochs: int = 30
    steps_per_epoch: int | None = None
    validation_fraction: float = 0.1
    early_stopping: int | None = 20
    metrics: tuple[Any, ...] = field(default=())

    def __post_init__(self) -> None:
        _set(
            self,
            learning_rate=check_number("learning_rate", self.learning_rate, low=0.0, open_low=True),
            horizon_decay=check_number("horizon_decay", self.horizon_decay, low=0.0),
            warmup=check_number("warmup", self.warmup, low=0.0, high=1.0),
            validation_fraction=check_number("validation_fraction", self.validation_fraction, low=0.0, high=0.9),
            batch_size=check_whole("batch_size", self.batch_size),
            epochs=check_whole("epochs", self.epochs),
            metrics=_checked_metrics(self.metrics),
        )
        if self.clip_norm is not None:
            _set(self, clip_norm=check_number("clip_norm", self.clip_norm, low=0.0, open_low=True))
        for name in ("steps_per_epoch", "early_stopping"):
            if getattr(self, name) is not None:
                _set(self, **{name: check_whole(name, getattr(self, name))})
        if isinstance(self.learning_rate_schedule, str):
            check_choice("learning_rate_schedule", self.learning_rate_schedule, ("cosine", "constant"))
        else:
            _check_keras_name("learning_rate_schedule", self.learning_rate_schedule)
        _check_keras_name("optimizer", self.optimizer)
        if self.loss is not None:
            _check_keras_name("loss", self.loss)


def check_loss(head: str, loss: Any) -> None:
    """Refuse a loss for a head that has its own.

    Example:
        >>> check_loss("normal", None)
        >>> check_loss("normal", "mse")
        Traceback (most recent call last):
        seqcast.errors.SpecError: loss: expected None with head='normal', received 'mse'. The head has its own loss.
    """
    if head != "point" and loss is not None:
        raise SpecError(
            "loss", expected=f"None with head={head!r}", received=repr(loss), mend="The head has its own loss."
        )
