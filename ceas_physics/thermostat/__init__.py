"""The thermostat: one beta per head, steered so that the head's entropy stays in a corridor under ln n."""

from .controller import (
    Controller,
    Thermostat,
    apply_margin,
    entropy_below,
    initial_beta,
    kappa,
    newton_step,
    settle,
    zeta,
)

__all__ = [
    "Controller",
    "Thermostat",
    "apply_margin",
    "entropy_below",
    "initial_beta",
    "kappa",
    "newton_step",
    "settle",
    "zeta",
]
