"""Analog annealing: devices, imperfections, schedules, instance files, problems, memory, the parts of a transformer.

Modules that load on first use: `memory` (Hopfield patterns), `dictionary` and `learning` (a transformer on a device),
`ground_states` (exact), `useful_bits`, `film`, `figures` (needs matplotlib), `sampler` (needs dimod).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .anneal import anneal
from .couplings import Couplings, couplings_of
from .devices import Bifurcation, Oscillator, PBit, SoftSpin
from .energy_model import EnergyModel
from .instances import read_coo, read_dimod, read_gset, read_instance, read_matrix_market
from .problems import cut_weight, from_qubo, graph_colouring, max_cut, number_partitioning
from .realism import Realism
from .schedules import Corridor, Geometric, Linear, Thermodynamic
from .success import TimeToSolution, success_correlation, time_to_solution, tts

if TYPE_CHECKING:
    from . import dictionary, figures, film, ground_states, learning, memory, sampler, useful_bits
    from .sampler import CeasSampler

MODULES = ("dictionary", "figures", "film", "ground_states", "learning", "memory", "sampler", "useful_bits")

__all__ = [
    "Bifurcation",
    "CeasSampler",
    "Corridor",
    "Couplings",
    "EnergyModel",
    "Geometric",
    "Linear",
    "Oscillator",
    "PBit",
    "Realism",
    "SoftSpin",
    "Thermodynamic",
    "TimeToSolution",
    "anneal",
    "couplings_of",
    "cut_weight",
    "dictionary",
    "figures",
    "film",
    "from_qubo",
    "graph_colouring",
    "ground_states",
    "learning",
    "max_cut",
    "memory",
    "number_partitioning",
    "read_coo",
    "read_dimod",
    "read_gset",
    "read_instance",
    "read_matrix_market",
    "sampler",
    "success_correlation",
    "time_to_solution",
    "tts",
    "useful_bits",
]


def __getattr__(name: str) -> Any:
    """Modules, and the sampler, that load on first use."""
    if name in MODULES:
        return import_module(f".{name}", __name__)
    if name == "CeasSampler":
        try:
            return import_module(".sampler", __name__).CeasSampler
        except ModuleNotFoundError as error:
            raise ImportError('CeasSampler needs dimod: pip install "ceas-physics[anneal]"') from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
