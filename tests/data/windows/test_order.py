"""Windows in shards: each once a pass, the same for a seed, few shards at a time, whatever the number of processes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.data.windows.order import BATCHES_A_VISIT, BatchOrder, ShardOrder, Shards
from seqcast.runtime import Processes

few = settings(max_examples=80, deadline=None)
counts_of = st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any)


def one_pass(order, number=0):
    """Return the windows of each batch of a pass."""
    first = number * order.batches_per_pass
    batches = [order.batch(k) for k in range(first, first + order.batches_per_pass)]
    return [windows[counting] for windows, counting in batches]


@few
@given(counts_of, st.integers(1, 6), st.integers(1, 16), st.integers(0, 5), st.integers(0, 2))
def test_each_window_once_a_pass(counts, at_once, batch_size, seed, number):
    order = ShardOrder(Shards(np.array(counts), at_once), batch_size=batch_size, seed=seed)
    windows = np.concatenate(one_pass(order, number))
    assert sorted(windows.tolist()) == list(range(sum(counts)))
    assert all(len(batch) <= batch_size for batch in one_pass(order, number))
    assert {len(order.batch(k)[0]) for k in range(2 * order.batches_per_pass)} == {order.batch_size}


@few
@given(counts_of, st.integers(1, 4), st.integers(1, 16), st.integers(0, 40))
def test_a_batch_depends_on_seed_and_number_alone(counts, at_once, batch_size, number):
    def make(seed=1):
        return ShardOrder(
            Shards(np.array(counts), at_once), batch_size=batch_size, seed=seed, steps=3
        )

    went_through = make()
    for k in range(number):
        went_through.batch(k)
    for one, other in zip(went_through.batch(number), make().batch(number), strict=True):
        np.testing.assert_array_equal(one, other)


def test_order_depends_on_seed_and_pass():
    shards = Shards(np.array([50, 50, 50]), at_once=2)
    orders = [ShardOrder(shards, batch_size=16, seed=seed) for seed in (0, 1)]
    drawn = [
        np.concatenate(one_pass(order, number)).tolist() for order in orders for number in (0, 1)
    ]
    assert len({tuple(each) for each in drawn}) == 4
    assert all(each != sorted(each) for each in drawn)


def test_few_shards_at_a_time_and_all_of_them_soon():
    counts = np.full(12, 20_000)
    at_once = 3
    batch_size = 10
    order = ShardOrder(Shards(counts, at_once), batch_size=batch_size, seed=0)
    ends = np.cumsum(counts)
    seen = set()
    for k in range(12 // at_once * BATCHES_A_VISIT):
        windows, counting = order.batch(k)
        shards = set(np.searchsorted(ends, windows[counting], side="right").tolist())
        assert (
            len(shards) <= 2 * at_once
        )  # at the end of a visit a batch may have windows of the next one
        seen |= shards
    assert seen == set(range(12))


def test_windows_of_a_shard_are_mixed():
    order = ShardOrder(Shards(np.array([10_000]), 1), batch_size=100, seed=0)
    first = np.concatenate(one_pass(order)[:10])
    # Evenly from everywhere, and without a rank correlation with their place.
    assert np.histogram(first, bins=10, range=(0, 10_000))[0].min() > 60
    assert abs(np.corrcoef(first, np.arange(len(first)))[0, 1]) < 0.1


@few
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=9),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 9),
)
def test_processes_share_each_batch_and_its_shards(counts, world_size, number):
    shards = Shards(np.array(counts), at_once=4)
    of_all = [Processes(rank, world_size, micro_batches=4) for rank in range(world_size)]
    whole, *shares = (
        ShardOrder(shards, batch_size=16, seed=3, processes=each)
        for each in (Processes(micro_batches=4), *of_all)
    )
    windows, counting = whole.batch(number)
    micro_batches = [share.batch(number) for share in shares]
    drawn = np.concatenate([part[counts] for part, counts in micro_batches])
    assert sorted(drawn.tolist()) == sorted(windows[counting].tolist())
    for share in shares:
        for ours, theirs in zip(share.whole_batch(number), (windows, counting), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    if len(counts) >= 4:
        owner = [
            set(np.searchsorted(np.cumsum(counts), part[own], side="right").tolist())
            for part, own in micro_batches
        ]
        assert len(set().union(*owner)) == sum(map(len, owner))


@few
@given(
    st.integers(1, 40),
    st.integers(1, 64),
    st.none() | st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 9),
)
def test_processes_share_each_batch_of_one_store(count, batch_size, steps, world_size, number):
    options = {"batch_size": batch_size, "seed": 3, "steps": steps}
    windows, counting = BatchOrder(count, **options).batch(number)
    of_all = [Processes(rank, world_size, micro_batches=world_size) for rank in range(world_size)]
    shares = [BatchOrder(count, **options, processes=each) for each in of_all]
    micro_batches = [share.batch(number) for share in shares]
    assert len({len(part) for part, _ in micro_batches}) == 1
    assert [one for part, own in micro_batches for one in part[own]] == windows[counting].tolist()
