"""Named conditions of the comparison: each is a configuration, a thermostat or none, and knobs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .. import arguments as rules
from ..knobs import ActivationBand, BatchSizeBand, LearningRateBand, SmoothingSchedule, WeightDecayBand
from ..thermostat import Freezing, Gating, Guard, Thermostat, entropy_below
from ..transformer import TransformerConfig
from .knobs import Knobs


@dataclass(frozen=True)
class Condition:
    """What a run is trained with: the arguments of ``train`` in which conditions differ."""

    config: TransformerConfig
    thermostat: Thermostat | None = None
    knobs: Knobs = field(default_factory=Knobs)

    def __post_init__(self) -> None:
        rules.check_fields(
            self,
            config=rules.kind(TransformerConfig, "TransformerConfig()"),
            thermostat=rules.optional(rules.kind(Thermostat, "Thermostat()")),
            knobs=rules.kind(Knobs, "Knobs()"),
        )


Maker = Callable[[TransformerConfig], Condition]


def _model(**changes: Any) -> Maker:
    return lambda config: Condition(replace(config, **changes))


def _steered(model: dict[str, Any] | None = None, **settings: Any) -> Maker:
    return lambda config: Condition(replace(config, **(model or {})), Thermostat(**settings))


def _knob(**settings: Any) -> Maker:
    return lambda config: Condition(config, knobs=Knobs(**settings))


def corridor_gap(config: TransformerConfig) -> float:
    """T of Gaussian rows d = 1.1 nats under ln n, the middle of the corridor: 2 sqrt(d (ln n - d))."""
    depth = Thermostat().target
    return 2.0 * math.sqrt(depth * entropy_below(config.visible_keys, depth))


def _initial_gap(config: TransformerConfig) -> Condition:
    return Condition(config, knobs=Knobs(initial_gap=corridor_gap(config)))


def _all_knobs(config: TransformerConfig) -> Condition:
    return Condition(config, Thermostat(gating=Gating(), guard=Guard()), Knobs(**EVERY_KNOB))


def _all_knobs_adam(config: TransformerConfig) -> Condition:
    everything = _all_knobs(config)
    return replace(everything, knobs=replace(everything.knobs, learning_rate=ADAM_BAND))


def _all_knobs_initial_gap(config: TransformerConfig) -> Condition:
    everything = _all_knobs_adam(config)
    return replace(everything, knobs=replace(everything.knobs, initial_gap=corridor_gap(config)))


# The curvature at which the default model trains best under Adam (measured: 5 to 17 at the tuned rate), and Adam's edge
# of stability (2 + 2 beta_1)/(1 - beta_1) (Cohen et al. 2022); kappa_eta rho* = 1/2.
ADAM_BAND = LearningRateBand(band=(8.0, 12.0), gain=0.05, critical=38.0)
EVERY_KNOB: dict[str, Any] = {
    "learning_rate": LearningRateBand(),
    "batch_size": BatchSizeBand(),
    "weight_decay": WeightDecayBand(),
    "label_smoothing": SmoothingSchedule(),
    "activation": ActivationBand(),
}

CONDITIONS: dict[str, tuple[str, Maker]] = {
    "standard": ("beta = 1/sqrt(d_k)", Condition),
    "x0.5": ("beta = 0.5/sqrt(d_k)", _knob(beta_factor=0.5)),
    "x2": ("beta = 2/sqrt(d_k)", _knob(beta_factor=2.0)),
    "learned_beta": ("beta a trained parameter of every head", _model(scaling="learned")),
    "qk_norm": ("q and k of fixed norm, beta a trained parameter", _model(qk_norm=True, scaling="learned")),
    "log_n": ("beta = s ln(n)/sqrt(d_k), s trained", _model(scaling="log_n")),
    "adaptive": ("beta raised by a polynomial in H of the row", _model(scaling="adaptive")),
    "target_entropy": ("beta of every row such that H = (ln n)/2", _model(scaling="entropy")),
    "thermostat": ("thermostat, started at 1/sqrt(d_k)", _steered()),
    "thermostat_final_address": ("thermostat, started at beta*", _steered(initial="final_address")),
    "thermostat_qk_norm": ("thermostat, q and k of fixed norm (the gauge is fixed)", _steered({"qk_norm": True})),
    "thermostat_own_target": ("thermostat, target H(beta_c) of every head", _steered(per_head_target=True)),
    "gated": ("beta = 1/sqrt(d_k), gating of rows", _steered(kappa_max=0.0, kappa_inf=0.0, gating=Gating())),
    "thermostat_gated": ("thermostat and gating of rows", _steered(gating=Gating())),
    "thermostat_frozen": (
        "thermostat and freezing, one head a layer stays on",
        _steered(freezing=Freezing(min_heads=1)),
    ),
    "learning_rate": (
        "learning rate by the curvature, rho in [0.02, 0.08]",
        _knob(learning_rate=EVERY_KNOB["learning_rate"]),
    ),
    "learning_rate_adam": ("the same, band around the tuned baseline's curvature", _knob(learning_rate=ADAM_BAND)),
    "batch_size": ("batch size by the noise scale", _knob(batch_size=EVERY_KNOB["batch_size"])),
    "weight_decay": ("weight decay by the entropy of the weights", _knob(weight_decay=EVERY_KNOB["weight_decay"])),
    "label_smoothing": ("label smoothing by the output entropy", _knob(label_smoothing=EVERY_KNOB["label_smoothing"])),
    "dropout": ("dropout by the output entropy", _knob(dropout=SmoothingSchedule())),
    "activation": ("gain of the activation by the output entropy", _knob(activation=EVERY_KNOB["activation"])),
    "initial_gap": ("W_Q and W_K scaled so that T starts at the middle of the corridor", _initial_gap),
    "all_knobs": ("thermostat with gating and guard, and all knobs but dropout", _all_knobs),
    "all_knobs_adam": ("all_knobs, with the learning rate as learning_rate_adam", _all_knobs_adam),
    "all_knobs_initial_gap": ("all_knobs_adam and initial_gap", _all_knobs_initial_gap),
}


@rules.checked(name=rules.text, config=rules.kind(TransformerConfig, "TransformerConfig()"))
def condition(name: str, config: TransformerConfig) -> Condition:
    """The condition of that name for a model of that size.

    Raises
    ------
    ValueError
        An unknown name; the message lists those allowed.
    """
    if name not in CONDITIONS:
        raise ValueError(f"name of a condition must be one of {', '.join(CONDITIONS)}, got {name!r}")
    return CONDITIONS[name][1](config)
