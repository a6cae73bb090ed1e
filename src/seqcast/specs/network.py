"""The sizes of a window, and the options of a network."""

import itertools
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqcast.errors import SpecError
from seqcast.specs import checks
from seqcast.specs.base import Spec, set_fields, set_ints

# The names that each option may have.
CHOICES: dict[str, tuple[str, ...]] = {
    "cell": ("gru", "lstm", "simple_rnn"),
    "normalise": ("none", "last", "level", "instance", "recent", "scale"),
    "static_input": ("state", "steps"),
    "decoder_input": ("zeros", "position", "teacher", "scheduled", "autoregressive"),
    "decoding": ("recurrent", "parallel"),
    "residual": ("none", "seasonal", "gated"),
    "sampling_schedule": ("linear", "exponential", "inverse_sigmoid"),
    "attention": ("none", "additive", "dot", "multi_head"),
    "head": ("point", "quantile", "normal", "student_t", "negative_binomial", "log_normal"),
}

# Heads for positive data, which may be multiplied but not shifted.
MULTIPLICATIVE_HEADS = ("negative_binomial", "log_normal")

DEFAULT_QUANTILES = (0.1, 0.5, 0.9)

# `predict` forecasts a file's horizon by default: a billion steps would fill the memory.
MOST_STEPS = 100_000


@dataclass(frozen=True)
class WindowSpec(Spec):
    """Sizes of a window, read from the data at `fit`.

    Args:
        horizon: Steps to forecast in training, `H`.
        features: Input features, `F`.
        targets: Target dimensions, `D`.
        static: Static features, `S`; 0 is none.
        future: Known-future features; 0 is none.
        target_features: For each target, the index of the input feature that is its own past.
            `None` if the inputs do not have it.
        context_length: Input steps, `T`, if they are fixed; `None` leaves them free.
        observed: Whether the inputs have an observed-indicator channel, for data with gaps.
        season_length: Steps of a season, for networks that read the last season; `None` if there is
            none.

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
        set_ints(self, "horizon", "features", "targets")
        set_ints(self, "static", "future", at_least=0)
        set_ints(self, "context_length", "season_length", optional=True)
        if self.horizon > MOST_STEPS:
            raise SpecError(
                "horizon",
                expected=f"at most {MOST_STEPS:,} steps",
                received=str(self.horizon),
                hint="Train on a shorter one; predict(horizon=...) forecasts more steps.",
            )
        if self.target_features is not None:
            set_fields(self, target_features=self._checked_target_features())
        checks.check_flag("observed", self.observed)

    def _checked_target_features(self) -> tuple[int, ...]:
        features: Any = self.target_features
        features = (features,) if isinstance(features, numbers.Integral) else features
        if not isinstance(features, Sequence):
            features = ()
        indices = tuple(checks.check_int("target_features", i, at_least=0) for i in features)
        if (
            len(indices) != self.targets
            or len(set(indices)) < len(indices)
            or max(indices) >= self.features
        ):
            raise SpecError(
                "target_features",
                expected=(
                    f"{self.targets} different column(s) of X below {self.features}, one for each "
                    "target"
                ),
                received=repr(list(indices)),
                hint="Name for each column of y the column of X with its past, or 'none'.",
            )
        return indices


@dataclass(frozen=True)
class NetworkSpec(Spec):
    """The options of a network.

    Args:
        cell: `gru`, `lstm` or `simple_rnn`.
        encoder_units: Width of each encoder layer, first to last.
        decoder_units: Width of each decoder layer, first to last.
        bidirectional: Whether the encoder also reads the past backwards.
        normalise: Normalisation of each window's target columns, which is inverted after the
            network: `none`, `last` (by the last value), `level` (by the mean of the last token),
            `instance` (by mean and standard deviation), `recent` (by the mean of the last token and
            the deviation) or `scale` (division by the mean absolute value).
        segment: Steps of a token. With more than 1 the encoder reads each segment as a token,
            through a linear layer and ReLU, and the decoder writes a segment a token. A past of
            incomplete segments is lengthened on the left: by unobserved steps if the window has an
            observed-indicator channel, otherwise by its first step.
        static_input: Input of a static vector: `state` extends the encoder's state before the
            bridge, `steps` repeats it at each input token.
        decoder_input: Input of the decoder: `zeros` (none), `position` (a learned vector for each
            token of the trained horizon; longer ones are written block by block), `teacher` (the
            true previous values in training, its own in forecasts), `scheduled` (a mixture that
            moves from true to own values in training), or `autoregressive` (its own previous
            values, in training too).
        decoding: `recurrent` (token after token) or `parallel` (each token is one step from the
            encoder's state and its position, as in SegRNN); `parallel` needs
            `decoder_input="position"`.
        residual: Season to which the forecast is added: `none`, `seasonal` (the last season's
            values, repeated) or `gated` (the same, multiplied with a gate `σ(h V + c)` of the
            decoder's output `h`).
        sampling_schedule: Schedule of the probability of true values for `scheduled`: `linear`,
            `exponential` or `inverse_sigmoid`.
        sampling_steps: Training steps after which the decoder reads only its own values, for
            `scheduled`; `None` is half of all training steps.
        attention: Attention over encoder outputs: `none`, `additive`, `dot` or `multi_head`.
        attention_heads: Number of heads of `multi_head`; divides the last decoder layer's width.
        dropout: Fraction of units to drop between layers and before the head, one mask a sequence.
        regularizer: `None`, or for any of `kernel`, `recurrent`, `bias` a Keras regulariser's name,
            config or object.
        head: Form of the forecast: `point` (one number), `quantile` (quantiles that cannot cross),
            or parameters of a distribution: `normal`, `student_t`, `negative_binomial` (counts) or
            `log_normal` (positive data). The last two need `normalise` `none` or `scale`, and no
            residual.
        quantiles: The quantiles of `quantile`, rising, with 0.5; `None` is 0.1, 0.5 and 0.9.

    Raises:
        SpecError: A name is unknown, a value is impossible, or two options do not fit together.

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
    # A mapping has no hash.
    regularizer: Mapping[str, Any] | None = field(default=None, hash=False)
    head: str = "point"
    quantiles: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            checks.check_choice(name, getattr(self, name), known)
        checks.check_flag("bidirectional", self.bidirectional)
        set_fields(
            self,
            encoder_units=_checked_units("encoder_units", self.encoder_units),
            decoder_units=_checked_units("decoder_units", self.decoder_units),
            dropout=checks.check_number("dropout", self.dropout, low=0.0, high=0.95),
        )
        set_ints(self, "sampling_steps", optional=True)
        set_ints(self, "segment", "attention_heads")
        if self.regularizer is not None:
            set_fields(self, regularizer=_checked_regularizer(self.regularizer))

        self._check_decoder()
        self._check_head()
        self._check_multiplicative()

    def _check_decoder(self) -> None:
        if self.decoding == "parallel" and self.decoder_input != "position":
            raise SpecError(
                "decoding",
                expected="decoder_input='position' with 'parallel'",
                received=f"decoder_input={self.decoder_input!r}",
                hint="Tokens that are written in parallel differ only by their positions.",
            )
        if self.attention == "multi_head" and self.decoder_units[-1] % self.attention_heads:
            raise SpecError(
                "attention_heads",
                expected=f"a divisor of the last decoder width, {self.decoder_units[-1]}",
                received=repr(self.attention_heads),
                hint="Change one of the two.",
            )

    def _check_head(self) -> None:
        if self.head == "quantile":
            quantiles = DEFAULT_QUANTILES if self.quantiles is None else self.quantiles
            set_fields(self, quantiles=_checked_quantiles(quantiles))
        elif self.quantiles is not None:
            raise SpecError(
                "quantiles",
                expected=f"nothing with head={self.head!r}",
                received=repr(self.quantiles),
                hint="Only head='quantile' takes quantiles; a distribution has all of them.",
            )

    def _check_multiplicative(self) -> None:
        if self.head not in MULTIPLICATIVE_HEADS:
            return
        if self.normalise not in ("none", "scale"):
            raise SpecError(
                "normalise",
                expected=f"'none' or 'scale' with head={self.head!r}",
                received=repr(self.normalise),
                hint="Positive data may be multiplied, but not shifted.",
            )
        if self.residual != "none":
            raise SpecError(
                "residual",
                expected=f"'none' with head={self.head!r}",
                received=repr(self.residual),
                hint="Positive data may be multiplied, but nothing may be added to them.",
            )

    @property
    def stack_options(self) -> dict[str, Any]:
        """The options that the recurrent layers of encoder and decoder share."""
        return {"cell": self.cell, "dropout": self.dropout, "regularizer": self.regularizer}

    @property
    def is_probabilistic(self) -> bool:
        """Whether the forecast is a distribution, not only a point."""
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
    def uses_teacher_forcing(self) -> bool:
        """Whether the decoder reads the true future in training."""
        return self.decoder_input in ("teacher", "scheduled")

    @property
    def in_blocks(self) -> bool:
        """Whether longer horizons are written in blocks, of which each reads the one before."""
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
        """Whether the network needs the targets' own past among the inputs."""
        return bool(self.readers_of_target_past)

    def check_window(self, window: WindowSpec) -> None:
        """Reject windows for which this network cannot be built.

        Args:
            window: Sizes of a window.

        Raises:
            SpecError: An option needs an input that the window does not have.
        """
        if self.needs_target_past and window.target_features is None:
            raise SpecError(
                "target_features",
                expected="the index of each target's own past among the input features",
                received="none",
                hint=f"It is needed by {' and '.join(self.readers_of_target_past)}.",
            )
        if self.segment > window.horizon:
            raise SpecError(
                "segment",
                expected=f"at most the horizon, {window.horizon}",
                received=repr(self.segment),
                hint="A longer token would have steps without a training target.",
            )
        if self.reads_season:
            self._check_season(window)

    def _check_season(self, window: WindowSpec) -> None:
        if window.season_length is None:
            raise SpecError(
                "season_length",
                expected=f"the steps of a season, for residual={self.residual!r}",
                received="None",
                hint="Give it, such as 24 for the hours of a day.",
            )
        if window.context_length is not None and window.context_length < window.season_length:
            raise SpecError(
                "context_length",
                expected=(
                    f"at least a season, {window.season_length} steps, for "
                    f"residual={self.residual!r}"
                ),
                received=repr(window.context_length),
                hint="Lengthen the context, or leave the residual out.",
            )


def _checked_units(where: str, units: Any) -> tuple[int, ...]:
    if isinstance(units, numbers.Integral) and not isinstance(units, bool):
        units = (units,)
    if isinstance(units, str) or not isinstance(units, Sequence) or not len(units):
        raise SpecError(
            where,
            expected="one width a layer, such as (35, 35)",
            received=repr(units),
            hint="Give a tuple of ints.",
        )
    return tuple(checks.check_int(where, width) for width in units)


def _checked_quantiles(values: Any) -> tuple[float, ...]:
    quantiles = checks.check_probabilities("quantiles", values)
    rising = all(low < high for low, high in itertools.pairwise(quantiles))
    if not rising or 0.5 not in quantiles or len(quantiles) < 2:
        raise SpecError(
            "quantiles",
            expected="rising numbers, 0.5 and at least one other among them",
            received=repr(values),
            hint="Give (0.1, 0.5, 0.9); the median is the point forecast.",
        )
    return quantiles


def _checked_regularizer(regularizer: Any) -> dict[str, Any]:
    kinds = ("kernel", "recurrent", "bias")
    if not isinstance(regularizer, Mapping):
        # A single regulariser is for the weights of all products, like weight decay; biases are not
        # regularised.
        regularizer = {"kernel": regularizer, "recurrent": regularizer}
    for kind, value in regularizer.items():
        checks.check_choice("regularizer", kind, kinds)
        if value is not None:
            checks.check_keras_object("regularizer", value)
    return {kind: value for kind, value in regularizer.items() if value is not None}
