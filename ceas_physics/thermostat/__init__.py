"""The thermostat: one beta per head, steered so that the head's entropy stays in a corridor under ln n."""

from .controller import Controller, Observables, initial_beta, kappa, newton_step
from .freezer import Freezer
from .gate import Gate
from .guard import LossGuard
from .margin import apply_margin, relaxation_time, zeta
from .reference import entropy_below, reference_level
from .settings import Freezing, Gating, Guard, Thermostat
from .settle import Oscillation, oscillation, settle
from .state import State, Stateful

__all__ = [
    "Controller",
    "Freezer",
    "Freezing",
    "Gate",
    "Gating",
    "Guard",
    "LossGuard",
    "Observables",
    "Oscillation",
    "State",
    "Stateful",
    "Thermostat",
    "apply_margin",
    "entropy_below",
    "initial_beta",
    "kappa",
    "newton_step",
    "oscillation",
    "reference_level",
    "relaxation_time",
    "settle",
    "zeta",
]
