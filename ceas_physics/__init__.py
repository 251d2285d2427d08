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
    from .npu.anneal import anneal as anneal
    from .stored_runs import open_run, rerun, resume

__version__ = version("ceas-physics")

__all__ = ["Thermostat", "TransformerConfig", "anneal", "attention", "claims", "corridor", "npu", "open_run", "rerun",
           "resume", "train"]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The annealer, stored runs and the ledger load on first use: importing the package stays light."""
    if name == "claims":
        return import_module(".claims", __name__)
    if name in ("open_run", "resume", "rerun"):
        return getattr(import_module(".stored_runs", __name__), name)
    if name in ("anneal", "npu"):
        npu = import_module(".npu", __name__)
        return npu if name == "npu" else npu.anneal
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
