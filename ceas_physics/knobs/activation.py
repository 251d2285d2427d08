"""The gain of the activation, steered by a PI controller on the output entropy, with a cap on the spectral radius."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ising.integers import as_integer

from .. import arguments as rules
from ..thermostat.checks import ascending, fraction, not_negative, positive
from ..thermostat.state import Stateful


@rules.checked(matrix=rules.shaped("row", "column"))
def spectral_radius(matrix: np.ndarray) -> float:
    """Largest |eigenvalue| of a square matrix, such as the product of an MLP's two."""
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix must be square, got shape {matrix.shape}")
    return float(np.abs(np.linalg.eigvals(np.asarray(matrix, np.result_type(matrix, np.float32)))).max())


@dataclass(frozen=True)
class ActivationBand:
    """Settings of the activation gain.

    Attributes
    ----------
    band : tuple of float
        Of the output entropy, in nats.
    proportional, integral : float
        Gains of the PI controller, per nat and per nat and update.
    limits : tuple of float
        Smallest and largest activation gain.
    every : int
        Training steps between updates.
    critical, u_min : float
        A map whose spectral radius reaches 1 no longer forgets its input; gain * radius stays u_min below that.
    """

    band: tuple[float, float] = (1.5, 2.5)
    proportional: float = 0.1
    integral: float = 0.02
    limits: tuple[float, float] = (0.5, 2.0)
    every: int = 50
    critical: float = 1.0
    u_min: float = 0.06

    def __post_init__(self) -> None:
        ascending(self, ("band", "limits"))
        not_negative(self, ("proportional", "integral"))
        positive(self, ("critical",))
        fraction(self, ("u_min",))
        as_integer("every", self.every, 1)


class ActivationGain(Stateful):
    """A gain a = 1 + K_p e + K_i sum(e), e the distance of the output entropy from its band, positive above it.

    A larger gain makes larger logits, and those less entropy. The sum stands still where it would push a further beyond
    a limit or the cap (anti-windup).

    Attributes
    ----------
    value : float
        The present gain.
    total : float
        Sum of the errors.
    """

    changing = ("value", "total")

    @rules.checked(settings=rules.kind(ActivationBand, "ActivationBand()"))
    def __init__(self, settings: ActivationBand) -> None:
        self.settings, self.value, self.total = settings, 1.0, 0.0

    @rules.checked(entropy=rules.number, radius=rules.number)
    def step(self, entropy: float, radius: float = 0.0) -> float:
        """Take the output entropy, in nats, and the spectral radius of the map at gain 1; return the gain."""
        settings = self.settings
        low, high = settings.band
        error = max(entropy - high, 0.0) - max(low - entropy, 0.0)
        cap = (1.0 - settings.u_min) * settings.critical / radius if radius > 0.0 else math.inf
        smallest, largest = min(settings.limits[0], cap), min(settings.limits[1], cap)
        wanted = 1.0 + settings.proportional * error + settings.integral * (self.total + error)
        if smallest <= wanted <= largest or (wanted > largest) == (error < 0.0):
            self.total += error
        self.value = min(max(wanted, smallest), largest)
        return self.value
