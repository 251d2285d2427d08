"""What every exact solution shares: checked arguments and one Dataset layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

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
    try:
        betas = np.atleast_1d(np.asarray(beta, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"beta must be a number or a non-empty list of numbers, got {beta!r}") from None
    if betas.ndim != 1 or betas.size == 0:
        raise ValueError(f"beta must be a number or a non-empty list of numbers, got shape {betas.shape}")
    bad = betas[~np.isfinite(betas) | (betas < 0)]
    if bad.size:
        raise ValueError(f"beta must be finite and >= 0, got {bad[0]}; use J < 0 for an antiferromagnet")
    return betas


def shaped_like(beta: ArrayLike, values: NDArray[np.float64]) -> float | NDArray[np.float64]:
    """Values (n,) as they are, or their only one as a float where beta was a number."""
    return float(values[0]) if np.ndim(beta) == 0 else values


def check_finite(name: str, value: Any) -> float:
    """A finite float."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a finite number, got {value!r}") from None
    if not np.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {number}")
    return number


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
