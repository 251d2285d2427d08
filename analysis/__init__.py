"""Error bars, critical points and plots for Monte Carlo data (analysis imports no other package of this project)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .autocorrelation import effective_sample_size, integrated_autocorrelation_time
from .critical import CriticalBeta, critical_beta
from .crossing import CrossingWarning, crossings
from .maxima import peaks
from .measurement import ShortRunWarning
from .scaling import ScalingFit, ScalingWarning, fit_scaling
from .thermodynamics import summarize

__all__ = [
    "CriticalBeta",
    "CrossingWarning",
    "ScalingFit",
    "ScalingWarning",
    "ShortRunWarning",
    "critical_beta",
    "crossings",
    "effective_sample_size",
    "fit_scaling",
    "integrated_autocorrelation_time",
    "peaks",
    "plots",
    "summarize",
]


def __getattr__(name: str) -> Any:
    """Load `analysis.plots`, which imports matplotlib, on first use."""
    if name == "plots":
        return import_module(".plots", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
