"""The learning rate, steered by the curvature of the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ising.integers import as_integer

from .. import arguments as rules
from ..thermostat.checks import ascending, fraction, not_negative, number, positive
from ..thermostat.state import Stateful
from .cap import keep_away

TINY = 1e-100  # a curvature below it, or above its inverse, is none


@dataclass(frozen=True)
class LearningRateBand:
    """Settings of the learning rate.

    Attributes
    ----------
    band : tuple of float
        Of rho = eta lambda_max; the target rho* is its middle.
    gain : float
        kappa_eta; near rho* an update multiplies the error by 1 - kappa_eta rho*, so above 2/rho* it runs away.
    largest_change : float
        Largest |d ln eta| of an update.
    every : int
        Training steps between measurements of lambda_max, which cost two gradients an iteration.
    iterations : int
        Power iterations of a measurement; the vector is kept, so they add up.
    memory : float
        Time constant of the running mean of lambda_max, in measurements.
    preconditioned : bool
        Whether lambda_max is that of P^(-1/2) H P^(-1/2), P the denominator of Adam, or of H itself.
    critical, u_min : float
        rho = 2 is where plain gradient descent starts to diverge; eta stays u_min away from it, see ``cap``.
    """

    band: tuple[float, float] = (0.02, 0.08)
    gain: float = 10.0
    largest_change: float = 0.2
    every: int = 50
    iterations: int = 4
    memory: float = 4.0
    preconditioned: bool = True
    critical: float = 2.0
    u_min: float = 0.06

    def __post_init__(self) -> None:
        ascending(self, ("band",))
        not_negative(self, ("gain", "largest_change"))
        positive(self, ("critical",))
        fraction(self, ("u_min",))
        as_integer("every", self.every, 1)
        as_integer("iterations", self.iterations, 2)
        if not 1.0 <= number("memory", self.memory) < math.inf:
            raise ValueError(f"memory must be finite and >= 1, got {self.memory}")


class LearningRate(Stateful):
    """Eta, moved by eta <- eta exp(kappa_eta (rho* - rho)) with rho = eta lambda_max.

    A lambda_max that is not positive or not finite changes nothing; an eta beyond the critical one goes back below it.

    Attributes
    ----------
    value : float
        Eta.
    rho : float
        Before the last update; nan before the first.
    """

    changing = ("value", "eigenvalue", "rho")

    @rules.checked(settings=rules.kind(LearningRateBand, "LearningRateBand()"), value=rules.positive)
    def __init__(self, settings: LearningRateBand, value: float) -> None:
        self.settings, self.value = settings, float(value)
        self.eigenvalue = self.rho = math.nan

    @rules.checked(eigenvalue=rules.reading)
    def step(self, eigenvalue: float) -> float:
        """Take a measurement of lambda_max; return eta."""
        settings = self.settings
        if not TINY < eigenvalue < 1.0 / TINY:
            return self.value
        known = self.eigenvalue if math.isfinite(self.eigenvalue) else eigenvalue
        self.eigenvalue = known + (eigenvalue - known) / settings.memory
        self.rho = self.value * self.eigenvalue
        change = settings.gain * (sum(settings.band) / 2.0 - self.rho)
        limited = min(max(change, -settings.largest_change), settings.largest_change)
        critical = settings.critical / self.eigenvalue
        if self.rho < settings.critical:
            self.value = keep_away(self.value, self.value * math.exp(limited), critical, settings.u_min)
        else:
            self.value = (1.0 - settings.u_min) * critical
        return self.value
