"""The CEAS corridor at work on one unit of replicas: after each read the next beta."""

from __future__ import annotations

from math import log

import numpy as np

from ..thermostat import apply_margin, kappa, newton_step
from .schedules import Corridor


class CorridorControl:
    """Thermostat on the mean conditional entropy per spin; see `Corridor` for the rule.

    Parameters
    ----------
    corridor
        Settings, with ends, beta_c and entropy_c given.
    unit
        1/(root mean square local field): the unit of the largest step.
    """

    def __init__(self, corridor: Corridor, unit: float) -> None:
        numbers = (corridor.start, corridor.end, corridor.beta_c, corridor.entropy_c)
        start, end, self.beta_c, self.entropy_c = (float(x) for x in numbers if x is not None)
        self.corridor, self.ends, self.unit = corridor, (start, end), unit
        self.restart()

    def restart(self) -> None:
        """Back to the first beta of an anneal."""
        self.beta = self.ends[0]
        self.reads = 0

    def target(self, fraction: float) -> float:
        """Target in nats: H(beta_c) during the hold, then linearly down to final ln 2."""
        hold, last = self.corridor.hold, self.corridor.final * log(2)
        if fraction <= hold:
            return self.entropy_c
        return self.entropy_c + (last - self.entropy_c) * (fraction - hold) / (1.0 - hold)

    def update(self, fraction: float, entropy: float, slope: float) -> None:
        """Move beta after a read; slope is mean_i (beta I_i)^2 sech^2(beta I_i)."""
        thermostat, beta = self.corridor.thermostat, np.array([max(self.beta, 1e-12)])
        gain = min(1.0, kappa(thermostat, self.reads))
        change = newton_step(np.array([entropy]), self.target(fraction), beta, slope / beta**2, gain)
        limit = thermostat.dbeta_max * self.unit
        proposed = np.clip(beta + np.clip(change, -limit, limit), *self.ends)
        if fraction <= self.corridor.hold:
            proposed = apply_margin(beta, proposed, np.array([self.beta_c]), thermostat.u_min)[0]
        self.beta = float(np.clip(proposed, *self.ends)[0])
        self.reads += 1
