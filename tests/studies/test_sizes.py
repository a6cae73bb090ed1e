"""Networks of as many weights as the post's."""

import pytest

from seqcast.studies.sizes import SHAPES, WEIGHTS, _units


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[3], SHAPES[5]])
def test_networks_have_as_many_weights_as_the_posts(shape):
    encoder, decoder = _units({"shape": list(shape), "attention": "none"})
    if shape == (2, 2, 1.0):
        assert (encoder, decoder) == ((35, 35), (35, 35))
    assert len(encoder) == shape[0]
    assert len(decoder) == shape[1]
    assert WEIGHTS == 23_031
