"""Attention heads measured with the observables of critical systems, and the entropy corridor compared with both."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from . import attention, corridor
from .thermostat import Thermostat
from .training import train
from .transformer import TransformerConfig

if TYPE_CHECKING:
    from .npu import anneal

__version__ = version("ceas-physics")

__all__ = ["Thermostat", "TransformerConfig", "anneal", "attention", "corridor", "train"]


def __getattr__(name: str) -> Any:
    """The annealer loads on first use: importing the package stays light."""
    if name == "anneal":
        from .npu import anneal

        return anneal
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
