"""Exact answers only: what the samplers are tested against.

Functions that return several quantities return an xarray.Dataset over `beta` whose variables have the names and
conventions of `analysis.summarize` (energy and specific heat per site, `log_z` = ln Z per site), so the two subtract.
"""

from .bethe import bethe_critical_beta, bethe_energy, bethe_magnetization
from .ctmrg import BulkState, ctmrg, ctmrg_critical_beta
from .duality import dual_beta, dual_bond_correlation
from .enumeration import enumerate_model
from .onsager import SQUARE_CRITICAL_BETA, onsager_energy, onsager_magnetization, onsager_specific_heat
from .ring import ring
from .solvable import (
    HONEYCOMB_CRITICAL_BETA,
    TRIANGULAR_CRITICAL_BETA,
    curie_weiss,
    random_energy_model,
)
from .square import kaufman

__all__ = [
    "HONEYCOMB_CRITICAL_BETA",
    "SQUARE_CRITICAL_BETA",
    "TRIANGULAR_CRITICAL_BETA",
    "BulkState",
    "bethe_critical_beta",
    "bethe_energy",
    "bethe_magnetization",
    "ctmrg",
    "ctmrg_critical_beta",
    "curie_weiss",
    "dual_beta",
    "dual_bond_correlation",
    "enumerate_model",
    "kaufman",
    "onsager_energy",
    "onsager_magnetization",
    "onsager_specific_heat",
    "random_energy_model",
    "ring",
]
