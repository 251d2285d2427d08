"""Attention heads measured with the observables of critical systems, and the entropy corridor compared with both."""

from importlib.metadata import version

from . import attention, corridor
from .thermostat import Thermostat
from .training import train
from .transformer import TransformerConfig

__version__ = version("ceas-physics")

__all__ = ["Thermostat", "TransformerConfig", "attention", "corridor", "train"]
