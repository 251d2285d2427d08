"""Accuracy against beta: where it peaks, where it rises, and which betas cannot be told from the best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from .. import arguments as rules

DISTINCT = 2.0  # paired standard errors by which a beta must lie under the best to count as worse


@rules.checked(data=rules.kind(xr.Dataset, "search.measure(...)"))
def summarize(data: xr.Dataset, quantity: str = "accuracy") -> xr.Dataset:
    """Mean curves over seeds with standard errors, and their peak and threshold after every training length.

    Parameters
    ----------
    data : xarray.Dataset
        From ``measure``, beta rising.
    quantity : {"accuracy", "weight"}

    Returns
    -------
    xarray.Dataset
        ``mean``, ``error`` on (steps, beta). On (steps,): ``best_beta``, the vertex of a parabola in ln beta through
        the highest mean and its neighbours, nan at an end of the grid; ``plateau_low``, ``plateau_high``, the betas
        around the highest mean that lie under it by less than 2 paired standard errors; ``threshold_beta``, where the
        mean first passes half of the exact posterior's accuracy (straight lines in ln beta), nan if it never does or
        does at the first beta already. Errors ``*_error`` by jackknife over seeds; both are nan too if leaving one seed
        out does it.
    """
    rules.one_of("accuracy", "weight")("quantity", quantity)
    rules.table_with(quantity, "beta", "bayes_accuracy", "steps", source="search.measure")("data", data)
    if set(data[quantity].dims) != {"steps", "beta", "seed"} or data.sizes["seed"] < 2:
        raise ValueError(f"data must have the dimensions steps, beta and 2 or more of seed, got {dict(data.sizes)}")
    rules.readings("data", data[quantity].values)
    if not np.isfinite(data[quantity]).all() or not (data["beta"] > 0).all():
        raise ValueError(f"data must hold finite {quantity} and beta > 0")
    values = data[quantity].transpose("steps", "beta", "seed").to_numpy()
    log_beta = np.log(data["beta"].to_numpy())
    if np.any(np.diff(log_beta) <= 0.0) or len(log_beta) < 3:
        raise ValueError(f"data must have at least 3 rising betas for a curve, got {data['beta'].values}")
    half = data["bayes_accuracy"].to_numpy() / 2.0
    table = xr.Dataset(coords={"steps": data["steps"], "beta": data["beta"]})
    error = values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1])
    table["mean"] = ("steps", "beta"), values.mean(axis=-1), {"long_name": f"mean {quantity}", "units": "1"}
    table["error"] = ("steps", "beta"), error, {"long_name": "standard error over seeds", "units": "1"}
    finders: dict[str, Callable[[np.ndarray, float], float]] = {
        "best_beta": lambda curve, _: _peak(log_beta, curve),
        "threshold_beta": lambda curve, level: _crossing(log_beta, curve, level),
    }
    for name, find in finders.items():
        found = np.array([_jackknife(curves, half, find) for curves in values])  # ln beta and its error
        table[name] = "steps", np.exp(found[:, 0]), {"long_name": name.replace("_", " "), "units": "1/score"}
        table[f"{name}_error"] = "steps", np.exp(found[:, 0]) * found[:, 1], {"units": "1/score"}
    plateau = np.exp([[log_beta[k] for k in _plateau(curves)] for curves in values])
    for k, end in enumerate(("low", "high")):
        table[f"plateau_{end}"] = "steps", plateau[:, k], {"units": "1/score"}
    return table


def _jackknife(curves: np.ndarray, half: np.ndarray, find: Callable[[np.ndarray, float], float]) -> tuple[float, float]:
    """A feature of the mean of curves (beta, seed) and its error; nan if it is lost without one of the seeds."""
    n_seeds = curves.shape[-1]
    parts = [
        find(np.delete(curves, k, axis=-1).mean(axis=-1), float(np.delete(half, k).mean())) for k in range(n_seeds)
    ]
    if np.isnan(parts).any():
        return np.nan, np.nan
    return find(curves.mean(axis=-1), float(half.mean())), float(np.std(parts) * np.sqrt(n_seeds - 1))


def _peak(x: np.ndarray, curve: np.ndarray) -> float:
    top = int(curve.argmax())
    if top in (0, len(x) - 1):
        return np.nan
    near = slice(top - 1, top + 2)
    curvature, slope, _ = np.polyfit(x[near] - x[top], curve[near], 2)
    return float(x[top] - slope / (2.0 * curvature)) if curvature < 0.0 else float(x[top])


def _crossing(x: np.ndarray, curve: np.ndarray, level: float) -> float:
    above = np.flatnonzero(curve >= level)
    if not above.size or above[0] == 0:
        return np.nan
    k = int(above[0])
    return float(np.interp(level, curve[k - 1 : k + 1], x[k - 1 : k + 1]))


def _plateau(curves: np.ndarray) -> tuple[int, int]:
    """First and last index around the highest mean that is not distinctly lower; curves (beta, seed)."""
    top = int(curves.mean(axis=-1).argmax())
    deficit = curves[top] - curves
    error = deficit.std(axis=-1, ddof=1) / np.sqrt(curves.shape[-1])
    worse = np.flatnonzero(deficit.mean(axis=-1) > DISTINCT * error)
    below, above = worse[worse < top], worse[worse > top]
    return (below[-1] + 1 if below.size else 0), (above[0] - 1 if above.size else len(curves) - 1)
