"""Which settings besides the heads' beta a run puts under control."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Knobs:
    """What changes in a run besides its configuration and its thermostat; by default nothing.

    Attributes
    ----------
    beta_factor : float
        Without a thermostat, beta = beta_factor/sqrt(d_k).
    """

    beta_factor: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.beta_factor < math.inf:
            raise ValueError(f"beta_factor must be positive and finite, got {self.beta_factor}")
