"""Tokens and FLOPs to a target loss, saved against a baseline: censoring where it is never met, and intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import stdtrit

RESAMPLES = 10_000
LEVEL = 0.95


def smoothed(loss: ArrayLike, width: int = 5) -> np.ndarray:
    """Running minimum of the centred moving average along the last axis: a curve that falls or stays.

    The window holds ``width`` (odd) points and shrinks towards both ends, so that it stays centred.
    """
    values = np.asarray(loss, dtype=float)
    n = values.shape[-1]
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    here = np.arange(n)
    reach = np.minimum(np.minimum(here, n - 1 - here), width // 2)
    mean = (total[..., here + reach + 1] - total[..., here - reach]) / (2 * reach + 1)
    return np.minimum.accumulate(mean, axis=-1)


def first_crossing(x: np.ndarray, falling: np.ndarray, level: float) -> float:
    """Where a falling curve first comes down to ``level``, by linear interpolation; nan if it never does."""
    below = np.flatnonzero(falling <= level)
    if below.size == 0:
        return float("nan")
    i = int(below[0])
    if i == 0:
        return float(x[0])
    share = (falling[i - 1] - level) / (falling[i - 1] - falling[i])
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


def savings(runs: xr.Dataset, baseline: str, fractions: tuple[float, ...] = (0.3, 0.8), width: int = 5) -> xr.Dataset:
    """What each condition saves on the way to the losses that the baseline of the same seed has on its way.

    Saving = 1 - x/x_baseline with x the tokens, or the FLOPs, at which the smoothed validation loss first comes down
    to the target: the smoothed loss of the baseline of that seed at a fraction of the token budget.

    Parameters
    ----------
    runs : xarray.Dataset
        ``validation_loss`` in nats and ``flops`` on (condition, seed, tokens), the same tokens for all runs.
    baseline : str
        One of the conditions.
    fractions : tuple of float
        Of the token budget, in (0, 1].
    width : int
        Points of the moving average, see ``smoothed``.

    Returns
    -------
    xarray.Dataset
        On (target, condition, seed): ``target_loss`` (target, seed), ``tokens_to_target``, ``flops_to_target``,
        ``token_saving``, ``flops_saving`` and ``censored``. A run that never meets the target counts with its whole
        budget, so that its saving is an upper bound; on (target, condition) the paired means with their intervals.
    """
    tokens = runs["tokens"].to_numpy().astype(float)
    loss = smoothed(runs["validation_loss"].transpose("condition", "seed", "tokens").to_numpy(), width)
    flops = runs["flops"].transpose("condition", "seed", "tokens").to_numpy()
    first = runs["condition"].to_numpy().tolist().index(baseline)
    levels = np.array([[np.interp(f * tokens[-1], tokens, curve) for curve in loss[first]] for f in fractions])
    shape = (len(fractions), *loss.shape[:2])
    reached = np.full(shape, np.nan)
    for i, j, k in np.ndindex(shape):
        reached[i, j, k] = first_crossing(tokens, loss[j, k], float(levels[i, k]))
    censored = np.isnan(reached)
    reached[censored] = tokens[-1]
    spent = np.empty(shape)
    for i, j, k in np.ndindex(shape):
        spent[i, j, k] = np.interp(reached[i, j, k], tokens, flops[j, k])
    coords = {"target": list(fractions), "condition": runs["condition"], "seed": runs["seed"]}
    dims = ("target", "condition", "seed")
    table = xr.Dataset(coords=coords)
    table["target_loss"] = ("target", "seed"), levels
    table["tokens_to_target"], table["flops_to_target"], table["censored"] = (
        (dims, reached),
        (dims, spent),
        (dims, censored),
    )
    table["token_saving"] = dims, 1.0 - reached / reached[:, [first]]
    table["flops_saving"] = dims, 1.0 - spent / spent[:, [first]]
    for name in ("token_saving", "flops_saving"):
        table = table.merge(paired_interval(table[name]))
    table["target"].attrs = {"long_name": "fraction of the baseline's tokens at which its loss is the target"}
    return table


def paired_interval(differences: xr.DataArray, seed: int = 0) -> xr.Dataset:
    """Mean over ``seed`` with 95 % intervals: Student's t, and the percentiles of the bootstrap of seeds.

    Variables ``X_mean``, ``X_t`` and ``X_bootstrap`` (bound: "low", "high") for an array named X; with one seed the
    intervals are nan.
    """
    name = differences.name
    values = differences.transpose(..., "seed")
    n = values.sizes["seed"]
    mean = values.mean("seed")
    error = values.std("seed", ddof=1) / np.sqrt(n) if n > 1 else xr.full_like(mean, np.nan)
    half = error * (stdtrit(n - 1, 0.5 + LEVEL / 2.0) if n > 1 else np.nan)
    picks = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    means = values.to_numpy()[..., picks].mean(axis=-1)  # (..., resample)
    ends = np.quantile(means, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0], axis=-1)
    bound = xr.DataArray(["low", "high"], dims="bound", name="bound")
    bootstrap = xr.DataArray(
        ends if n > 1 else np.full_like(ends, np.nan), dims=("bound", *mean.dims), coords=mean.coords
    )
    student = xr.concat([mean - half, mean + half], dim="bound")
    variables = {f"{name}_mean": mean, f"{name}_t": student, f"{name}_bootstrap": bootstrap}
    return xr.Dataset(variables).assign_coords(bound=bound)
