"""The study of representation: properties and dimensions of each sine in the encoder's state."""

from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from seqcast.data import SineParameters
from seqcast.engine import ModelInputs
from seqcast.inspect import circular, probe, states, unit_r2
from seqcast.plots import heat_map, probe_scores
from seqcast.runtime import Array
from study_base import Results, Run, Setting, Study, markdown, sine_windows, spread

# Steps of the past.
PAST = 15
# Columns of the table: where a property is read from, and by which probe.
COLUMNS = (
    ("both layers", "linear"),
    ("both layers", "small network"),
    ("layer 1", "linear"),
    ("layer 2", "linear"),
    ("untrained network", "small network"),
    ("the 15 values", "small network"),
)


class States(Study):
    """Probes for each property, by layer and by unit."""

    title = "What the state holds"
    question = (
        "How are offset, frequency, amplitude and phase of each sine represented in the encoder's "
        "state, and are the two sines in separate dimensions?"
    )
    # One network; its probes take most of the time.
    settings: ClassVar[tuple[Setting, ...]] = ({"probed": 2_000},)
    quick_size: ClassVar[Setting] = {"windows": 640, "epochs": 1, "probed": 120}

    def measure(self, run: Run) -> dict[str, Any]:
        """Train, read new windows, probe the states.

        Args:
            run: The setting and the seed; it trains.
        """
        model = run.train(sine_windows)
        past, future, _ = sine_windows(run.setting["windows"], seed=run.train_seed)
        untrained = run.fit(past[:128], future[:128], epochs=1, learning_rate=1e-9)

        past, future, parameters = sine_windows(run.setting["probed"], seed=run.test_seed)
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
        for source, kind in COLUMNS:
            table = probe(sources[source], properties, probes=[kind], seed=run.seed)
            probes += table.assign(source=source).to_dict("records")

        return {
            "mse": float(np.square(model.predict(past) - future).mean()),
            "probes": probes,
            "units": unit_r2(sources["both layers"], properties).to_numpy().tolist(),
            "overlap": overlap(model_inputs, parameters),
        }

    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the R² by property and source, and by property and unit.

        Args:
            results: All results.
        """
        table = _table(results)
        both = table[table["source"] == "both layers"].groupby(["property", "probe"], sort=False)
        means = both.agg(
            r2=("r2", "mean"),
            r2_low=("r2", "min"),
            r2_high=("r2", "max"),
            r2_permuted=("r2_permuted", "mean"),
        )

        units = np.array(results.rows[0]["units"])
        # Units are sorted by the property that each predicts best.
        order = np.lexsort((-units.max(axis=0), units.argmax(axis=0)))
        figure = heat_map(
            {"": units[:, order]},
            x=list(range(1, len(order) + 1)),
            y=list(dict.fromkeys(table["property"])),
            xlabel="unit of the state, sorted by the sine that it encodes best",
            ylabel="",
            value="R² of a line through one unit",
            title=f"What single units encode ({len(order)} units, seed 0)",
            low=0.0,
            high=1.0,
        )
        return {"": probe_scores(means.reset_index()), "units": figure}

    def finding(self, results: Results) -> str:
        """Return the R² by property and source, and the overlap of the two sines.

        Args:
            results: All results.
        """
        table = _table(results)
        scores = table.groupby(["property", "source", "probe"], sort=False)["r2"].agg(list)
        lines = [
            [name, *(spread(scores[name, source, kind], 2) for source, kind in COLUMNS)]
            for name in dict.fromkeys(table["property"])
        ]

        overlaps = {
            key: spread([row["overlap"][key] for row in results.rows], 2)
            for key in results.rows[0]["overlap"]
        }

        return (
            f"{results.seeds}; R² on windows that the probe has not seen. The networks' own error "
            f"is {spread(results.array('mse'))}. Sines have no order: they are named by their "
            "frequency. Phases are those at the last "
            f"step.\n\n{markdown(['property', *map(', '.join, COLUMNS)], lines)}\n\nProbes of "
            f"permuted values reach {table['r2_permuted'].mean():.2f}. The directions of a linear "
            "probe for the value of the slower sine at the last step and its quarter turn, and "
            f"those for the faster one, share {overlaps['shared']} of their variance, random ones "
            f"{overlaps['chance']}. Over units, the R² for the two values are correlated with "
            f"{overlaps['units']}."
        )


def _table(results: Results) -> Any:
    import pandas as pd

    return pd.DataFrame([each for row in results.rows for each in row["probes"]])


def _by_frequency(parameters: SineParameters) -> tuple[Array, Array, Array]:
    """Return frequency, amplitude and phase of the slower and the faster sine, `[N, 2]` each.

    Phases are those at the last step.
    """
    turns = parameters.phase + 2 * np.pi * parameters.frequency * (PAST - 1) / 30
    order = np.argsort(parameters.frequency, axis=1)
    frequency, amplitude, phase = (
        np.take_along_axis(values, order, axis=1)
        for values in (parameters.frequency, parameters.amplitude, turns)
    )
    return frequency, amplitude, phase


def properties_of(parameters: SineParameters) -> dict[str, Array]:
    """Return the properties by name; sines have no order, so they are named by their frequency.

    Args:
        parameters: The sines.
    """
    frequency, amplitude, phase = _by_frequency(parameters)
    kinds = {"frequency": frequency, "amplitude": amplitude, "phase": circular(phase)}
    properties = {
        f"{kind}, {name} sine": values[:, place]
        for kind, values in kinds.items()
        for place, name in enumerate(("slower", "faster"))
    }
    return {"offset": parameters.offset.sum(axis=1), **properties}


def overlap(model_inputs: ModelInputs, parameters: SineParameters) -> dict[str, float]:
    """Return the overlap of the dimensions of the two sines.

    Args:
        model_inputs: Windows of two sines.
        parameters: The sines.

    Returns:
        `shared`, the mean squared cosine of the angles between two subspaces: each is spanned by
        the directions in which a linear probe reads a sine's value and its quarter turn at the last
        step. `chance` is that of random subspaces, and `units` the correlation over units between
        the R² for one sine and for the other.
    """
    from sklearn.linear_model import RidgeCV

    values = states(model_inputs)
    deviation = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)

    _, amplitude, phase = _by_frequency(parameters)
    waves = amplitude[:, :, None] * circular(phase)

    bases = []
    for sine in range(2):
        directions = RidgeCV(np.logspace(-4, 4, 9)).fit(standard, waves[:, sine]).coef_
        bases.append(np.linalg.qr(directions.T)[0])

    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    encoded = unit_r2(values, {"slower": waves[:, 0], "faster": waves[:, 1]}).to_numpy()
    return {
        "shared": float(np.square(cosines).mean()),
        "chance": bases[0].shape[1] / values.shape[1],
        "units": float(np.corrcoef(encoded)[0, 1]),
    }
