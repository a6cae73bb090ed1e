"""The two prediction models of the post: the encoder alone, and one token of the decoder."""

from __future__ import annotations

from typing import Any

from seqcast.errors import SpecError
from seqcast.network.decode_inputs import check_endless
from seqcast.network.decoder import Decoder
from seqcast.runtime import keras


def encoder_model(model: Any) -> Any:
    """The post's first prediction model: from the past to the decoder's initial states, as a `keras.Model`.

    It shares the trained weights. Its output is the dict that `decoder_model` takes.

    Args:
        model: A `Seq2Seq`.

    Raises:
        SpecError: The forecast is added to the last season and the context's length is free.
    """
    if model.network.reads_season and model.window.context_length is None:
        raise SpecError(
            "encoder_model",
            expected=f"a window of fixed context_length for residual={model.network.residual!r}",
            received="context_length=None",
            hint="A season can only be cut from a past of known length; `encode` takes any.",
        )
    inputs = {"past": keras.Input((model.window.context_length, model.window.features), name="past")}
    if model.window.observed:
        inputs["observed"] = keras.Input((model.window.context_length, model.window.features), name="observed")
    if model.window.static:
        inputs["static"] = keras.Input((model.window.static,), name="static")
    return keras.Model(inputs, _Start(model.decoder)(model.encoder(inputs)), name="encoder_model")


def decoder_model(model: Any) -> Any:
    """The post's second prediction model: one token from states to a forecast and the next states.

    It shares the trained weights. It takes a dict of `states` and, when the network reads known-future inputs,
    `future` `[B, F']`, and returns a dict of `forecast` `[B, D]` and `states`. With segments of `s` steps they
    are `[B, s, F']` and `[B, s, D]`.

    Args:
        model: A `Seq2Seq`.

    Raises:
        SpecError: The decoder reads positions: its tokens have an end, and `decode` goes on block by block.
    """
    check_endless(model.network)
    written = encoder_model(model).output
    states = keras.tree.map_structure(lambda output: keras.Input(tuple(output.shape[1:]), dtype=output.dtype), written)
    for name in {"memory", "memory_valid"} & set(written):
        # Keras guesses lengths that are free, and may find the same number of tokens for two guesses.
        states[name] = keras.Input((None, *written[name].shape[2:]), dtype=written[name].dtype)
    inputs: dict[str, Any] = {"states": states}
    if model.window.future:
        steps = (model.network.segment,) if model.network.segment > 1 else ()
        inputs["future"] = keras.Input((*steps, model.window.future), name="future")
    forecast, after = model.decoder(states, inputs.get("future"))
    return keras.Model(inputs, {"forecast": forecast, "states": after}, name="decoder_model")


@keras.saving.register_keras_serializable(package="seqcast")
class _Start(keras.layers.Layer):
    """`Decoder.start` as a layer, for the functional prediction models."""

    def __init__(self, decoder: Decoder, **options: Any) -> None:
        super().__init__(**options)
        self.decoder = decoder
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decoder": keras.saving.serialize_keras_object(self.decoder)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> _Start:
        return cls(keras.saving.deserialize_keras_object(config.pop("decoder")), **config)

    def call(self, states: dict[str, Any]) -> dict[str, Any]:
        return self.decoder.start(states)
