"""Label smoothing or dropout, steered by the entropy of the model's outputs or by their calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from ising.integers import as_integer

from .. import arguments as rules
from ..thermostat.checks import choice, fraction, not_negative, pair, positive
from ..thermostat.state import Stateful
from .cap import keep_away


@rules.checked(logits=rules.shaped("row", "character"))
def output_entropy(logits: np.ndarray) -> float:
    """Mean entropy of softmax(logits) over the rows, in nats; logits of shape (rows, classes)."""
    log_p = log_softmax(np.asarray(logits, dtype=float), axis=-1)
    return float(-np.sum(np.exp(log_p) * log_p, axis=-1).mean())


@rules.checked(logits=rules.shaped("row", "character"), targets=rules.tokens)
def overconfidence(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean largest probability minus the share of right answers; targets of shape (rows,). Positive: overconfident."""
    rules.check_targets(logits, targets)
    log_p = log_softmax(np.asarray(logits, dtype=float), axis=-1)
    return float(np.exp(log_p.max(axis=-1)).mean() - np.mean(log_p.argmax(axis=-1) == targets.ravel()))


@rules.checked(logits=rules.shaped("row", "character"), targets=rules.tokens, bins=rules.count)
def calibration_error(logits: np.ndarray, targets: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean over equal-width bins of confidence of |confidence - accuracy|, by their share.

    Guo et al. 2017. Logits (rows, classes), targets (rows,).
    """
    rules.check_targets(logits, targets)
    log_p = log_softmax(np.asarray(logits, dtype=float), axis=-1)
    confidence, right = np.exp(log_p.max(axis=-1)), log_p.argmax(axis=-1) == targets.ravel()
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return float(np.abs(np.bincount(place, confidence - right)).sum() / len(right))


@dataclass(frozen=True)
class SmoothingSchedule:
    """Settings of label smoothing or dropout.

    Attributes
    ----------
    observable : str
        "entropy": the output entropy follows H*(t) = end + (start - end) exp(-t/tau), with ``levels`` = (start, end).
        "calibration": the overconfidence is held at 0.
    levels : tuple of float
        In nats.
    tau : float
        In training steps.
    gain : float
        Of p per nat, or per unit of overconfidence.
    largest : float
        Largest p.
    every : int
        Training steps between updates.
    u_min : float
        At p = 1 nothing of the label, or of the activations, is left; p stays u_min away from it, see ``cap``.
    """

    observable: str = "entropy"
    levels: tuple[float, float] = (3.0, 2.0)
    tau: float = 600.0
    gain: float = 0.02
    largest: float = 0.3
    every: int = 50
    u_min: float = 0.06

    def __post_init__(self) -> None:
        choice(self, "observable", ("entropy", "calibration"))
        if not all(0.0 <= level < math.inf for level in pair("levels", self.levels)):
            raise ValueError(f"levels must be two entropies >= 0, got {self.levels}")
        positive(self, ("tau",))
        not_negative(self, ("gain",))
        fraction(self, ("largest", "u_min"))
        as_integer("every", self.every, 1)


class Smoothing(Stateful):
    """The p of label smoothing or dropout: p <- p + gain (H*(t) - H), H the entropy of the outputs, or its sibling.

    With ``observable="calibration"``: p <- p + gain (confidence - accuracy).

    Attributes
    ----------
    value : float
        The present p.
    """

    changing = ("value",)

    @rules.checked(settings=rules.kind(SmoothingSchedule, "SmoothingSchedule()"), value=rules.not_negative)
    def __init__(self, settings: SmoothingSchedule, value: float = 0.0) -> None:
        self.settings, self.value = settings, float(value)

    @rules.checked(step=rules.not_negative)
    def level(self, step: float) -> float:
        """The scheduled output entropy H*(t) = end + (start - end) exp(-t/tau), in nats."""
        start, end = self.settings.levels
        return end + (start - end) * math.exp(-step / self.settings.tau)

    @rules.checked(step=rules.index, logits=rules.shaped("row", "character"), targets=rules.tokens)
    def step(self, step: int, logits: np.ndarray, targets: np.ndarray) -> float:
        """Take the outputs (rows, classes) and the right answers (rows,) at a training step; return p."""
        settings = self.settings
        if settings.observable == "entropy":
            error = self.level(step) - output_entropy(logits)
        else:
            error = overconfidence(logits, targets)
        bounded = min(max(self.value + settings.gain * error, 0.0), settings.largest)
        self.value = keep_away(self.value, bounded, 1.0, settings.u_min)
        return self.value
