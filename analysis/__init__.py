"""Error bars, critical points and plots for Monte Carlo data (analysis imports no other package of this project)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .autocorrelation import (
    Autocorrelation,
    ShortSeriesWarning,
    autocorrelation_time,
    effective_sample_size,
    integrated_autocorrelation_time,
)
from .bootstrap import bootstrap, covariance
from .collapse_fit import CollapseFit, fit_collapse
from .compute_optimal import IsoFlopFit, PowerLaw, fit_isoflop, fit_power_law
from .convergence import r_hat
from .critical import CriticalBeta, critical_beta
from .crossing import CrossingWarning, crossings
from .decay import decay_length, slice_correlations
from .glass import equilibration, log_binning
from .language_scaling import LossFit, fit_loss
from .length_proxies import proxy_quality
from .maxima import peaks
from .mean_field import curie_weiss_scaling, mean_field_variables
from .measurement import ShortRunWarning
from .power_laws import dynamic_exponent, peak_scaling
from .quotients import quotients
from .reweighting import ReweightingWarning, reweight
from .scaling import ScalingFit, ScalingWarning, fit_scaling
from .shared_fit import SharedFit, fit_shared
from .thermodynamics import confidence_interval, summarize
from .zeros import fisher_zeros, lee_yang_zeros

__all__ = [
    "Autocorrelation",
    "CollapseFit",
    "CriticalBeta",
    "CrossingWarning",
    "IsoFlopFit",
    "LossFit",
    "PowerLaw",
    "ReweightingWarning",
    "ScalingFit",
    "ScalingWarning",
    "SharedFit",
    "ShortRunWarning",
    "ShortSeriesWarning",
    "autocorrelation_time",
    "bootstrap",
    "confidence_interval",
    "covariance",
    "critical_beta",
    "crossings",
    "curie_weiss_scaling",
    "decay_length",
    "dynamic_exponent",
    "effective_sample_size",
    "equilibration",
    "fisher_zeros",
    "fit_collapse",
    "fit_isoflop",
    "fit_loss",
    "fit_power_law",
    "fit_scaling",
    "fit_shared",
    "integrated_autocorrelation_time",
    "lee_yang_zeros",
    "log_binning",
    "mean_field_variables",
    "peak_scaling",
    "peaks",
    "plots",
    "proxy_quality",
    "quotients",
    "r_hat",
    "reweight",
    "slice_correlations",
    "summarize",
]


def __getattr__(name: str) -> Any:
    """Load `analysis.plots`, which imports matplotlib, on first use."""
    if name == "plots":
        return import_module(".plots", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
