"""What every exact solution shares: checked arguments and one Dataset layout."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..arguments import as_numbers

FORMULAS = {
    "log_z": "ln Z / N",
    "energy": "<H> / N",
    "specific_heat": "beta^2 (<H^2> - <H>^2) / N",
    "magnetization_abs": "<|m|>",
    "susceptibility": "N <m^2>",
    "susceptibility_connected": "N (<m^2> - <|m|>^2)",
    "binder": "1 - <m^4> / (3 <m^2>^2)",
    "entropy": "ln Z / N + beta <H> / N",
}


def check_beta(beta: ArrayLike) -> NDArray[np.float64]:
    """Betas as a checked (n,) array, n >= 1; zero is allowed."""
    betas = np.atleast_1d(as_numbers("beta", beta))
    if betas.ndim != 1:
        raise ValueError(f"beta must be a number or a non-empty list of numbers, got shape {betas.shape}")
    if (betas < 0).any():
        raise ValueError(f"beta must be finite and >= 0, got {betas.min()}; use J < 0 for an antiferromagnet")
    return betas


def shaped_like(beta: ArrayLike, values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    """Values (n,) as they are, or their only one as a float where beta was a number."""
    return float(values[0]) if np.ndim(beta) == 0 else values


def dataset(betas: NDArray[np.float64], values: dict[str, NDArray[np.float64]], n_sites: float) -> xr.Dataset:
    """Variables over beta with their formulas; `entropy` follows from `log_z` and `energy`."""
    if "log_z" in values:
        values["entropy"] = values["log_z"] + betas * values["energy"]
    data = xr.Dataset({name: ("beta", value, {"formula": FORMULAS[name]}) for name, value in values.items()})
    return data.assign_coords(beta=betas, n_sites=n_sites)


def magnetic(
    m1: NDArray[np.float64], variance: NDArray[np.float64], m4: NDArray[np.float64], n: float
) -> dict[str, NDArray[np.float64]]:
    """Magnetic quantities from <|m|>, <m^2> - <|m|>^2 and <m^4>.

    In an antiferromagnet at low temperature the Binder cumulant leaves the range of doubles: it is then -inf.
    """
    m2 = variance + m1**2
    with np.errstate(over="ignore"):
        ratio = np.divide(np.divide(m4, m2, out=np.ones_like(m2), where=m2 > 0), m2, out=m2 + np.inf, where=m2 > 0)
    return {
        "magnetization_abs": m1,
        "susceptibility": n * m2,
        "susceptibility_connected": n * variance,
        "binder": 1 - ratio / 3,
    }
