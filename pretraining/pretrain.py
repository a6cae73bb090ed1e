"""Train the network that has seen only synthetic series, or continue its training.

    python pretraining/pretrain.py                  # to runs/pretrained
    python pretraining/pretrain.py --data FOLDER    # and scores it on windows before test parts
    python pretraining/pretrain.py --steps 40 --width 16 --out /tmp/tiny    # proves the path

The state of the training is written every few minutes, so that it may take several sittings:
started again with the same options it ends with the same weights. The rate rises, stays, and falls
over the last steps (`--decay`). So a training without a decay continues from any number of steps,
and each budget is a decay of its own:

    python pretraining/pretrain.py --decay 0 --steps 1500 --out runs/stable
    python pretraining/pretrain.py --branch runs/stable --steps 2000 --out runs/2000
    python pretraining/pretrain.py --decay 0 --steps 3000 --out runs/stable

The second one decays from 1,500 steps on, the third continues the first. In the end the numbers are
learned by which steps of sample paths depend on each other. No real series is seen in training.
`--data` scores the network and its base on the windows of `held_back.py`.
"""

import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from harness import machine, options
from held_back import all_windows, base_deciles, compared, deciles_of
from seqcast import Engine, NetworkSpec, TrainingSpec
from seqcast.pretrained import PretrainedNetwork
from seqcast.runtime import keras
from seqcast.specs.training import CheckpointSpec
from seqcast.training.checkpoints import CheckpointFolder, fingerprint
from step_dependence import fitted_dependence
from synthetic_windows import SyntheticBatches, SyntheticWindows

# Probabilities of the quantiles that the network writes.
QUANTILES = (0.01, 0.025, 0.05, *(round(0.1 * k, 1) for k in range(1, 10)), 0.95, 0.975, 0.99)
# Steps that it learns to write.
HORIZONS = (32, 64, 192)
# Known steps that it learns to read.
CONTEXTS = (16, 32, 64, 128, 256, 512, 1024, 2048)
# Those of batches, the shortest twice: most of people's series are short, and cost least.
DRAWN_CONTEXTS = (*CONTEXTS, *CONTEXTS[:4])
# Steps between validations.
STEPS_AN_EPOCH = 250
# Steps in which the learning rate rises.
WARM_UP = 200
# Processes that draw batches ahead.
PROCESSES = 2
# Seed of the batches of the validation; those of trainings are smaller.
VALIDATION_SEED = 10**6
# Their number.
VALIDATION_BATCHES = 16


@keras.saving.register_keras_serializable(package="seqcast-pretraining")
class StableRate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises, stays, and falls along a line to nothing.

    Args:
        rate: The largest.
        rising: Steps in which it rises.
        until: The step from which on it falls.
        falling: Steps in which it falls; 0 for a rate that stays.

    Source: Hu et al. 2024, "MiniCPM", arXiv:2404.06395, section 4; Hägele et al. 2024,
        arXiv:2405.18392.
    """

    def __init__(self, rate, rising, until, falling):
        super().__init__()
        self.rate = rate
        self.rising = rising
        self.until = until
        self.falling = falling

    def __call__(self, step):
        """Return the rate of a step."""
        place = keras.ops.cast(step, "float32")
        falling = max(1, self.falling)
        rises = (place + 1) / self.rising
        falls = (self.until + falling - place) / falling
        return self.rate * keras.ops.clip(keras.ops.minimum(rises, falls), 0.0, 1.0)

    def get_config(self):
        """Return the arguments."""
        return {
            "rate": self.rate,
            "rising": self.rising,
            "until": self.until,
            "falling": self.falling,
        }


def network(arguments):
    """Return the network."""
    return NetworkSpec(
        encoder_units=(arguments.width,) * 2,
        decoder_units=(arguments.width,) * 2,
        segment=arguments.segment,
        decoder_input="zeros",
        head="quantile",
        quantiles=QUANTILES,
    )


def check_rate(folder, rate):
    """End the program where a training would continue at another learning rate.

    Another rate is fine as long as neither has begun to fall.

    Args:
        folder: Folder of the training.
        rate: The rate.
    """
    path = folder / "rate.json"
    if not path.is_file():
        return

    known = json.loads(path.read_text())
    states = folder.glob("checkpoints/network/*.checkpoint")
    steps = max((int(state.stem) for state in states), default=0)
    if known != rate.get_config() and (known["falling"] or steps > rate.until):
        sys.exit(
            f"the training in {folder} has another learning rate, and no state without decay of "
            f"at most {rate.until} steps, but one of {steps}: {known}"
        )


def branch_off(stable, folder):
    """Copy the state of a training, for another one that decays from later on.

    Args:
        stable: Folder of the training.
        folder: Folder of the other one.
    """
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        copied = shutil.copytree(stable / "checkpoints", Path(temporary) / "checkpoints")
        (copied / ".lock").unlink(missing_ok=True)
        copied.rename(folder / "checkpoints")


def train(arguments, *, window, batches=SyntheticBatches):
    """Train the network, or continue its training.

    Args:
        arguments: The options; checkpoints go to a folder of `out`.
        window: Sizes of the windows that it reads.
        batches: Returns them.

    Returns:
        The trained engine, and the log of its training, JSON types.
    """
    steps = min(STEPS_AN_EPOCH, arguments.steps)
    if arguments.steps % steps:
        sys.exit(f"--steps: a multiple of {steps} is needed")

    falling = round(arguments.decay * arguments.steps)
    rate = StableRate(arguments.learning_rate, WARM_UP, arguments.steps - falling, falling)
    training = TrainingSpec(
        optimizer=arguments.optimizer,
        learning_rate_schedule=rate,
        batch_size=arguments.batch_size,
        epochs=max(1, arguments.steps // steps),
        steps_per_epoch=steps,
        early_stopping=None,
        horizon_decay=0.5,
        micro_batches=2,
    )
    spec = network(arguments)

    begins = arguments.branch is not None and not (arguments.out / "checkpoints").is_dir()
    check_rate(arguments.branch if begins else arguments.out, rate)
    if begins:
        branch_off(arguments.branch, arguments.out)
    (arguments.out / "rate.json").write_text(json.dumps(rate.get_config()))

    size = {
        "horizons": HORIZONS,
        "batch_size": arguments.batch_size,
        "context_lengths": DRAWN_CONTEXTS,
    }
    drawn = SyntheticWindows(batches(seed=arguments.seed, **size), steps=steps, processes=PROCESSES)
    validation = SyntheticWindows(
        batches(seed=VALIDATION_SEED, **size), steps=VALIDATION_BATCHES, repeated=True
    )
    # What the rate does later, and for how long, changes nothing of the steps before a state.
    lasting = replace(
        training,
        learning_rate_schedule="constant",
        learning_rate=arguments.learning_rate,
        epochs=1,
    )
    mark = fingerprint([], spec, lasting, windows={"seed": arguments.seed, **window.to_dict()})
    engine = Engine(spec, training, seed=arguments.seed)
    checkpoints = CheckpointSpec(arguments.out / "checkpoints", minutes=2.0)
    with CheckpointFolder.opened(checkpoints, resume=True) as folder:
        history = engine.fit(
            drawn, window=window, validation=validation, checkpoints=folder.of("network", mark)
        )

    # A reader of the network's file does not know this program's class of rates.
    engine.training = replace(lasting, epochs=training.epochs)
    specs = {
        "network": spec.to_dict(),
        "training": engine.training.to_dict(),
        "rate": rate.get_config(),
    }
    log = {**history.to_dict(), **specs, "machine": machine()}
    (arguments.out / "log.json").write_text(json.dumps(log, indent=1))
    return engine, log


def parser():
    """Return the parser of the options."""
    parser = options(__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/pretrained"),
        help="folder of checkpoints and weights",
    )
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--segment", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--optimizer", default="muon")
    parser.add_argument("--learning-rate", type=float, default=0.0025)
    parser.add_argument(
        "--decay", type=float, default=0.25, help="share of the steps in which the rate falls"
    )
    parser.add_argument(
        "--branch", type=Path, help="folder of a training without decay, to begin where it stands"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--version", default="3", help="version of the weights, written into their file"
    )
    parser.add_argument("--data", type=Path, help="folder of the public data sets, to score on")
    return parser


def main():
    """Train and score."""
    arguments = parser().parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    engine, log = train(arguments, window=PretrainedNetwork.window(max(HORIZONS)))
    trained = PretrainedNetwork(engine, arguments.version, CONTEXTS)

    dependence = fitted_dependence(trained, DRAWN_CONTEXTS, arguments.batch_size)
    trained = replace(trained, dependence=dependence)
    path = arguments.out / "pretrained.seqcast"
    trained.save(path, log)

    if arguments.data is not None:
        networks = {"in single precision": trained, "in its file": PretrainedNetwork.load(path)}
        deciles = {name: deciles_of(network) for name, network in networks.items()}
        print(compared({**deciles, "its base": base_deciles}, all_windows(arguments.data)))


if __name__ == "__main__":
    main()
