"""Ising and spin-glass Monte Carlo on flat, random and hyperbolic lattices.

>>> import ising
>>> model = ising.ferromagnet(ising.square(16))
>>> data = ising.sample(model, [0.40, 0.44], ising.Schedule(warmup=200, draws=500), seed=1, progress=False)
>>> data.energy.dims
('beta', 'chain', 'draw')
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from .flat import chain, complete, cubic, honeycomb, hypercubic, random_regular, square, triangular
from .ladder import temperature_ladder
from .lattice import Lattice, from_bonds, from_networkx
from .model import IsingModel, edwards_anderson, ferromagnet, from_matrix, hopfield, sherrington_kirkpatrick
from .sample import sample, sample_sizes
from .schedule import Schedule
from .tilings import (
    SmallRadiusWarning,
    automorphisms,
    available_sizes,
    closed_hyperbolic,
    disk,
    hyperbolic,
    map_table,
)

__version__ = version("ceas-physics")

__all__ = [
    "FewFamiliesWarning",
    "FewRoundTripsWarning",
    "IsingModel",
    "Lattice",
    "Schedule",
    "SmallRadiusWarning",
    "automorphisms",
    "available_sizes",
    "chain",
    "closed_hyperbolic",
    "complete",
    "correlation_from",
    "correlations",
    "cubic",
    "density_of_states",
    "disk",
    "edwards_anderson",
    "eigenmode_correlation_length",
    "exact",
    "ferromagnet",
    "from_bonds",
    "from_matrix",
    "from_networkx",
    "honeycomb",
    "hopfield",
    "hyperbolic",
    "hypercubic",
    "map_table",
    "population_annealing",
    "random_regular",
    "sample",
    "sample_sizes",
    "sherrington_kirkpatrick",
    "square",
    "temperature_ladder",
    "thermodynamics_from",
    "triangular",
]


LAZY = {
    "FewFamiliesWarning": ".population",
    "FewRoundTripsWarning": ".wang_landau",
    "correlation_from": ".correlation",
    "correlations": ".correlation",
    "density_of_states": ".wang_landau",
    "eigenmode_correlation_length": ".correlation",
    "exact": ".exact",
    "population_annealing": ".population",
    "thermodynamics_from": ".wang_landau",
}


def __getattr__(name: str) -> Any:
    """Load what needs scipy.special or xarray on first use: they take longer to import than all the rest."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(LAZY[name], __name__)
    return module if name == "exact" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
