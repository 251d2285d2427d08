"""Attention heads measured with the observables of critical systems, and the entropy corridor compared with both."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from . import attention, corridor
from .thermostat import Thermostat
from .training import train
from .transformer import TransformerConfig

if TYPE_CHECKING:
    from . import claims, npu
    from .npu import anneal

__version__ = version("ceas-physics")

__all__ = ["Thermostat", "TransformerConfig", "anneal", "attention", "claims", "corridor", "npu", "train"]


def __getattr__(name: str) -> Any:
    """The annealer and the ledger load on first use: importing the package stays light."""
    if name == "claims":
        return import_module(".claims", __name__)
    if name in ("anneal", "npu"):
        npu = import_module(".npu", __name__)
        return npu if name == "npu" else npu.anneal
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
