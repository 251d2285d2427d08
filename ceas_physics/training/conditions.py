"""Named conditions of the comparison: each is a configuration, a thermostat or none, and knobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..thermostat import Thermostat
from ..transformer import TransformerConfig
from .knobs import Knobs


@dataclass(frozen=True)
class Condition:
    """What a run is trained with: the arguments of ``train`` that differ between conditions."""

    config: TransformerConfig
    thermostat: Thermostat | None = None
    knobs: Knobs = field(default_factory=Knobs)


CONDITIONS: dict[str, tuple[str, Callable[[TransformerConfig], Condition]]] = {
    "standard": ("beta = 1/sqrt(d_k)", Condition),
    "x0.5": ("beta = 0.5/sqrt(d_k)", lambda config: Condition(config, knobs=Knobs(beta_factor=0.5))),
    "x2": ("beta = 2/sqrt(d_k)", lambda config: Condition(config, knobs=Knobs(beta_factor=2.0))),
    "thermostat": ("thermostat, started at 1/sqrt(d_k)", lambda config: Condition(config, Thermostat())),
    "thermostat_final_address": (
        "thermostat, started at beta*",
        lambda config: Condition(config, Thermostat(initial="final_address")),
    ),
}


def condition(name: str, config: TransformerConfig) -> Condition:
    """The condition of that name for a model of that size.

    Raises
    ------
    ValueError
        An unknown name; the message lists those allowed.
    """
    if name not in CONDITIONS:
        raise ValueError(f"condition must be one of {', '.join(CONDITIONS)}, got {name!r}")
    return CONDITIONS[name][1](config)
