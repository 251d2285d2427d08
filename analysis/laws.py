"""What the dimension fixes about finite-size scaling in the Ising class: exponents and constants."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from .arguments import refuse, shown
from .measurement import Data, split_sizes

BINDER_MEAN_FIELD = 0.2705201283  # 1 - Gamma(5/4) Gamma(1/4) / (3 Gamma(3/4)^2), Brezin and Zinn-Justin 1985

# Leading correction L^-omega of dimensionless quantities of the Ising class: 2D L^(-7/4), the regular background of
# the susceptibility (the torus has no slower one); 3D omega = 0.83 (Hasenbusch 2010).
OMEGA = {2: 7 / 4, 3: 0.83}
DIMENSIONS = "2, 3, or 'mean_field' (also 5 and above)"
UPPER_CRITICAL = 4


@dataclass(frozen=True)
class Law:
    """Scaling with L = N^(1 / root): root is d on flat lattices below four dimensions, 4 in mean field.

    Mean field is thus a law of the same form, with nu = 1/2, gamma / nu = 2, beta / nu = 1 and omega = 2.
    """

    dimension: int | None  # None: mean field
    omega: float

    @property
    def root(self) -> int:
        """Number of sites as a power of L."""
        return UPPER_CRITICAL if self.dimension is None else self.dimension

    @property
    def w(self) -> float:
        """Leading correction as N^-w."""
        return self.omega / self.root

    @property
    def y(self) -> float | None:
        """Exponent of the scaling variable t N^y, None where it is fitted."""
        return 0.5 if self.dimension is None else None

    def nu(self, y: float) -> float:
        """Correlation-length exponent from y."""
        return 1 / (self.root * y)

    def critical_value(self, quantity: str) -> float | None:
        """The quantity at beta_c where it is known."""
        return BINDER_MEAN_FIELD if self.dimension is None and quantity == "binder" else None


def law_of(data: Data, dimension: Any = None) -> Law:
    """The law of a dimension; by default of the attribute ``dimension`` of the data.

    Raises
    ------
    ValueError
        If the dimension is none of those known.
    """
    if dimension is None:
        dimension = split_sizes(data)[0].attrs.get("dimension")
    if isinstance(dimension, bool):
        refuse("dimension", DIMENSIONS, dimension)
    if isinstance(dimension, Integral) and int(dimension) in OMEGA:
        return Law(int(dimension), OMEGA[int(dimension)])
    mean_field = isinstance(dimension, str) and dimension == "mean_field"
    if mean_field or (isinstance(dimension, Integral) and int(dimension) > UPPER_CRITICAL):
        return Law(None, 2.0)
    raise ValueError(f"dimension must be {DIMENSIONS}, got {shown(dimension)}: pass dimension=")
