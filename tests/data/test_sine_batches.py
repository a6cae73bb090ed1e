import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqcast.data.sine_batches import SineBatches
from seqcast.errors import SpecError
from seqcast.runtime.backend import keras


def values(batch):
    inputs, y = batch
    return np.concatenate([inputs["past"], y], axis=1)


def epoch_of(batches):
    return np.stack([values(batches[i]) for i in range(len(batches))])


def test_form():
    batches = SineBatches(3, 8, past=12, future=5, seed=0)
    inputs, y = batches[2]
    assert list(inputs) == ["past"]
    assert inputs["past"].shape == (8, 12, 1)
    assert y.shape == (8, 5, 1)
    assert len(batches) == 3
    for index in (-1, 3):
        with pytest.raises(IndexError):
            batches[index]


def test_every_batch_of_every_epoch_is_another():
    batches = SineBatches(3, 2, seed=0)
    seen = []
    for _ in range(2):
        seen.extend(epoch_of(batches))
        batches.on_epoch_end()
    assert len(np.unique(np.stack(seen)[:, :, 0, 0])) == 12


def test_repeat_gives_the_same_windows_again():
    batches = SineBatches(3, 2, seed=0, repeat=True)
    first = epoch_of(batches)
    batches.on_epoch_end()
    np.testing.assert_array_equal(epoch_of(batches), first)
    np.testing.assert_array_equal(epoch_of(SineBatches(3, 2, seed=0)), first)


def test_a_batch_depends_on_seed_epoch_and_number_alone():
    one, other = SineBatches(4, 2, seed=0), SineBatches(9, 2, seed=0)
    one.on_epoch_end()
    other[7]
    other.position = one.position
    np.testing.assert_array_equal(values(one[3]), values(other[3]))
    assert not np.array_equal(values(one[3]), values(SineBatches(4, 2, seed=1)[3]))


@pytest.mark.parametrize("seed", [0, None])
def test_copies_and_threads_read_the_same_in_any_order(seed):
    batches = SineBatches(6, 4, noise=0.1, seed=seed)
    batches.on_epoch_end()
    expected = epoch_of(batches)
    copy = pickle.loads(pickle.dumps(batches))
    order = [4, 0, 5, 2, 1, 3]
    with ThreadPoolExecutor(4) as pool:
        read = dict(zip(order, pool.map(lambda i: values(copy[i]), order), strict=True))
    np.testing.assert_array_equal(np.stack([read[i] for i in range(6)]), expected)


def test_without_a_seed_each_source_has_its_own():
    assert not np.array_equal(values(SineBatches(1, 2)[0]), values(SineBatches(1, 2)[0]))


def test_a_longer_future_continues_the_same_batches():
    short, long = SineBatches(2, 4, seed=3), SineBatches(2, 4, future=20, seed=3)
    np.testing.assert_array_equal(epoch_of(short), epoch_of(long)[:, :, :30])


def test_global_generators_are_left_alone():
    before = random.getstate(), repr(np.random.get_state())
    SineBatches(2, 2)[0]
    assert (random.getstate(), repr(np.random.get_state())) == before


@pytest.mark.parametrize("workers", [1, 3])
def test_fit_reads_the_promised_windows(workers):
    class Recording(SineBatches):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.read = {}

        def __getitem__(self, index):
            batch = super().__getitem__(index)
            self.read[self.epoch, index] = values(batch)
            return batch

    inputs = keras.Input((15, 1), name="past")
    outputs = keras.layers.Reshape((15, 1))(keras.layers.Dense(15)(keras.layers.Flatten()(inputs)))
    model = keras.Model({"past": inputs}, outputs)
    model.compile(optimizer="sgd", loss="mse")
    batches = Recording(3, 4, seed=0, workers=workers, max_queue_size=2)
    model.fit(batches, epochs=2, shuffle=False, verbose=0)
    # Epoch 0 is Keras's look at the form of a batch.
    assert batches.epoch == 3
    if workers == 1:
        assert {key for key in batches.read if key[0] > 0} == {(e, i) for e in (1, 2) for i in range(3)}
    reference = SineBatches(3, 4, seed=0)
    for (epoch, index), read in batches.read.items():
        reference.position = {"epoch": epoch}
        np.testing.assert_array_equal(read, values(reference[index]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_epoch": 0}, r"steps_per_epoch: expected a whole number >= 1, received 0"),
        ({"batch_size": 2.0}, r"batch_size: expected a whole number >= 1, received 2\.0"),
        ({"past": 0}, r"past: expected a whole number >= 1"),
        ({"amplitude": (2, 1)}, r"amplitude: expected \(low, high\)"),
        ({"repeat": 1}, r"repeat: expected True or False, received 1"),
        ({"seed": -3}, r"seed: expected a whole number >= 0, received -3"),
        ({"dtype": "int8"}, r"dtype: expected a floating type"),
    ],
)
def test_wrong_inputs(options, message):
    with pytest.raises(SpecError, match=message):
        SineBatches(**{"steps_per_epoch": 2, "batch_size": 2, **options})
