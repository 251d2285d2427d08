"""Which settings besides the heads' beta a run puts under control."""

from __future__ import annotations

from dataclasses import dataclass

from .. import arguments as rules
from ..knobs import ActivationBand, BatchSizeBand, LearningRateBand, SmoothingSchedule, WeightDecayBand

KINDS = {
    "learning_rate": LearningRateBand,
    "batch_size": BatchSizeBand,
    "weight_decay": WeightDecayBand,
    "label_smoothing": SmoothingSchedule,
    "dropout": SmoothingSchedule,
    "activation": ActivationBand,
}


@dataclass(frozen=True)
class Knobs:
    """What a run controls besides the heads' beta; None leaves a setting where the configuration has it.

    Attributes
    ----------
    beta_factor : float
        Without a thermostat, beta = beta_factor/sqrt(d_k).
    learning_rate, batch_size, weight_decay, label_smoothing, dropout, activation : optional
        Settings of that knob, see ``ceas_physics.knobs``.
    initial_gap : float, optional
        T*: before training W_Q and W_K of every layer are scaled so that the mean T of its heads is this.
    """

    beta_factor: float = 1.0
    learning_rate: LearningRateBand | None = None
    batch_size: BatchSizeBand | None = None
    weight_decay: WeightDecayBand | None = None
    label_smoothing: SmoothingSchedule | None = None
    dropout: SmoothingSchedule | None = None
    activation: ActivationBand | None = None
    initial_gap: float | None = None

    def __post_init__(self) -> None:
        rules.check_fields(self, beta_factor=rules.positive, initial_gap=rules.optional(rules.positive))
        for name, kind in KINDS.items():
            if not isinstance(getattr(self, name), kind | None):
                raise ValueError(f"{name} must be a {kind.__name__}(...) or None, got {getattr(self, name)!r}")
