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
from .sample import sample
from .schedule import Schedule
from .sizes import sample_sizes

__version__ = version("ceas-physics")

__all__ = [
    "FewFamiliesWarning",
    "FewRoundTripsWarning",
    "IsingModel",
    "Lattice",
    "Schedule",
    "SmallRadiusWarning",
    "StoreError",
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
    "model_from",
    "open_run",
    "population_annealing",
    "random_regular",
    "rerun",
    "resume",
    "sample",
    "sample_sizes",
    "sherrington_kirkpatrick",
    "spectrum",
    "square",
    "temperature_ladder",
    "thermodynamics_from",
    "tilings",
    "triangular",
]


LAZY = {
    "FewFamiliesWarning": ".population",
    "FewRoundTripsWarning": ".wang_landau",
    "SmallRadiusWarning": ".tilings",
    "StoreError": ".store",
    "automorphisms": ".tilings",
    "available_sizes": ".tilings",
    "closed_hyperbolic": ".tilings",
    "correlation_from": ".correlation",
    "correlations": ".correlation",
    "density_of_states": ".wang_landau",
    "disk": ".tilings",
    "eigenmode_correlation_length": ".correlation",
    "exact": ".exact",
    "hyperbolic": ".tilings",
    "map_table": ".tilings",
    "model_from": ".provenance",
    "open_run": ".store",
    "population_annealing": ".population",
    "rerun": ".store",
    "resume": ".store",
    "spectrum": ".spectrum",
    "thermodynamics_from": ".canonical",
    "tilings": ".tilings",
}


def __getattr__(name: str) -> Any:
    """Load on first use what most runs do without, or what needs scipy or xarray: they take long to import."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(LAZY[name], __name__)
    return module if LAZY[name] == f".{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
