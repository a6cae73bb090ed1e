"""Facts about a fit, for its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seqcast.data.description import Description
from seqcast.engine.engine import Engine
from seqcast.forecaster.choice import CANDIDATES
from seqcast.forecaster.options import is_compared
from seqcast.forecaster.planning import FitPlan
from seqcast.forecaster.state import FittedState
from seqcast.intervals.request import ForecastRequest
from seqcast.specs.network import NetworkSpec

__all__ = ["PlannedFit", "facts", "network_facts", "planned"]


@dataclass(frozen=True)
class PlannedFit:
    """What a frame holds, and what a fit would make of it; as a string, a text to read.

    Args:
        data: Facts about the series.
        settings: What the fit would do, by name.
    """

    data: Description
    settings: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        return {**self.data.to_dict(), "fit": self.settings}

    def __str__(self) -> str:
        width = max(map(len, self.settings)) + 2
        return "\n".join(
            [str(self.data), "", "A fit would take", *(f"{k:<{width}}{v}" for k, v in self.settings.items())]
        )


def planned(plan: FitPlan, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan would do.

    Args:
        plan: The plan.
        given: The arguments of the forecaster, by name.
    """
    series, job = plan.series, plan.jobs[0] if plan.jobs else None
    training = "nothing is trained"
    network = None if plan.pretrained is None else plan.pretrained.engine.network
    if job is not None:
        training = f"{job.training.epochs} of batches of {job.training.batch_size}"
        network = job.network
    members: int | str = len(plan.jobs) - len(plan.finetuning)
    if plan.options.at_once is not None:
        more = f", and more while they help, at most {members}" if plan.comparison is not None else ""
        members = f"{plan.options.at_once}{more}"
    covariates = series.frame.covariates
    names = (*covariates.static, *covariates.varying, *series.builder.calendar.names)
    preset = given["preset"] if isinstance(given["preset"], str) else "given"
    return {
        "horizon": plan.options.horizon,
        "context": f"{series.context_length} steps",
        "scale": series.scale + (" (chosen)" if given["scale"] == "auto" else ""),
        "support": ", ".join(series.support) + (" (seen)" if given["support"] == "auto" else ""),
        "preset": preset,
        "effort": plan.options.effort if is_compared(given["preset"]) else "none: nothing is chosen",
        "candidates": ", ".join(CANDIDATES[name] for name in plan.options.candidates),
        "network": "none" if network is None else _in_words(network),
        "inputs": ", ".join(map(str, names)) or "the values alone",
        "windows": 0 if job is None else job.count_windows(),
        "epochs": training,
        "members": members,
        "padded series": len(plan.short_series),
    }


def _in_words(network: NetworkSpec) -> str:
    segment = f", segments of {network.segment}" if network.segment > 1 else ""
    return f"{network.cell}, layers {', '.join(map(str, network.encoder_units))}, head {network.head}{segment}"


def facts(state: FittedState, options: dict[str, Any], request: ForecastRequest) -> dict[str, dict[str, Any]]:
    """Return facts by heading.

    Args:
        state: The fitted state.
        options: The arguments of the forecaster, by name.
        request: The default request, whose levels are listed.
    """
    return {"Training": _training(state), "Network": _network(state), "Settings": _settings(state, options, request)}


def network_facts(engine: Engine) -> dict[str, Any]:
    """Return what a network is, by name.

    Args:
        engine: The engine that it was trained by.
    """
    network = engine.network
    return {
        "cell": network.cell,
        "encoder units": ", ".join(map(str, network.encoder_units)),
        "decoder units": ", ".join(map(str, network.decoder_units)),
        "head": network.head,
        "weights": f"{engine.weight_count:,}",
    }


def _training(state: FittedState) -> dict[str, Any]:
    history = state.histories[0]
    return {
        "epochs": f"{len(history)}" + (" (stopped early)" if history.stopped_early else ""),
        "best epoch": history.best_epoch or "none chosen: no validation rows",
        "batch size": state.training[0].batch_size if state.training else "nothing was trained",
        "seconds": f"{history.seconds:.1f}",
    }


def _network(state: FittedState) -> dict[str, Any]:
    if not state.networks:
        return {"forecast": str(state.choice)}
    version = {} if state.pretrained is None else {"pretrained weights": f"version {state.pretrained.version}"}
    return {
        "forecast": str(state.choice),
        **version,
        **network_facts(state.networks[0]),
        "members": len(state.networks),
    }


def _settings(state: FittedState, options: dict[str, Any], request: ForecastRequest) -> dict[str, Any]:
    covariates, calendar = state.series.frame.covariates, state.series.builder.calendar
    inputs = (*covariates.static, *covariates.varying, *calendar.names)
    windows = int(state.calibrations[0].windows.min()) if state.calibrations else "not calibrated"
    return {
        "horizon": int(options["horizon"]),
        "context_length": state.series.context_length,
        "frequency": state.frequency or "irregular",
        "season_length": state.season_length,
        "inputs beside the values": ", ".join(map(str, inputs)) or "none",
        "scale": options["scale"],
        "levels": ", ".join(f"{level:g} %" for level in request.level) or "none",
        "calibration windows": windows,
        "random_state": f"{state.seed}" + (" (drawn)" if options["random_state"] is None else ""),
    }
