"""One of several processes that share trainings: `python process.py RANK COUNT ADDRESS FOLDER`.

It writes `FOLDER/RANK.npz`, the weights after each of the trainings of `TRAININGS` and what was
recorded. Without arguments it is the module from which tests take the jobs.
"""

import sys

PARTS = 4
PLAIN = {"batch_size": 32, "early_stopping": None, "micro_batches": PARTS}
SGD = {
    "optimizer": "sgd",
    "learning_rate": 1.0,
    "learning_rate_schedule": "constant",
    "clip_norm": None,
}
TRAININGS = {
    # One step down the gradient itself.
    "gradient": {**PLAIN, **SGD, "epochs": 1, "steps_per_epoch": 1},
    "weights": {**PLAIN, "epochs": 4, "steps_per_epoch": 5, "metrics": ("mae",)},
}
NETWORK = {
    "encoder_units": (6, 4),
    "decoder_units": (5, 3),
    "dropout": 0.3,
    "attention": "dot",
    "decoder_input": "scheduled",
    "sampling_steps": 10,
    "head": "quantile",
    "quantiles": (0.1, 0.5, 0.9),
}


def job(training, **fields):
    """Return a training of three series with gaps, whose batches have rows that do not count."""
    import numpy as np

    from seqcast.data.series.scalers import SeriesScaler
    from seqcast.data.series.store import InMemoryStore
    from seqcast.data.windows.reader import WindowReader
    from seqcast.engine.training_jobs import TrainingJob
    from seqcast.specs.network import NetworkSpec, WindowSpec
    from seqcast.specs.training import TrainingSpec

    generator = np.random.default_rng(0)
    waves = {
        name: np.sin(0.7 * np.arange(length) + place)[:, None]
        + 0.1 * generator.normal(size=(length, 1))
        for place, (name, length) in enumerate({"a": 60, "b": 45, "c": 33}.items())
    }
    waves["b"][7:9] = np.nan
    scaler = SeriesScaler(np.zeros((3, 1)), np.ones((3, 1)))
    reader = WindowReader(InMemoryStore.of(waves), None, scaler, context_length=8, observed=True)
    sizes = {
        "horizon": 4,
        "features": 1,
        "targets": 1,
        "target_features": (0,),
        "context_length": 8,
        "observed": True,
    }
    fields = {"network": NetworkSpec(**NETWORK), "seeds": (3, 4), **fields}
    fields["training"] = TrainingSpec(**TRAININGS[training])
    return TrainingJob(reader, np.array([50, 37, 33]), WindowSpec(**sizes), **fields)


def main(rank, count, address, folder):
    from seqcast.runtime.process_group import Processes

    processes = Processes(int(rank), int(count), PARTS)
    from seqcast.runtime.process_group import join, leave

    join(processes, address)
    import json

    import numpy as np

    found = {}
    for name in TRAININGS:
        training = job(name)
        engine = training.engine()
        history = training.train(engine, processes=processes)
        found |= {f"{name}/{place}": values for place, values in enumerate(engine.weights)}
        found[f"history of {name}"] = np.array(json.dumps(history.to_dict()))
    np.savez(f"{folder}/{rank}.npz", **found)
    leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
