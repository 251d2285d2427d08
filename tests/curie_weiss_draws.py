"""Exact independent draws of the Curie-Weiss model, and the chi-square that calibrates error bars."""

import numpy as np
import xarray as xr
from scipy.special import gammaln
from scipy.stats import chi2

DIMS = ("beta", "chain", "draw")

# Exact sums at beta = 1, H = -(1/N) sum_{i<j} s_i s_j: N -> <|m|>, <m^2>, U4, e.
CURIE_WEISS = {
    64: (0.320421707982553, 0.142340619760344, 0.314613175168548, -0.0633578098801722),
    256: (0.226984334179656, 0.0721403912538894, 0.292231546630554, -0.0341170706269447),
    1024: (0.160664897054917, 0.0363250186188236, 0.281287585576061, -0.0176742280594118),
}


def curie_weiss(n: int, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Magnetizations per site and their exact probabilities."""
    up = np.arange(n + 1)
    m = (2 * up - n) / n
    log_weight = gammaln(n + 1) - gammaln(up + 1) - gammaln(n - up + 1) + beta * n * m**2 / 2
    weight = np.exp(log_weight - log_weight.max())
    return m, weight / weight.sum()


def exact(n: int, beta: float) -> dict[str, float]:
    m, p = curie_weiss(n, beta)
    e = (1 - n * m**2) / (2 * n)
    m1, m2, m4 = p @ np.abs(m), p @ m**2, p @ m**4
    return {
        "energy": p @ e,
        "specific_heat": beta**2 * n * (p @ e**2 - (p @ e) ** 2),
        "magnetization_abs": m1,
        "susceptibility": n * m2,
        "susceptibility_connected": n * (m2 - m1**2),
        "binder": 1 - m4 / (3 * m2**2),
    }


def sample(n: int, betas, chains: int, draws: int, rng) -> xr.Dataset:
    """Independent draws by inverse CDF."""
    magnetization = np.empty((len(betas), chains, draws))
    for i, beta in enumerate(betas):
        m, p = curie_weiss(n, beta)
        cumulative = np.cumsum(p)
        magnetization[i] = m[np.searchsorted(cumulative / cumulative[-1], rng.random((chains, draws)))]
    energy = (1 - n * magnetization**2) / (2 * n)
    return xr.Dataset(
        {"energy": (DIMS, energy), "magnetization": (DIMS, magnetization)},
        {"beta": betas, "n_sites": n, "L": n},
        {"dimension": "mean_field", "seed": 7},
    )


def assert_unit_variance(z: np.ndarray, p_low: float = 1e-4) -> None:
    """Joint chi-square of z-scores, two-sided."""
    z = np.ravel(z)
    p = chi2.sf(np.sum(z**2), len(z))
    assert p_low < p < 1 - p_low, f"chi2 / dof = {np.mean(z**2):.3f} over {len(z)} values"


def ragged_family() -> list[xr.Dataset]:
    """Three sizes, each on the beta window of its own scaling variable (beta - 1) sqrt(N)."""
    rng = np.random.default_rng(11)
    return [sample(n, 1 + np.linspace(-3, 3, 15) / np.sqrt(n), 64, 1000, rng) for n in (64, 256, 1024)]


def dense_family() -> xr.Dataset:
    """Three sizes on one grid of beta."""
    rng = np.random.default_rng(12)
    betas = np.linspace(0.9, 1.2, 13)
    return xr.concat([sample(n, betas, 8, 500, rng) for n in (64, 256, 1024)], "L", coords=["n_sites"])
