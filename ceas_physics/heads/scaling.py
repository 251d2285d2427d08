"""Finite-size scaling of heads: the peak of C(beta) of rows with exactly n visible keys, against n.

The same questions as for an Ising system of growing size: where is the pseudo-critical beta_c(n), how high and how wide
is the peak. `laws` compares beta_c(n) with the published laws, `sharpening` tells whether peaks get sharper with n.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import nan, prod, sqrt
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from ising.streams import check_seed

from .. import arguments as rules
from ..attention import GRID, MINIMUM_VISIBLE, _half_maximum
from ..models import Bert, Llama, load
from ..provenance import versions
from .kernels import scan
from .rows import GaussianRows, LayerRows, rows_of_arrays, rows_of_model
from .single import Head, _peak, _self_consistent
from .sources import QueriesKeys, Scores

SIZES = (16, 32, 64, 128, 256, 512)
EDGE_STEPS = 4  # of Newton's method, from an edge known to 0.5 %

VARIABLES = {
    "beta_c": ("pseudo-critical point of rows of n keys", "1/score", "argmax over beta of the row-averaged C(beta)"),
    "height": ("specific heat at beta_c", "1", "C(beta_c)"),
    "low": ("lower end of the half-maximum band", "1/score", "C(beta) = C(beta_c)/2; 0 where C stays above"),
    "high": ("upper end of the half-maximum band", "1/score", "C(beta) = C(beta_c)/2; inf where C stays above"),
    "relative_width": ("relative width of the peak", "1", "(high - low) / beta_c"),
    "sigma": ("within-row standard deviation of the scores", "score", "over the n visible keys of a row, then mean"),
    "gap": ("distance of the largest score from the mean of the others", "score", "mean over rows"),
    "beta_self_consistent": ("self-consistent estimate of beta_c", "1/score", "the root of beta sigma = sqrt(2 H)"),
    "heat": ("row-averaged specific heat", "1", "C = beta^2 Var_p[s] at beta = exp(log_beta_sigma) / sigma"),
    "entropy": ("row-averaged entropy", "nat", "H = -sum p ln p at beta = exp(log_beta_sigma) / sigma"),
}
ERRORS = {
    "beta_c_error": ("error of beta_c", "1/score"),
    "height_error": ("error of the height", "1"),
    "relative_width_error": ("error of the relative width", "1"),
    "sigma_error": ("error of sigma", "score"),
    "log_beta_c_error": ("error of ln beta_c", "1"),
    "log_beta_c_sigma_error": ("error of ln(beta_c sigma)", "1"),
    "log_beta_c_gap_error": ("error of ln(beta_c gap)", "1"),
    "log_beta_c_entropy_error": ("error of ln beta_c against the beta where H is H(beta_c)", "1"),
    "log_beta_c_over_self_consistent_error": ("error of ln(beta_c / beta_self_consistent)", "1"),
}


def check_sizes(sizes: Sequence[int]) -> list[int]:
    """The n in order; ValueError unless they are 2 or more, different and large enough."""
    found = sorted(rules.tokens("sizes", sizes))
    if len(found) < 2 or len(set(found)) < len(found) or found[0] < MINIMUM_VISIBLE:
        raise ValueError(f"sizes must be 2 or more different numbers of keys, each >= {MINIMUM_VISIBLE}, got {sizes}")
    return found


@rules.checked(
    sizes=rules.shaped("size", rule=rules.tokens),
    passages=rules.count,
    rows=rules.count,
    control=rules.flag,
    seed=rules.seed,
    progress=rules.flag,
)
def scaling(
    source: str | Path | Bert | Llama | Scores | QueriesKeys | GaussianRows,
    text: str | Path | ArrayLike | None = None,
    *,
    sizes: Sequence[int] = SIZES,
    passages: int = 40,
    rows: int = 32,
    control: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> xr.Dataset:
    """Peak of C(beta) of every head for rows with exactly n visible keys.

    Parameters
    ----------
    source
        As for `heads.measure`, or `GaussianRows`: independent scores, with a planted key or without.
    text
        As for `heads.measure`; not for arrays and `GaussianRows`.
    sizes
        The n, 2 or more different ones, each >= 8. A decoder gives one row a passage and n (the query at position n of
        passages of the largest size); an encoder reads passages of n tokens; arrays need rows with n visible keys.
    passages
        Most passages of a size.
    rows
        Most queries of a passage of an encoder.
    control
        Also measure the same model with random weights.
    seed, progress
        As for `heads.measure`.

    Returns
    -------
    xarray.Dataset
        Dimensions (system, layer, head, n): variables as in `VARIABLES`, errors (one standard deviation, jackknife over
        passages or blocks of rows, first order) as in `ERRORS`; ``n_rows`` (system, n) tells how many rows a head has.
        Heads whose scores are all equal have beta_c NaN.

    Raises
    ------
    ValueError
        As `heads.measure`; or a size is too small, twice there, or has no rows.

    Examples
    --------
    >>> data = scaling(GaussianRows(rows=64), sizes=(16, 64))
    >>> dict(data.beta_c.sizes)
    {'system': 1, 'layer': 1, 'head': 1, 'n': 2}
    """
    check_seed(seed)
    sizes = check_sizes(sizes)
    if text is not None and isinstance(source, Scores | QueriesKeys | GaussianRows):
        raise ValueError("arrays and random rows take no text: leave it out")
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    attrs: dict[str, float] = {"d_k": nan, "n_parameters": nan}
    if isinstance(source, GaussianRows):
        attrs["beta_0"] = 1.0 / source.sigma
        layers = {source.name: [{n: source.draw(n, seed) for n in sizes}]}
    elif isinstance(source, Scores | QueriesKeys):
        attrs |= {"d_k": source.d_k, "beta_0": source.d_k**-0.5}
        layers = {source.name: rows_of_arrays(source, sizes)}
    else:
        model = source if isinstance(source, Bert | Llama) else load(source)
        attrs |= {"d_k": model.shape.d_k, "beta_0": model.shape.d_k**-0.5}
        attrs["n_parameters"] = sum(prod(shape) for shape in model.shape.parameter_shapes().values())
        models = [model, model.untrained(seed)] if control else [model]
        layers = {entry.name: rows_of_model(entry, text, sizes, passages, rows) for entry in models}
    tables = [_table(found, sizes, name, progress) for name, found in layers.items()]
    return _described(xr.concat(tables, xr.IndexVariable("system", list(layers))), attrs, seed)


def _table(layers: list[LayerRows], sizes: Sequence[int], name: str, progress: bool) -> xr.Dataset:
    """One system's table (layer, head, n); heads are shared out among the cores."""
    heads = len(layers[0][sizes[0]])
    jobs = [found[n][head] for found in layers for head in range(heads) for n in sizes]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        bar = tqdm(total=len(jobs), disable=not progress, desc=f"{name}: peaks", unit="peak", leave=False)
        with bar:
            found_peaks = []
            for peak in pool.map(measure_rows, jobs):
                found_peaks.append(peak)
                bar.update()
    shape, table = (len(layers), heads, len(sizes)), xr.Dataset(coords={"n": list(sizes), "log_beta_sigma": GRID})
    for variable in found_peaks[0]:
        values = np.array([peak[variable] for peak in found_peaks], dtype=float)
        dims = ("layer", "head", "n", "log_beta_sigma")[: 2 + values.ndim]
        table[variable] = dims, values.reshape(*shape, *values.shape[1:])
    table["n_rows"] = "n", [layers[0][n][0, ..., 0].size for n in sizes]
    return table


def _described(data: xr.Dataset, attrs: dict[str, float], seed: int) -> xr.Dataset:
    for name in ("layer", "head"):
        data[name] = np.arange(data.sizes[name])
    for name, (long_name, units, formula) in VARIABLES.items():
        data[name].attrs = {"long_name": long_name, "units": units, "formula": formula}
    for name, (long_name, units) in ERRORS.items():
        data[name].attrs = {"long_name": f"{long_name} (one standard deviation)", "units": units,
                            "formula": "jackknife over passages or blocks of rows"}  # fmt: skip
    data["n_rows"].attrs = {"long_name": "rows of a head", "units": "1", "formula": "passages times rows of a passage"}
    data["n"].attrs = {"long_name": "visible keys of a row", "units": "1"}
    return data.assign_attrs(**attrs, seed=seed, versions=json.dumps(versions()))


def measure_rows(scores: np.ndarray) -> dict[str, float | np.ndarray]:
    """Peak of C of one head's rows (passage, row, n), all keys visible, with first-order jackknife errors.

    Names as in `VARIABLES` and `ERRORS`; NaN for a head whose scores are all equal.
    """
    head = Head(scores, np.ones(scores.shape[-1], dtype=bool))
    curves = np.zeros((2, len(GRID)))
    if head.sigma == 0.0:
        empty = dict.fromkeys([*VARIABLES, *ERRORS], nan)
        return empty | {"heat": curves[0], "entropy": curves[1]}
    log_beta = GRID - np.log(head.sigma)
    scan(head.below, head.counts, np.exp(log_beta), head.room, *curves)
    curves /= len(head.counts)
    beta_c, height, _ = _peak(head, log_beta, curves[0])
    low, high = (_edge(head, edge, height) for edge in _half_maximum(log_beta, curves[0], height))
    star = _self_consistent(head, curves[1])
    n = scores.shape[-1]
    gaps = -head.below.sum(axis=-1) / (n - 1)
    result: dict[str, float | np.ndarray] = {
        "beta_c": beta_c, "height": height, "low": low, "high": high, "relative_width": (high - low) / beta_c,
        "sigma": head.sigma, "gap": float(gaps.mean()), "beta_self_consistent": star,
        "heat": curves[0], "entropy": curves[1],
    }  # fmt: skip
    return result | _errors(head, result, gaps)


def _edge(head: Head, edge: float, height: float) -> float:
    """The beta next to ``edge`` where C is half the height, by Newton's method in ln beta."""
    if edge in (0.0, np.inf):
        return edge
    for _ in range(EDGE_STEPS):
        heat, slope = head.mean(edge)[3:5]
        edge *= float(np.exp(np.clip((height / 2.0 - heat) / slope, -0.1, 0.1))) if slope else 1.0
    return edge


def _errors(head: Head, found: dict[str, float | np.ndarray], gaps: np.ndarray) -> dict[str, float | np.ndarray]:
    """Jackknife over passages; each replica is one linear step away from the whole."""
    if head.passages < 2:
        return dict.fromkeys(ERRORS, nan)

    def left_out(values: np.ndarray) -> np.ndarray:
        """Means over all passages but one, (passage, ...)."""
        sums = values.reshape(head.passages, -1, *values.shape[1:]).mean(axis=1)
        return (sums.sum(axis=0) - sums) / (head.passages - 1)

    beta_c, star = float(found["beta_c"]), float(found["beta_self_consistent"])
    at_peak = left_out(head.at(beta_c))
    heat, slope, bend = at_peak[:, 3:].T
    sigma, gap = left_out(head.deviations), left_out(gaps)
    log_beta = -slope / bend if bend.sum() < 0.0 else np.full(len(bend), nan)  # shifts of ln beta_c
    ends = []
    for end in (float(found["low"]), float(found["high"])):
        if end in (0.0, np.inf):
            ends.append(np.full(len(heat), end))
            continue
        end_heat, end_slope = left_out(head.at(end)[:, 3:5]).T
        ends.append(end * np.exp((heat / 2.0 - end_heat) / end_slope))
    entropy, _, variance = left_out(head.at(star)[:, :3]).T
    root = np.sqrt(2.0 * entropy)
    log_star = (root - star * sigma) / (star * sigma + star**2 * variance / root)

    def error(replicas: np.ndarray) -> float:
        return sqrt((head.passages - 1) * float(np.var(replicas))) if np.isfinite(replicas).all() else nan

    return {
        "beta_c_error": beta_c * error(log_beta),
        "height_error": error(heat),
        "relative_width_error": error((ends[1] - ends[0]) / (beta_c * np.exp(log_beta))),
        "sigma_error": error(sigma),
        "log_beta_c_error": error(log_beta),
        "log_beta_c_sigma_error": error(log_beta + np.log(sigma)),
        "log_beta_c_gap_error": error(log_beta + np.log(gap)),
        "log_beta_c_entropy_error": error(log_beta - at_peak[:, 0] / heat.mean()),
        "log_beta_c_over_self_consistent_error": error(log_beta - log_star),
    }
