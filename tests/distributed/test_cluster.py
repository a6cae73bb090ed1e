"""What a cluster is told, and what is rejected; nothing is started."""

import keras
import pytest

from seqcast import RayCluster, TrainingSpec
from seqcast.cli.forecaster_options import MachineOptions
from seqcast.distributed.shared_training import processes_among
from seqcast.errors import SpecError
from seqcast.forecaster.training_run import Cluster, check_cluster
from seqcast.runtime.threads import cores
from tests.rejections import rejected

IMPOSSIBLE = [
    ({"workers": 0}, "workers: expected a whole number >= 1, received 0"),
    ({"workers": 2, "cpus_per_worker": 0}, "cpus_per_worker: expected a whole number >= 1"),
    (
        {"workers": 2, "address": ""},
        "address: expected local, auto, host:port, ray://host:port or None",
    ),
    (
        {"workers": 4, "micro_batches": 6},
        "micro_batches: expected a multiple of workers=4, so that each worker has as many",
    ),
    ({"workers": 2, "min_workers": 3}, "min_workers: expected at most workers=2, received 3"),
]


@pytest.mark.parametrize(("options", "message"), IMPOSSIBLE)
def test_impossible_numbers_are_rejected(options, message):
    rejected(SpecError, message, RayCluster, **options)


MICRO_BATCHES = [
    ({"workers": 1}, None, 4),
    ({"workers": 2, "micro_batches": 8}, None, 8),
    ({"workers": 2}, 6, 6),
    (
        {"workers": 2, "micro_batches": 8},
        4,
        "that of the RayCluster, 8, or none in the TrainingSpec",
    ),
    ({"workers": 2}, 3, "a multiple of workers=2"),
]


@pytest.mark.parametrize(("cluster", "of_training", "micro_batches"), MICRO_BATCHES)
def test_parts_of_a_batch(cluster, of_training, micro_batches):
    training = TrainingSpec(micro_batches=of_training)
    if isinstance(micro_batches, int):
        assert RayCluster(**cluster).shared_micro_batches(training) == micro_batches
    else:
        with pytest.raises(SpecError, match=f"micro_batches: expected {micro_batches}"):
            RayCluster(**cluster).shared_micro_batches(training)


def test_parts_are_shared_out_evenly():
    assert [processes_among(*given) for given in ((1, 4), (3, 4), (4, 4), (5, 6), (9, 8))] == [
        1,
        2,
        4,
        3,
        8,
    ]


def test_a_fit_takes_a_cluster_only(frame, small_forecaster):
    cluster = RayCluster(workers=2)
    assert isinstance(cluster, Cluster)
    assert check_cluster(cluster) is cluster
    for call in (small_forecaster().fit, small_forecaster().backtest):
        with pytest.raises(
            SpecError, match="on: expected a RayCluster, or None for this machine, received 'local'"
        ):
            call(frame, on="local")
        rejected(
            SpecError, "time_limit: expected None with on", call, frame, on=cluster, time_limit=10
        )


def test_another_backend_shares_no_training(small_job, monkeypatch):
    job = small_job("gradient")
    engine = job.engine()
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(
        SpecError, match=r"on: expected the JAX backend, .* received torch\. Set KERAS_BACKEND=jax"
    ):
        RayCluster(workers=2).train(job, engine)


def test_without_ray_it_says_what_to_install(run_python):
    code = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from seqcast import RayCluster
from seqcast.errors import MissingPackageError
for use in (lambda: RayCluster(2).connect(), lambda: RayCluster(2).executor().map(abs, [(1,)])):
    try:
        use()
    except MissingPackageError as error:
        print(error)
"""
    expected = "the optional package 'ray' is needed for this. Install it in the clone of seqcast: pip install '.[ray]'"
    assert run_python(code).splitlines() == [expected] * 2


def test_the_command_line_makes_a_cluster(tmp_path):
    assert RayCluster().workers == cores()
    assert MachineOptions().cluster(None) is None
    cluster = MachineOptions(ray="local", workers=3).cluster(tmp_path)
    assert (cluster.workers, cluster.address, cluster.storage) == (3, "local", tmp_path)
    rejected(
        SpecError,
        "workers: expected on as well, received none",
        MachineOptions(workers=3).cluster,
        None,
    )
