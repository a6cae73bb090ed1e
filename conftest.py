"""What doctests use that their own module may not import."""

import pytest


@pytest.fixture(scope="session")
def small_model_inputs():
    """The inputs of a small trained network, which the examples of `seqcast.inspect` look into."""
    from seqcast import Seq2SeqRegressor
    from seqcast.data.signals import random_sines

    past, future = random_sines(256, past=15, future=5, seed=1)
    sizes = {"encoder_units": (8, 6), "decoder_units": (8, 6), "attention": "dot"}
    model = Seq2SeqRegressor(**sizes, epochs=1, random_state=0, verbose=0).fit(past, future)
    return model.model_inputs(past[:32], future[:32])


@pytest.fixture(autouse=True)
def _names_of_doctests(request, doctest_namespace):
    if isinstance(request.node, pytest.DoctestItem) and request.node.name.startswith(
        "seqcast.inspect."
    ):
        doctest_namespace["model_inputs"] = request.getfixturevalue("small_model_inputs")
