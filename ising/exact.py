"""Exact answers only: what the samplers are tested against.

Functions that return several quantities return an xarray.Dataset over `beta` whose variables have the names and
conventions of `analysis.summarize` (energy and specific heat per site, `log_z` = ln Z per site), so that the two subtract.
"""

from __future__ import annotations

from math import atanh, log, pi, sqrt

import numpy as np
import xarray as xr
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.special import ellipe, ellipk, gammaln, logsumexp

from .model import IsingModel

SQUARE_CRITICAL_BETA = log(1 + sqrt(2)) / 2
TRIANGULAR_CRITICAL_BETA = log(3) / 4
HONEYCOMB_CRITICAL_BETA = log(2 + sqrt(3)) / 2
MAX_ENUMERATION = 28

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


def _betas(beta: ArrayLike, positive: bool = False) -> NDArray[np.float64]:
    betas = np.atleast_1d(np.asarray(beta, dtype=np.float64))
    if betas.ndim != 1 or not np.isfinite(betas).all() or (betas < 0).any() or (positive and (betas == 0).any()):
        raise ValueError(f"beta must be finite and {'> 0' if positive else '>= 0'}, got {beta}")
    return betas


def _dataset(betas: NDArray[np.float64], values: dict[str, NDArray[np.float64]], n_sites: float) -> xr.Dataset:
    if "log_z" in values:
        values["entropy"] = values["log_z"] + betas * values["energy"]
    data = xr.Dataset({name: ("beta", value, {"formula": FORMULAS[name]}) for name, value in values.items()})
    return data.assign_coords(beta=betas, n_sites=n_sites)


def onsager_energy(beta: ArrayLike) -> float | NDArray[np.float64]:
    """Energy per site of the infinite square lattice (Onsager 1944).

    u = -coth(2 beta) [1 + (2/pi) (2 tanh^2(2 beta) - 1) K(k)], k = 2 sinh(2 beta) / cosh^2(2 beta).

    Examples
    --------
    >>> round(onsager_energy(SQUARE_CRITICAL_BETA), 6)
    -1.414214
    """
    b = np.asarray(_betas(beta, positive=True))
    k = 2 * np.sinh(2 * b) / np.cosh(2 * b) ** 2
    kappa = 2 * np.tanh(2 * b) ** 2 - 1
    with np.errstate(invalid="ignore"):
        elliptic = np.where(kappa == 0, 0.0, kappa * ellipk(np.minimum(k**2, 1.0)))
    energy = -(1 + 2 / pi * np.where(np.isfinite(elliptic), elliptic, 0.0)) / np.tanh(2 * b)
    return float(energy[0]) if np.ndim(beta) == 0 else energy


def onsager_specific_heat(beta: ArrayLike) -> float | NDArray[np.float64]:
    """Specific heat per site of the infinite square lattice; infinite at the critical point (Onsager 1944).

    c = (2/pi) (beta coth 2 beta)^2 [2K - 2E - (1 - k') (pi/2 + k' K)], k' = 2 tanh^2(2 beta) - 1.
    """
    b = np.asarray(_betas(beta, positive=True))
    m = np.minimum((2 * np.sinh(2 * b) / np.cosh(2 * b) ** 2) ** 2, 1.0)
    kappa = 2 * np.tanh(2 * b) ** 2 - 1
    c = 2 / pi * (b / np.tanh(2 * b)) ** 2 * (2 * ellipk(m) - 2 * ellipe(m) - (1 - kappa) * (pi / 2 + kappa * ellipk(m)))
    return float(c[0]) if np.ndim(beta) == 0 else c


def onsager_magnetization(beta: ArrayLike) -> float | NDArray[np.float64]:
    """Spontaneous magnetization of the infinite square lattice, (1 - sinh^-4 2 beta)^(1/8) (Yang 1952)."""
    b = np.asarray(_betas(beta, positive=True))
    m = np.maximum(1 - np.sinh(2 * b) ** -4.0, 0.0) ** 0.125
    return float(m[0]) if np.ndim(beta) == 0 else m


def kaufman(L: int, beta: ArrayLike) -> xr.Dataset:
    """Square L x L torus, J = 1: ln Z, energy, specific heat and entropy per site (Kaufman 1949).

    Z = (1/2) (2 sinh 2 beta)^(N/2) sum of four products of 2 cosh and 2 sinh of L gamma_r / 2 with
    cosh gamma_r = cosh(2 beta) coth(2 beta) - cos(pi r / L), gamma_0 = 2 beta + ln tanh beta.

    Parameters
    ----------
    L
        Linear size, >= 3.
    beta
        Inverse temperature(s) > 0 in 1/J.

    Examples
    --------
    >>> round(kaufman(8, SQUARE_CRITICAL_BETA).energy.item(), 9)
    -1.491589107
    """
    if L < 3:
        raise ValueError(f"L must be >= 3 on a torus, got {L}")
    betas = _betas(beta, positive=True)
    log_z, energy, heat = np.array([_kaufman_point(L, b) for b in betas]).T
    return _dataset(betas, {"log_z": log_z, "energy": energy, "specific_heat": heat}, L * L)


def _kaufman_point(L: int, beta: float) -> tuple[float, float, float]:
    r = np.arange(2 * L)
    sinh, cosh = np.sinh(2 * beta), np.cosh(2 * beta)
    y = cosh * cosh / sinh - np.cos(pi * r / L)  # cosh gamma_r
    y1 = 2 * cosh * (1 - 1 / sinh**2)
    y2 = 4 * sinh * (1 - 1 / sinh**2) + 8 * cosh**2 / sinh**3
    gamma = np.arccosh(np.maximum(y, 1.0))
    gamma[0] = 2 * beta + log(np.tanh(beta))
    root = np.sqrt(y[1:] ** 2 - 1)
    gamma1, gamma2 = np.empty(2 * L), np.empty(2 * L)
    gamma1[1:], gamma2[1:] = y1 / root, y2 / root - y[1:] * y1**2 / root**3
    gamma1[0], gamma2[0] = 2 + 2 / sinh, -4 * cosh / sinh**2
    # each product as sign * exp(log) with first and second logarithmic derivatives; sinh(0) is kept apart
    half = L / 2
    scaled = half * gamma
    tanh = np.tanh(scaled)
    log_cosh = np.logaddexp(scaled, -scaled)
    d1c, d2c = half * gamma1 * tanh, half * gamma2 * tanh + (half * gamma1) ** 2 * (1 - tanh**2)
    log_sinh = scaled[1:] + np.log1p(-np.exp(-2 * scaled[1:]))
    coth = 1 / tanh[1:]
    d1s, d2s = half * gamma1[1:] * coth, half * gamma2[1:] * coth + (half * gamma1[1:]) ** 2 * (1 - coth**2)
    odd = slice(1, None, 2)
    terms = [
        (log_cosh[odd].sum(), d1c[odd].sum(), d2c[odd].sum(), 1.0, 0.0, 0.0),
        (log_sinh[0::2].sum(), d1s[0::2].sum(), d2s[0::2].sum(), 1.0, 0.0, 0.0),
        (log_cosh[0::2].sum(), d1c[0::2].sum(), d2c[0::2].sum(), 1.0, 0.0, 0.0),
        (
            log_sinh[1::2].sum(), d1s[1::2].sum(), d2s[1::2].sum(),
            2 * np.sinh(scaled[0]), 2 * np.cosh(scaled[0]) * half * gamma1[0],
            2 * np.sinh(scaled[0]) * (half * gamma1[0]) ** 2 + 2 * np.cosh(scaled[0]) * half * gamma2[0],
        ),
    ]  # fmt: skip
    return _combine(terms, L, beta)


def _combine(terms: list[tuple[float, ...]], L: int, beta: float) -> tuple[float, float, float]:
    """ln Z, -d ln Z / d beta and beta^2 d^2 ln Z / d beta^2 per site of Z = prefactor * sum f exp(g)."""
    top = max(term[0] for term in terms)
    z = z1 = z2 = 0.0
    for g, g1, g2, f, f1, f2 in terms:
        w = np.exp(g - top)
        z += w * f
        z1 += w * (f1 + f * g1)
        z2 += w * (f2 + 2 * f1 * g1 + f * (g2 + g1 * g1))
    n = L * L
    coth = 1 / np.tanh(2 * beta)
    log_z = (top + log(z) - log(2)) / n + log(2 * np.sinh(2 * beta)) / 2
    first = z1 / z / n + coth
    second = (z2 / z - (z1 / z) ** 2) / n - 2 / np.sinh(2 * beta) ** 2
    return log_z, -first, beta**2 * second


def enumerate_model(model: IsingModel, beta: ArrayLike) -> xr.Dataset:
    """All 2^n configurations of a small model in Gray-code order.

    Parameters
    ----------
    model
        At most 28 sites.
    beta
        Inverse temperature(s) >= 0.

    Raises
    ------
    ValueError
        Too many sites.
    """
    lattice = model.lattice
    n = lattice.n_sites
    if n > MAX_ENUMERATION:
        raise ValueError(f"enumeration takes at most {MAX_ENUMERATION} sites, got {n}")
    betas = _betas(beta)
    couplings = np.broadcast_to(model.couplings, lattice.n_bonds).astype(np.float64)
    fields = np.broadcast_to(model.fields, n).astype(np.float64)
    reference = -np.abs(couplings).sum() - np.abs(fields).sum()
    sums = _enumerate(lattice.neighbors, lattice.neighbor_bonds, couplings, fields, betas, reference, model.has_field)
    z, e, e2, m1, m2, m4 = sums.T / np.where(np.arange(6) > 0, sums[:, :1], 1.0).T
    energy = reference + e
    log_z = np.log(z) + (0 if model.has_field else log(2)) - betas * reference
    values = {
        "log_z": log_z / n,
        "energy": energy / n,
        "specific_heat": betas**2 * (e2 - e**2) / n,
        **_magnetic(m1 / n, m2 / n**2, m4 / n**4, n),
    }
    return _dataset(betas, values, n)


def _magnetic(
    m1: NDArray[np.float64], m2: NDArray[np.float64], m4: NDArray[np.float64], n: float
) -> dict[str, NDArray[np.float64]]:
    return {
        "magnetization_abs": m1,
        "susceptibility": n * m2,
        "susceptibility_connected": n * (m2 - m1**2),
        "binder": 1 - m4 / (3 * m2**2),
    }


@njit(cache=True, nogil=True)
def _enumerate(neighbors, neighbor_bonds, couplings, fields, betas, reference, has_field):  # type: ignore[no-untyped-def]
    """Sums of w, E w, E^2 w, |M| w, M^2 w, M^4 w with w = exp(-beta (E - reference)), E relative to the reference.

    Without a field the last spin stays up (the global flip is a symmetry).
    """
    n = neighbors.shape[0]
    spins = np.ones(n)
    energy = -couplings.sum() - fields.sum() - reference
    total = float(n)
    sums = np.zeros((betas.size, 6))
    free = n if has_field else n - 1
    for step in range(np.int64(1) << free):
        for b in range(betas.size):
            w = np.exp(-betas[b] * energy)
            sums[b, 0] += w
            sums[b, 1] += w * energy
            sums[b, 2] += w * energy * energy
            sums[b, 3] += w * abs(total)
            sums[b, 4] += w * total * total
            sums[b, 5] += w * total * total * total * total
        i = 0
        while i < free and (step >> i) & 1:
            i += 1
        if i < free:
            local = fields[i]
            for j in range(neighbors.shape[1]):
                if neighbors[i, j] < 0:
                    break
                local += couplings[neighbor_bonds[i, j]] * spins[neighbors[i, j]]
            energy += 2.0 * spins[i] * local
            total -= 2.0 * spins[i]
            spins[i] = -spins[i]
    return sums


def ring(n: int, beta: ArrayLike, J: float = 1.0, h: float = 0.0) -> xr.Dataset:
    """Ring of n spins by its 2 x 2 transfer matrix: ln Z, energy and specific heat per site, any J and h.

    Z = lambda_+^n + lambda_-^n, lambda_+- = e^(beta J) cosh(beta h) +- sqrt(e^(2 beta J) sinh^2(beta h) + e^(-2 beta J)).
    Derivatives are taken in complex arithmetic to machine precision (energy) and by central differences of the energy.

    Examples
    --------
    >>> round(ring(8, 1.0).energy.item(), 9)
    -0.817788402
    """
    if n < 3:
        raise ValueError(f"a ring needs n >= 3 sites, got {n}")
    betas = _betas(beta)

    def log_z(b: NDArray[np.complex128]) -> NDArray[np.complex128]:
        root = np.sqrt(np.exp(2 * b * J) * np.sinh(b * h) ** 2 + np.exp(-2 * b * J))
        plus, minus = np.exp(b * J) * np.cosh(b * h) + root, np.exp(b * J) * np.cosh(b * h) - root
        return np.log(plus) + np.log1p((minus / plus) ** n) / n

    def energy(b: NDArray[np.float64]) -> NDArray[np.float64]:
        return -log_z(b + 1e-30j).imag / 1e-30

    step = 1e-5
    heat = -(betas**2) * (energy(betas + step) - energy(betas - step)) / (2 * step)
    values = {"log_z": log_z(betas + 0j).real, "energy": energy(betas), "specific_heat": heat}
    return _dataset(betas, values, n)


def curie_weiss(n: int, beta: ArrayLike) -> xr.Dataset:
    """Complete graph with J = 1/n: sum over the magnetization, H = -(M^2 - n) / (2 n).

    Parameters
    ----------
    n
        Number of sites, >= 2.
    beta
        Inverse temperature(s) >= 0; the infinite system is critical at 1.

    Examples
    --------
    >>> round(curie_weiss(1024, 1.0).binder.item(), 5)
    0.28129
    """
    if n < 2:
        raise ValueError(f"n must be >= 2, got {n}")
    betas = _betas(beta)
    up = np.arange(n + 1)
    M = 2.0 * up - n
    log_states = gammaln(n + 1) - gammaln(up + 1) - gammaln(n - up + 1)
    energy = -(M**2 - n) / (2 * n)
    log_weight = log_states - betas[:, None] * energy  # (beta, M)
    log_z = logsumexp(log_weight, axis=1)
    p = np.exp(log_weight - log_z[:, None])
    e = p @ energy
    values = {
        "log_z": log_z / n,
        "energy": e / n,
        "specific_heat": betas**2 * (p * (energy - e[:, None]) ** 2).sum(axis=1) / n,
        **_magnetic(p @ np.abs(M) / n, p @ M**2 / n**2, p @ M**4 / n**4, n),
    }
    return _dataset(betas, values, n)


def bethe_critical_beta(degree: int) -> float:
    """Critical beta of the Bethe lattice and of random regular graphs: atanh(1 / (degree - 1)), J = 1.

    Examples
    --------
    >>> round(bethe_critical_beta(7), 6)
    0.168236
    """
    if degree < 3:
        raise ValueError(f"a Bethe lattice orders at finite temperature for degree >= 3, got {degree}")
    return atanh(1 / (degree - 1))


def random_energy_model(n: int, beta: ArrayLike, sigma: float = 1.0) -> xr.Dataset:
    """Leading order of the random energy model of n states with energies N(0, sigma^2) (Derrida 1981).

    x = beta sigma, x_c = sqrt(2 ln n). Below x_c: ln Z = ln n + x^2/2, <E> = -sigma x, C = x^2, S = ln n - x^2/2;
    above: ln Z = x x_c, <E> = -sigma x_c, C = S = 0, <Y2> = 1 - x_c / x. Totals, not per site.
    """
    if n < 2 or not sigma > 0:
        raise ValueError(f"random_energy_model needs n >= 2 and sigma > 0, got n={n}, sigma={sigma}")
    betas = _betas(beta)
    x, x_c = betas * sigma, sqrt(2 * log(n))
    below = x < x_c
    values = {
        "log_z": np.where(below, log(n) + x**2 / 2, x * x_c),
        "energy": -sigma * np.minimum(x, x_c),
        "specific_heat": np.where(below, x**2, 0.0),
        "participation": np.where(below, 0.0, 1 - x_c / np.maximum(x, x_c)),
    }
    values["entropy"] = values["log_z"] + betas * values["energy"]
    return xr.Dataset({name: ("beta", value) for name, value in values.items()}, coords={"beta": betas})
