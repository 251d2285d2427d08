"""What every exact solution shares: checked betas and one Dataset layout."""

from __future__ import annotations

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


def check_beta(beta: ArrayLike, positive: bool = False) -> NDArray[np.float64]:
    """Betas as a checked (n,) array."""
    betas = np.atleast_1d(np.asarray(beta, dtype=np.float64))
    if betas.ndim != 1 or not np.isfinite(betas).all() or (betas < 0).any() or (positive and (betas == 0).any()):
        raise ValueError(f"beta must be finite and {'> 0' if positive else '>= 0'}, got {beta!r}")
    return betas


def dataset(betas: NDArray[np.float64], values: dict[str, NDArray[np.float64]], n_sites: float) -> xr.Dataset:
    """Variables over beta with their formulas; `entropy` follows from `log_z` and `energy`."""
    if "log_z" in values:
        values["entropy"] = values["log_z"] + betas * values["energy"]
    data = xr.Dataset({name: ("beta", value, {"formula": FORMULAS[name]}) for name, value in values.items()})
    return data.assign_coords(beta=betas, n_sites=n_sites)


def magnetic(
    m1: NDArray[np.float64], m2: NDArray[np.float64], m4: NDArray[np.float64], n: float
) -> dict[str, NDArray[np.float64]]:
    """Magnetic quantities from <|m|>, <m^2> and <m^4>."""
    return {
        "magnetization_abs": m1,
        "susceptibility": n * m2,
        "susceptibility_connected": n * (m2 - m1**2),
        "binder": 1 - m4 / (3 * m2**2),
    }
