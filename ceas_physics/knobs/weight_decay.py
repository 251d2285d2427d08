"""Weight decay, steered by the spectral norm or an entropy of the parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ising.integers import as_integer

from .. import arguments as rules
from ..thermostat.checks import choice, fraction, not_negative, positive
from ..thermostat.state import Stateful
from .cap import keep_away


def spectral_norm(matrices: Iterable[np.ndarray]) -> float:
    """Mean over the matrices of the largest singular value."""
    return float(np.mean([np.linalg.norm(matrix, 2) for matrix in _checked(matrices)]))


def parameter_entropy(matrices: Iterable[np.ndarray]) -> float:
    """H(theta) = ln(2 pi e v)/2, mean over the matrices, with v the mean square of a matrix's entries; in nats.

    The entropy of normal weights of that variance; it falls by 1 when all weights fall by e.
    """
    squares = [np.mean(np.square(matrix, dtype=float)) for matrix in _checked(matrices)]
    return float(np.mean(0.5 * np.log(2.0 * math.pi * math.e * np.array(squares))))


def _checked(matrices: Iterable[np.ndarray]) -> list[np.ndarray]:
    if not isinstance(matrices, Iterable) or isinstance(matrices, str | bytes | np.ndarray):
        rules.refuse("matrices", "a list of matrices", matrices)
    checked = [rules.shaped("row", "column")("matrices", matrix) for matrix in matrices]
    if not checked or not all(matrix.any() for matrix in checked):
        raise ValueError("matrices must hold at least one matrix, and none that is zero")
    return checked


@dataclass(frozen=True)
class WeightDecayBand:
    """Settings of the weight decay.

    Attributes
    ----------
    observable : str
        "entropy": ``parameter_entropy``. "spectral_norm".
    target : float, optional
        Where the observable is held; None: where it is at the first step.
    gain : float
        kappa_lambda, weight decay per unit of the observable.
    response : int
        Sign of d(observable)/d(lambda): -1, as more decay makes weights smaller. +1 is for an observable that rises.
    largest : float
        Largest lambda.
    every : int
        Training steps between updates.
    u_min : float
        A decoupled decay takes the share eta lambda of a weight at a step: at eta lambda = 1 nothing is remembered;
        lambda stays u_min away from that, see ``cap``.
    """

    observable: str = "entropy"
    target: float | None = None
    gain: float = 0.01
    response: int = -1
    largest: float = 1.0
    every: int = 50
    u_min: float = 0.06

    def __post_init__(self) -> None:
        choice(self, "observable", ("entropy", "spectral_norm"))
        if self.target is not None:
            rules.number("target", self.target)
        if rules.as_integer("response", self.response) not in (-1, 1):
            raise ValueError(f"response must be -1 or +1, got {self.response!r}")
        not_negative(self, ("gain",))
        positive(self, ("largest",))
        fraction(self, ("u_min",))
        as_integer("every", self.every, 1)


class WeightDecay(Stateful):
    """Lambda, moved by lambda <- lambda + kappa_lambda response (x* - x), x the observable of the weights.

    With response = +1 this is lambda <- lambda + kappa_lambda (H* - H(theta)). The entropy and the norm of weights both
    fall with lambda, and there that rule runs away from its target; hence the default of -1.

    Attributes
    ----------
    value : float
        Lambda.
    target : float
        x*; nan before the first step if the settings have none.
    """

    changing = ("value", "target")

    @rules.checked(settings=rules.kind(WeightDecayBand, "WeightDecayBand()"), value=rules.not_negative)
    def __init__(self, settings: WeightDecayBand, value: float = 0.0) -> None:
        self.settings, self.value = settings, float(value)
        self.target = math.nan if settings.target is None else float(settings.target)

    @rules.checked(learning_rate=rules.positive)
    def step(self, matrices: Iterable[np.ndarray], learning_rate: float) -> float:
        """Take the weight matrices and eta; return lambda, in [0, ``largest``]."""
        settings = self.settings
        observed = (parameter_entropy if settings.observable == "entropy" else spectral_norm)(matrices)
        if math.isnan(self.target):
            self.target = observed
        proposed = self.value + settings.gain * settings.response * (self.target - observed)
        bounded = min(max(proposed, 0.0), settings.largest)
        self.value = keep_away(self.value, bounded, 1.0 / learning_rate, settings.u_min)
        return self.value
