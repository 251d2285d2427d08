"""The main product: where the entropy corridor of an attention controller lies relative to a system's critical point.

A corridor is an entropy band under ln n: H in [ln n - 1.3, ln n - 0.9] nats. Entropy falls with beta, so the band is an
interval [beta_low, beta_high], and the question is how far its ends are from beta_c.

For an attention head the row is its n visible keys. A spin system has two readings: `total`, where the row is the list
of all 2^N configurations and H the total entropy S(beta); and `site`, where the row is the two states of a spin given
its neighbours, H the mean conditional entropy h2 per site, and the corridor the fraction of ln 2 at which heads of n
visible keys sit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from json import dumps
from math import log, nan, sqrt
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

import analysis
import ising

from . import arguments as rules
from . import attention
from .provenance import versions
from .spin_corridor import CORRIDOR, Corridor, site_corridor, site_entropy, total_corridor
from .thermostat import zeta
from .training.trace import head_scores

__all__ = [
    "Corridor",
    "System",
    "compare",
    "head_corridor",
    "head_systems",
    "rem_systems",
    "site_corridor",
    "site_entropy",
    "spin_systems",
    "total_corridor",
]

MEASURED_SEQUENCES = 16
RESOLVED = 0.2  # largest relative error of a beta_c that counts

J_OR_SCORE = "1/J or 1/score"
COLUMNS = {
    "system": ("system", "1", "name"),
    "size": ("size: L, number of sites, visible keys, or a head's name", "1", "name"),
    "reading": ("whose entropy the corridor limits: head, site or total", "1", "name"),
    "beta_c": (
        "pseudo-critical inverse temperature of this size",
        J_OR_SCORE,
        "argmax of C; of size infinite: see method",
    ),
    "beta_c_error": ("error of beta_c (one standard deviation)", J_OR_SCORE, "jackknife"),
    "method": ("how beta_c was estimated", "1", "words"),
    "beta_low": ("beta at the corridor's upper entropy edge", J_OR_SCORE, "H(beta) = the upper edge"),
    "beta_high": ("beta at the corridor's lower entropy edge", J_OR_SCORE, "H(beta) = the lower edge"),
    "beta_low_error": ("error of beta_low (one standard deviation)", J_OR_SCORE, "jackknife over chains or blocks"),
    "beta_high_error": (
        "error of beta_high (one standard deviation)",
        J_OR_SCORE,
        "jackknife over chains or sequences",
    ),
    "band_low": ("lower end of the half-maximum band of C", J_OR_SCORE, "C(beta) = C(beta_c)/2"),
    "band_high": ("upper end of the half-maximum band of C", J_OR_SCORE, "C(beta) = C(beta_c)/2"),
    "beta_in_use": ("beta that the head ran at; NaN where nothing runs", "1/score", "softmax(beta q.k)"),
    "resolved": ("whether the peak of C is resolved", "1", f"beta_c_error / beta_c <= {RESOLVED}"),
    "u_low": ("reduced distance of beta_low", "1", "|beta_low - beta_c| / beta_c"),
    "u_high": ("reduced distance of beta_high", "1", "|beta_high - beta_c| / beta_c"),
    "zeta_low": ("correlation-length proxy at beta_low", "1", "1 / max(u_low, u_min)^nu"),
    "zeta_high": ("correlation-length proxy at beta_high", "1", "1 / max(u_high, u_min)^nu"),
    "near_critical": ("whether the whole corridor is near-critical", "1", "1/2 <= beta / beta_c <= 2"),
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
    beta_low_error: float = nan
    beta_high_error: float = nan

    def __post_init__(self) -> None:
        for name in ("system", "size", "reading", "method"):
            rules.text(name, getattr(self, name))
        for name in ("beta_c", "beta_c_error", "beta_low", "beta_high", "band_low", "band_high", "beta_in_use"):
            rules.reading(name, getattr(self, name))
        rules.check_fields(self, beta_low_error=rules.reading, beta_high_error=rules.reading)


@rules.checked(u_min=rules.positive, nu=rules.exponent)
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
        No systems, or something else in their place.
    """
    if not isinstance(systems, Iterable):
        rules.refuse("systems", "corridor.System entries", systems)
    try:
        systems = list(systems)
    except Exception:  # a foreign object may raise anything
        rules.refuse("systems", "corridor.System entries", systems)
    strangers = [system for system in systems if not isinstance(system, System)]
    if strangers:
        raise ValueError(f"systems must be corridor.System entries, got {rules.shown(strangers[0])}; see spin_systems")
    rows = [asdict(system) for system in systems]
    if not rows:
        raise ValueError("compare needs at least one system, got none; see spin_systems, rem_systems, head_systems")
    table = xr.Dataset({f.name: ("entry", [row[f.name] for row in rows]) for f in fields(System)})
    for end in ("low", "high"):
        table[f"u_{end}"] = np.abs(table[f"beta_{end}"] - table.beta_c) / table.beta_c
        table[f"zeta_{end}"] = "entry", zeta(table[f"beta_{end}"].values, table.beta_c.values, u_min, nu)
    ratio = [table[f"beta_{end}"] / table.beta_c for end in ("low", "high")]
    table["near_critical"] = (ratio[0] >= 0.5) & (ratio[1] <= 2.0)
    table["resolved"] = table.beta_c_error <= RESOLVED * table.beta_c
    for name, (long_name, units, formula) in COLUMNS.items():
        table[name].attrs = {"long_name": long_name, "units": units, "formula": formula}
    limits = f"H in [ln n - {CORRIDOR[1]}, ln n - {CORRIDOR[0]}] nats"
    return table.assign_attrs(u_min=u_min, nu=nu, corridor=limits, versions=dumps(versions()))


def groups(table: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """The entries of each system and reading, with their name."""
    labels = np.array([f"{s.item()}, {r.item()}" for s, r in zip(table.system, table.reading)])
    for label in dict.fromkeys(labels.tolist()):
        yield label.removesuffix(", head"), table.isel(entry=labels == label)


@rules.checked(
    name=rules.text,
    models=rules.kind(Mapping, "{8: model}"),
    visible_keys=rules.count,
    seed=rules.seed,
    progress=rules.flag,
)
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
        corridors = {
            "site": site_corridor(model, 2.0 * limit.value, visible_keys, seed, progress),
            "total": total_corridor(model, seed, progress),
        }
        for reading, ends in corridors.items():
            entries.append(
                System(
                    name, str(size), reading if reading == "total" else f"site, n={visible_keys}",
                    float(peak.beta_peak), float(peak.beta_peak_error), "peak of the specific heat",
                    band_low=float(peak.beta_low), band_high=float(peak.beta_high), **asdict(ends),
                )
            )  # fmt: skip
    site, reading = corridors["site"], entries[-2].reading
    entries.append(System(name, "infinite", reading, limit.value, limit.error, limit.method, **asdict(site)))
    return entries


@rules.checked(sizes=rules.shaped("size", rule=rules.tokens), rows=rules.count, seed=rules.seed)
def rem_systems(sizes: Iterable[int] = (16, 64, 256, 1024), rows: int = 2048, seed: int = 0) -> list[System]:
    """Random energy model: heads whose scores are independent N(0, 1), n visible keys, `rows` rows each."""
    entries = []
    for n in sizes:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(n,)))
        count = max(64, min(rows, 2**19 // n))
        scores = rng.standard_normal((16, count // 16, n))
        entries.append(head_system("random energy model", str(n), scores))
    return entries


@rules.checked(name=rules.text, initial=rules.flag)
def head_systems(name: str, run: xr.Dataset, text: str | None = None, initial: bool = False) -> list[System]:
    """One entry per head of a training run, measured on validation text, before or after training."""
    scores = head_scores(run, text, initial, sequences=MEASURED_SEQUENCES)
    beta = run["beta"].isel(step=0 if initial else -1)
    return [
        head_system(
            name, f"layer {layer} head {head}", scores[layer, head].values, float(beta[layer, head])
        )
        for layer in range(scores.sizes["layer"])
        for head in range(scores.sizes["head"])
    ]  # fmt: skip


def head_system(name: str, size: str, scores: NDArray[np.float64], beta_in_use: float = nan) -> System:
    """Entry of one head from its scores (block, row, key), -inf where a key is hidden.

    beta_c is the peak of C over all rows, its error the jackknife over blocks, such as sequences.
    """
    together = scores.reshape(-1, scores.shape[-1])
    peak = attention.specific_heat_peak(together)
    blocks = len(scores)
    left_out = [
        float(attention.pseudo_critical_beta(np.delete(scores, k, axis=0).reshape(-1, scores.shape[-1])))
        for k in range(blocks)
    ]
    error = sqrt((blocks - 1) * float(np.var(left_out)))
    return System(
        name, size, "head", float(peak.beta_c), error, "peak of C over the head's rows", band_low=float(peak.low),
        band_high=float(peak.high), beta_in_use=beta_in_use, **asdict(head_corridor(scores)),
    )  # fmt: skip


def head_corridor(scores: ArrayLike) -> Corridor:
    """Beta range in which the head's mean entropy over rows is ln n - [0.9, 1.3] (row by row, floored at 0).

    Scores (block, rows, keys), or (rows, keys) without errors; rows with at least 8 visible keys count. The errors are
    jackknife errors over blocks, each replica one Newton step from the end.
    """
    blocks = rules.readings("scores", scores)
    blocks = blocks[None] if blocks.ndim == 2 else blocks
    if blocks.ndim != 3:
        raise ValueError(f"scores must have the axes (block, row, key) or (row, key), got shape {blocks.shape}")
    visible_keys = np.isfinite(blocks).sum(axis=-1)  # (block, row)
    counted = visible_keys >= attention.MINIMUM_VISIBLE
    if not counted.any():
        raise ValueError(f"scores need a row with {attention.MINIMUM_VISIBLE} visible keys, got {visible_keys.max()}")
    rows, log_n, block = blocks[counted], np.log(visible_keys[counted]), np.nonzero(counted)[0]
    ends = [_head_end(rows, np.maximum(log_n - depth, 0.0), block) for depth in CORRIDOR]
    (low, low_error), (high, high_error) = ends
    return Corridor(low, high, low_error, high_error)


def _head_end(rows: NDArray[np.float64], targets: NDArray[np.float64], block: NDArray[np.intp]) -> tuple[float, float]:
    """Beta where the mean entropy of the rows is the mean target, and its error; NaN where the scores are equal."""
    sigma = float(attention.sigma_qk(rows).mean())

    def excess(log_beta: float) -> NDArray[np.float64]:
        return attention.entropy(rows, np.exp(log_beta)) - targets

    limits = (log(1e-3 / sigma), log(1e3 / sigma)) if sigma > 0.0 else (0.0, 0.0)
    if excess(limits[1]).mean() >= 0.0:
        return nan, nan
    log_beta = brentq(lambda trial: float(excess(trial).mean()), *limits, xtol=1e-8)
    beta, left = float(np.exp(log_beta)), excess(log_beta)
    sums, counts = np.bincount(block, left), np.bincount(block)
    if len(sums) == 1:
        return beta, nan
    slope = beta * float(attention.score_variance(rows, beta).mean())  # -dH/dbeta
    replicas = (sums.sum() - sums) / (counts.sum() - counts) / slope
    return beta, sqrt((len(sums) - 1) * float(np.var(replicas)))
