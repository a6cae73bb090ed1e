"""How are offset, frequency, amplitude and phase of each sine held in the state?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seqcast.data import SineParameters
from seqcast.engine import ModelInputs
from seqcast.inspect import circular, probe, states, unit_r2
from seqcast.studies.study import Results, Setting, Study, Trainings, spread
from seqcast.studies.tasks import TEST, TRAIN, mse_by_step, network, sine_windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]

PAST = 15
SOURCES = ("the 15 values", "untrained network", "layer 1", "layer 2", "both layers")


class States(Study):
    """Probes for each property, by layer and by unit."""

    name = "states"
    title = "What the state holds"
    question = (
        "How are offset, frequency, amplitude and phase of each sine represented in the encoder's state, "
        "and are the two sines in separate dimensions?"
    )

    def grid(self, quick: bool) -> list[Setting]:
        """Return one network; its probes take most of the time."""
        if quick:
            return [{"windows": 640, "epochs": 1, "probed": 120}]
        return [{"windows": 25_600, "epochs": 12, "probed": 2_000}]

    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train, read new windows, probe the states."""
        past, future, _ = sine_windows(setting["windows"], seed=TRAIN + seed)
        model = trainings.fit(network(seed, epochs=setting["epochs"]), past, future)
        untrained = trainings.fit(network(seed, epochs=1, learning_rate=1e-9), past[:128], future[:128])
        past, future, parameters = sine_windows(setting["probed"], seed=TEST + seed)
        model_inputs = model.model_inputs(past, future)
        sources = {
            "the 15 values": past[:, :, 0],
            "untrained network": states(untrained.model_inputs(past)),
            "layer 1": states(model_inputs, 1),
            "layer 2": states(model_inputs, 2),
            "both layers": states(model_inputs),
        }
        properties = properties_of(parameters)
        probes = []
        for source, values in sources.items():
            kinds = ("linear",) if source.startswith("layer") else ("linear", "small network")
            probes += probe(values, properties, probes=kinds, seed=seed).assign(source=source).to_dict("records")
        return {
            "mse": float(np.mean(mse_by_step(model.predict(past), future))),
            "probes": probes,
            "units": unit_r2(sources["both layers"], properties).to_numpy().tolist(),
            "overlap": overlap(model_inputs, parameters),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the R² by property and source, and by property and unit."""
        from seqcast.plots import heat_map, probe_scores

        names = list(properties_of(_two()))
        first = np.array(results.rows[0]["units"])
        # Units are sorted by the property that each predicts best.
        order = np.lexsort((-first.max(axis=0), first.argmax(axis=0)))
        width = first.shape[1] // 2
        names_of_units = [f"{1 + unit // width}.{1 + unit % width}" for unit in order]
        units = heat_map(
            {"": first[:, order]},
            x=list(range(1, len(order) + 1)),
            y=names,
            xlabel="unit of the state, sorted by what it tells most of",
            ylabel="",
            value="R² of a line through one unit",
            title=f"What single units tell ({len(names_of_units)} units, seed 0)",
            low=0.0,
            high=1.0,
        )
        return {"": probe_scores(_means(results), title="What can be read from the state"), "units": units}

    def finding(self, results: Results) -> str:
        """Return the R² by property and source, and the overlap of the two sines."""
        table = _table(results)
        columns = [
            ("both layers", "linear"),
            ("both layers", "small network"),
            ("layer 1", "linear"),
            ("layer 2", "linear"),
            ("untrained network", "small network"),
            ("the 15 values", "small network"),
        ]
        lines = []
        for name in properties_of(_two()):
            rows = table[table["property"] == name]
            cells = [
                spread(rows[(rows["source"] == source) & (rows["probe"] == kind)]["r2"], 2) for source, kind in columns
            ]
            lines.append(f"| {' | '.join([name, *cells])} |")
        names = " | ".join(f"{source}, {kind}" for source, kind in columns)
        overlaps = {key: spread([row["overlap"][key] for row in results], 2) for key in results.rows[0]["overlap"]}
        return (
            f"{results.seeds}; R² on windows that the probe has not seen: mean, in brackets the smallest and the "
            f"largest seed. The networks' own error is {spread(results.array('mse'))}. Sines have no order: they are "
            f"told apart by their frequency. Phases are those at the last step.\n\n| property | {names} |\n"
            f"{'|---' * (1 + len(columns))}|\n" + "\n".join(lines) + "\n\n"
            f"Probes of permuted values reach {spread(table['r2_permuted'], 2)} over all properties and sources. The "
            f"directions in which a linear probe reads the slower sine's value at the last step and its quarter turn, "
            f"and those for the faster sine, share {overlaps['shared']} of their variance; random directions would "
            f"share {overlaps['chance']}. Over units, how much each tells of the one sine's and of the other's value "
            f"is correlated with {overlaps['units']}."
        )


def properties_of(parameters: SineParameters) -> dict[str, Array]:
    """Return the properties by name; sines have no order, so they are named by their frequency."""
    order = np.argsort(parameters.frequency, axis=1)

    def ordered(values: Array) -> Array:
        return np.take_along_axis(values, order, axis=1)

    frequency, amplitude = ordered(parameters.frequency), ordered(parameters.amplitude)
    phase = ordered(parameters.phase) + 2 * np.pi * frequency * (PAST - 1) / 30
    return {
        "offset": parameters.offset.sum(axis=1),
        **{f"frequency, {name} sine": frequency[:, place] for place, name in enumerate(("slower", "faster"))},
        **{f"amplitude, {name} sine": amplitude[:, place] for place, name in enumerate(("slower", "faster"))},
        **{f"phase, {name} sine": circular(phase[:, place]) for place, name in enumerate(("slower", "faster"))},
    }


def overlap(model_inputs: ModelInputs, parameters: SineParameters) -> dict[str, float]:
    """Return how much the dimensions of the two sines overlap.

    `shared` is the mean squared cosine of the angles between two subspaces, each spanned by the directions in which a
    linear probe reads a sine's value and its quarter-turn at the last step; `chance` is that of random subspaces.
    """
    from sklearn.linear_model import RidgeCV

    values = states(model_inputs)
    deviation = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    order = np.argsort(parameters.frequency, axis=1)
    turns = parameters.phase + 2 * np.pi * parameters.frequency * (PAST - 1) / 30
    parts = np.stack([parameters.amplitude * np.sin(turns), parameters.amplitude * np.cos(turns)], axis=2)
    parts = np.take_along_axis(parts, order[:, :, None], axis=1)
    bases = []
    for sine in range(2):
        directions = RidgeCV(np.logspace(-4, 4, 9)).fit(standard, parts[:, sine]).coef_
        bases.append(np.linalg.qr(directions.T)[0])
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    tells = unit_r2(values, {"slower": parts[:, 0], "faster": parts[:, 1]}).to_numpy()
    return {
        "shared": float(np.square(cosines).mean()),
        "chance": bases[0].shape[1] / values.shape[1],
        "units": float(np.corrcoef(tells)[0, 1]),
    }


def _two() -> SineParameters:
    return SineParameters(*(np.ones((1, 2)) for _ in range(4)))


def _table(results: Results) -> Any:
    import pandas as pd

    return pd.concat([pd.DataFrame(row["probes"]).assign(seed=row["seed"]) for row in results], ignore_index=True)


def _means(results: Results) -> Any:
    """Return the mean over seeds of the probes of both layers, with the smallest and the largest seed."""
    table = _table(results)
    both = table[table["source"] == "both layers"].groupby(["property", "probe"], sort=False)
    means = both.agg(
        r2=("r2", "mean"), r2_low=("r2", "min"), r2_high=("r2", "max"), r2_permuted=("r2_permuted", "mean")
    )
    return means.reset_index()


STUDY = States()
