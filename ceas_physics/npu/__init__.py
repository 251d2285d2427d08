"""Analog annealing: four devices with their imperfections, schedules, and the entropy corridor as one of them."""

from .anneal import anneal
from .couplings import Couplings, couplings_of
from .devices import Bifurcation, Oscillator, PBit, SoftSpin
from .energy_model import EnergyModel
from .realism import Realism
from .schedules import Corridor, Geometric, Linear, Thermodynamic

__all__ = [
    "Bifurcation",
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
    "anneal",
    "couplings_of",
]
