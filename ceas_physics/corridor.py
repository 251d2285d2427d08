"""The main product: where the entropy corridor of an attention controller lies relative to a system's critical point.

A corridor is an entropy band under ln n: H in [ln n - 1.3, ln n - 0.9] nats. Entropy falls with beta, so the band is an
interval [beta_low, beta_high], and the question is how far its ends are from beta_c.

For an attention head the row is its n visible keys. A spin system has two readings: `total`, where the row is the list
of all 2^N configurations and H the total entropy S(beta); and `site`, where the row is the two states of a spin given
its neighbours, H the mean conditional entropy h2 per site, and the corridor the fraction of ln 2 at which heads of n
visible keys sit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from math import log, nan, sqrt
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

import analysis
import ising

from . import attention
from .thermostat import Thermostat, entropy_below, zeta
from .trace import head_scores

CORRIDOR = Thermostat().corridor
SITE_SCHEDULE = ising.Schedule(warmup=200, draws=100)
MEASURED_SEQUENCES = 16

COLUMNS = {
    "system": ("system", "1"),
    "size": ("size: L, number of sites, visible keys, or a head's name", "1"),
    "reading": ("whose entropy the corridor limits: head, site or total", "1"),
    "beta_c": ("pseudo-critical inverse temperature of this size", "1/J or 1/score"),
    "beta_c_error": ("error of beta_c (one standard deviation)", "1/J or 1/score"),
    "method": ("how beta_c was estimated", "1"),
    "beta_low": ("beta at the corridor's upper entropy edge", "1/J or 1/score"),
    "beta_high": ("beta at the corridor's lower entropy edge", "1/J or 1/score"),
    "band_low": ("lower end of the half-maximum band of C", "1/J or 1/score"),
    "band_high": ("upper end of the half-maximum band of C", "1/J or 1/score"),
    "beta_in_use": ("beta that the head ran at; NaN where nothing runs", "1/score"),
    "u_low": ("reduced distance |beta_low - beta_c| / beta_c", "1"),
    "u_high": ("reduced distance |beta_high - beta_c| / beta_c", "1"),
    "zeta_low": ("correlation-length proxy 1 / max(u_low, u_min)^nu", "1"),
    "zeta_high": ("correlation-length proxy 1 / max(u_high, u_min)^nu", "1"),
    "near_critical": ("whether the whole corridor has beta / beta_c in [1/2, 2]", "1"),
}


@dataclass(frozen=True)
class System:
    """One entry of the comparison: a critical point and a corridor on the same axis. Fields as in `COLUMNS`."""

    system: str
    size: str
    reading: str
    beta_c: float
    beta_c_error: float
    method: str
    beta_low: float
    beta_high: float
    band_low: float = nan
    band_high: float = nan
    beta_in_use: float = nan


def compare(systems: Iterable[System], u_min: float = 0.06, nu: float = 1.0) -> xr.Dataset:
    """Put systems on one axis of beta / beta_c.

    Parameters
    ----------
    systems
        From `spin_systems`, `rem_systems`, `head_systems`, or made by hand.
    u_min, nu
        Margin and exponent of zeta = 1 / max(u, u_min)^nu, u = |beta - beta_c| / beta_c.

    Returns
    -------
    xarray.Dataset
        Dimension `entry`; variables as in `COLUMNS`.

    Raises
    ------
    ValueError
        No systems.
    """
    rows = [asdict(system) for system in systems]
    if not rows:
        raise ValueError("compare needs at least one system, got none; see spin_systems, rem_systems, head_systems")
    table = xr.Dataset({f.name: ("entry", [row[f.name] for row in rows]) for f in fields(System)})
    for end in ("low", "high"):
        table[f"u_{end}"] = np.abs(table[f"beta_{end}"] - table.beta_c) / table.beta_c
        table[f"zeta_{end}"] = "entry", zeta(table[f"beta_{end}"].values, table.beta_c.values, u_min, nu)
    ratio = [table[f"beta_{end}"] / table.beta_c for end in ("low", "high")]
    table["near_critical"] = (ratio[0] >= 0.5) & (ratio[1] <= 2.0)
    for name, (long_name, units) in COLUMNS.items():
        table[name].attrs = {"long_name": long_name, "units": units}
    return table.assign_attrs(u_min=u_min, nu=nu, corridor=f"H in [ln n - {CORRIDOR[1]}, ln n - {CORRIDOR[0]}] nats")


def spin_systems(
    name: str,
    models: Mapping[Any, ising.IsingModel],
    data: xr.Dataset | list[xr.Dataset],
    visible_keys: int = 64,
    seed: int = 0,
    progress: bool = True,
) -> list[System]:
    """Two entries (readings `site` and `total`) for each size of a spin system.

    beta_c of a size is the peak of the specific heat, the observable that is also measured on heads; one entry more,
    size `infinite`, has the critical point to which the Binder crossings point, with the site corridor of the largest.

    Parameters
    ----------
    name
        Printed in the table.
    models
        Size -> model, in the order of the data.
    data
        From `ising.sample_sizes` over the same sizes, beta range around the peaks.
    visible_keys
        The n whose fractions (ln n - [1.3, 0.9]) / ln n of ln 2 are the site corridor.
    seed, progress
        As in `ising.sample`.
    """
    maxima = analysis.peaks(data)
    limit = analysis.critical_beta(data)
    entries: list[System] = []
    for k, (size, model) in enumerate(models.items()):
        peak = maxima.isel(L=k)
        ends = {
            "site": site_corridor(model, 2.0 * limit.value, visible_keys, seed, progress),
            "total": total_corridor(model, seed, progress),
        }
        for reading, (low, high) in ends.items():
            entries.append(
                System(
                    name, str(size), reading if reading == "total" else f"site, n={visible_keys}",
                    float(peak.beta_peak), float(peak.beta_peak_error), "peak of the specific heat", low, high,
                    float(peak.beta_low), float(peak.beta_high),
                )
            )  # fmt: skip
    last = entries[-2]
    entries.append(
        System(name, "infinite", last.reading, limit.value, limit.error, limit.method, last.beta_low, last.beta_high)
    )
    return entries


def site_entropy(model: ising.IsingModel, beta: ArrayLike, spins: ArrayLike) -> NDArray[np.float64]:
    """Mean conditional entropy per site, H = mean_i h2(sigma(2 beta I_i)) nats, I_i the local field of site i.

    Parameters
    ----------
    model
        The model.
    beta
        (n_beta,) inverse temperatures.
    spins
        (n_beta, n_chains, n_sites) configurations in equilibrium.

    Returns
    -------
    (n_beta,) nats, at most ln 2.
    """
    lattice = model.lattice
    weights = np.broadcast_to(model.couplings, lattice.n_bonds)[lattice.neighbor_bonds] * (lattice.neighbors >= 0)
    fields_ = np.broadcast_to(model.fields, lattice.n_sites)
    mean = []
    for b, configurations in zip(np.atleast_1d(beta), np.asarray(spins)):
        local = np.einsum("csj,sj->cs", configurations[:, lattice.neighbors].astype(float), weights) + fields_
        x = 2.0 * b * np.abs(local)
        # h2 of p = 1 / (1 + e^-x): ln(1 + e^-x) + x / (1 + e^x)
        mean.append(float((np.log1p(np.exp(-x)) + x * np.exp(-x) / (1.0 + np.exp(-x))).mean()))
    return np.array(mean)


def site_corridor(
    model: ising.IsingModel, beta_max: float, visible_keys: int, seed: int = 0, progress: bool = True
) -> tuple[float, float]:
    """Beta range in which the mean conditional entropy per site is (ln n - [0.9, 1.3]) / ln n of ln 2."""
    grid = np.linspace(0.0, beta_max, 25)[1:]
    data = ising.sample(
        model, grid, SITE_SCHEDULE, update="heat_bath", chains=64, seed=seed, progress=progress, observables=["energy"]
    )
    entropy = site_entropy(model, grid, data.spins.values)
    targets = [log(2) * (log(visible_keys) - depth) / log(visible_keys) for depth in CORRIDOR]
    return _invert(np.r_[0.0, grid], np.r_[log(2), entropy], targets)


def total_corridor(model: ising.IsingModel, seed: int = 0, progress: bool = True) -> tuple[float, float]:
    """Beta range in which the total entropy S is ln 2^N - [0.9, 1.3]; near sqrt(2 d) / sqrt(sum J^2).

    N ln 2 - S = int_0^beta <E> - beta <E>, with <E> = -A beta - B beta^2 - C beta^3, A = sum J^2 exact and B, C fitted.
    """
    if model.has_field:
        raise ValueError("total_corridor expands around beta = 0 without field, got a model with a field")
    couplings = np.broadcast_to(model.couplings, model.lattice.n_bonds)
    width = sqrt(float((couplings**2).sum()))
    grid = np.linspace(0.5, 2.5, 8) / width
    data = ising.sample(
        model, grid, SITE_SCHEDULE, update="heat_bath", chains=64, seed=seed, progress=progress, observables=["energy"]
    )
    x = grid * width
    mean = data.energy.mean(["chain", "draw"]).values * model.lattice.n_sites / width  # -x - b x^2 - c x^3
    (b, c), *_ = np.linalg.lstsq(np.stack([x**2, x**3], axis=-1), -mean - x, rcond=None)
    fine = np.linspace(0.0, 2.5, 1001)
    loss = fine**2 / 2 + 2 * b * fine**3 / 3 + 3 * c * fine**4 / 4  # N ln 2 - S
    return _invert(fine / width, -loss, [-depth for depth in CORRIDOR])


def _invert(beta: NDArray[np.float64], falling: NDArray[np.float64], targets: list[float]) -> tuple[float, float]:
    """Beta at which a falling curve takes the two targets, NaN beyond its range."""
    low, high = (
        float(np.interp(-target, -np.minimum.accumulate(falling), beta, left=nan, right=nan)) for target in targets
    )
    return low, high


def rem_systems(sizes: Iterable[int] = (16, 64, 256, 1024), rows: int = 2048, seed: int = 0) -> list[System]:
    """Random energy model: heads whose scores are independent N(0, 1), n visible keys, `rows` rows each."""
    entries = []
    for n in sizes:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,)))
        count = max(64, min(rows, 2**19 // n))
        scores = rng.standard_normal((16, count // 16, n))
        entries.append(_head_entry("random energy model", str(n), scores))
    return entries


def head_systems(name: str, run: xr.Dataset, text: str | None = None, initial: bool = False) -> list[System]:
    """One entry per head of a training run, measured on validation text, before or after training."""
    scores = head_scores(run, text, initial, sequences=MEASURED_SEQUENCES)
    beta = run["beta"].isel(step=0 if initial else -1)
    return [
        _head_entry(
            name, f"layer {layer} head {head}", scores[layer, head].values, float(beta[layer, head])
        )
        for layer in range(scores.sizes["layer"])
        for head in range(scores.sizes["head"])
    ]  # fmt: skip


def _head_entry(name: str, size: str, scores: NDArray[np.float64], beta_in_use: float = nan) -> System:
    """Entry of a head from scores (block, rows, keys); the error of beta_c is the jackknife over blocks."""
    together = scores.reshape(-1, scores.shape[-1])
    peak = attention.specific_heat_peak(together)
    blocks = len(scores)
    left_out = [
        float(attention.pseudo_critical_beta(np.delete(scores, k, axis=0).reshape(-1, scores.shape[-1])))
        for k in range(blocks)
    ]
    error = sqrt((blocks - 1) * float(np.var(left_out)))
    low, high = head_corridor(together)
    return System(
        name, size, "head", float(peak.beta_c), error, "peak of C over the head's rows", low, high,
        float(peak.low), float(peak.high), beta_in_use,
    )  # fmt: skip


def head_corridor(scores: ArrayLike) -> tuple[float, float]:
    """Beta range in which the head's mean entropy over rows is ln n - [0.9, 1.3] (row by row, floored at 0)."""
    rows = np.asarray(scores, dtype=float)
    visible_keys = np.isfinite(rows).sum(axis=-1)
    rows, visible_keys = rows[visible_keys >= 8], visible_keys[visible_keys >= 8]
    sigma = float(attention.sigma_qk(rows).mean())
    low, high = (_beta_at_entropy(rows, sigma, entropy_below(visible_keys, depth)) for depth in CORRIDOR)
    return low, high


def _beta_at_entropy(rows: NDArray[np.float64], sigma: float, target: float) -> float:
    def excess(log_beta: float) -> float:
        return float(attention.entropy(rows, np.exp(log_beta)).mean()) - target

    ends = log(1e-3 / sigma), log(1e3 / sigma)
    return float(np.exp(brentq(partial(excess), *ends, xtol=1e-8))) if excess(ends[1]) < 0 else nan
