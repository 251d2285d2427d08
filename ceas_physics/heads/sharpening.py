"""Do peaks get sharper with size? Width and height of C against n, against a true transition and across models.

A transition narrows: the susceptibility peak of the Curie-Weiss model, found here by the same search for the maximum
and its half, has a relative width that falls as N^(-1/2). The corridor of an attention controller, d nats under ln n,
is put beside beta_c(n) to show where the two part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import analysis
import ising

from ..attention import _half_maximum
from ..spin_corridor import CORRIDOR
from .laws import fine_entropy

Array = NDArray[np.float64]
QUANTITIES = ("relative_width", "height")


def curve_peak(log_beta: Array, curve: Array) -> tuple[float, float, float, float]:
    """(beta_c, height, low, high) of a curve (grid,) at ln(beta): parabola through the top 3, half-maximum band.

    The band as for heads: 0 or inf on a side where the curve stays above half. ValueError if it is largest at an edge.
    """
    top = int(np.argmax(curve))
    if top in (0, len(curve) - 1):
        raise ValueError("the curve is largest at the edge of its grid: widen the beta range")
    bend, slope, height = np.polyfit(log_beta[top - 1 : top + 2] - log_beta[top], curve[top - 1 : top + 2], 2)
    place = -slope / (2.0 * bend)
    height += slope * place / 2.0
    return float(np.exp(log_beta[top] + place)), float(height), *_half_maximum(log_beta, curve, float(height))


def curie_weiss_peaks(sizes: Sequence[int] = (64, 128, 256, 512, 1024, 2048)) -> xr.Dataset:
    """Exact peaks of the connected susceptibility of the Curie-Weiss model of N = n sites, as from `heads.scaling`.

    Dimensions (system, layer, head, n): beta_c, height, low, high, relative_width; N >= 64, where the band is closed.
    """
    window = np.linspace(-6.0, 6.0, 401)  # of ln(beta) sqrt(N)
    peaks = []
    with threadpool_limits(1):  # its products are small: threads would wait for each other
        for n in sizes:
            log_beta = window / np.sqrt(n)
            curve = ising.exact.curie_weiss(n, np.exp(log_beta)).susceptibility_connected.values
            peaks.append(curve_peak(log_beta, curve))
    names = ("beta_c", "height", "low", "high")
    dims = ("system", "layer", "head", "n")
    table = xr.Dataset(
        {name: (dims, column[None, None, None]) for name, column in zip(names, np.array(peaks).T)},
        {"system": ["Curie-Weiss"], "layer": [0], "head": [0], "n": list(sizes)},
    )
    return table.assign(relative_width=(table.high - table.low) / table.beta_c)


def size_trends(data: xr.Dataset) -> xr.Dataset:
    """How width and height change with n: power y ~ n^b, and y = a + c ln n, fitted to each head.

    Parameters
    ----------
    data
        From `heads.scaling` or `curie_weiss_peaks`, 3 sizes or more.

    Returns
    -------
    xarray.Dataset
        Dimensions (quantity, system): ``exponent`` b and ``slope`` c, means over the heads with a closed half-maximum
        band at every n (``n_heads``). Errors: of the mean over heads; for a single head of its fit, enlarged where that
        is not credible. ``power_misfit`` and ``log_misfit``: rms of ln y about each law. Sharpening is b < 0 of the
        relative width.

    Raises
    ------
    ValueError
        Fewer than 3 sizes.
    """
    if data.sizes["n"] < 3:
        raise ValueError(f"trends need at least 3 sizes, got {data.sizes['n']}: measure more")
    names = ("exponent", "exponent_error", "slope", "slope_error", "power_misfit", "log_misfit", "n_heads")
    values = np.full((len(names), len(QUANTITIES), data.sizes["system"]), np.nan)
    for q, quantity in enumerate(QUANTITIES):
        for s in range(data.sizes["system"]):
            fits = _head_trends(data.isel(system=s), quantity)
            if len(fits):
                values[:, q, s] = _over_heads(fits)
    dims = ("quantity", "system")
    return xr.Dataset(
        {name: (dims, column) for name, column in zip(names, values)},
        {"quantity": list(QUANTITIES), "system": data["system"]},
    )


def _head_trends(data: xr.Dataset, quantity: str) -> Array:
    """Rows (exponent, its error, slope, its error, misfits of both) of the heads with finite values at every n."""
    n = data["n"].values.astype(float)
    curves = data[quantity].values.reshape(-1, len(n))
    name = f"{quantity}_error"
    errors = data[name].values.reshape(curves.shape) if name in data else np.full(curves.shape, 1e-6) * curves
    usable = (np.isfinite(curves) & (curves > 0) & np.isfinite(errors) & (errors > 0)).all(axis=1)
    return np.array([_trend(n, y, error) for y, error in zip(curves[usable], errors[usable])])


def _trend(n: Array, y: Array, error: Array) -> tuple[float, ...]:
    law = analysis.fit_power_law(n, y, error)
    (slope, constant), covariance = np.polyfit(np.log(n), y, 1, w=1.0 / error, cov="unscaled")
    line = slope * np.log(n) + constant
    scatter = np.sqrt(np.sum(((y - line) / error) ** 2) / (len(n) - 2))
    return (
        law.exponent, law.exponent_error * max(law.scatter, 1.0), slope, np.sqrt(covariance[0, 0]) * max(scatter, 1.0),
        _rms(np.log(y / law.at(n))), _rms(np.log(y / line)) if (line > 0).all() else np.inf,
    )  # fmt: skip


def _over_heads(fits: Array) -> Array:
    """Means over heads with the errors of the means; a single head keeps its own."""
    mean = fits.mean(axis=0)
    if len(fits) > 1:
        mean[[1, 3]] = fits[:, [0, 2]].std(axis=0, ddof=1) / np.sqrt(len(fits))
    return np.array([*mean, len(fits)])


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def corridor_separation(data: xr.Dataset) -> xr.Dataset:
    """Where the corridor H in [ln n - 1.3, ln n - 0.9] lies against beta_c(n), for every head and n.

    Parameters
    ----------
    data
        From `heads.scaling`.

    Returns
    -------
    xarray.Dataset
        Dimensions (system, layer, head, n): ``low`` and ``high``, the corridor's ends in units of beta_c, and
        ``inside``, whether all of it lies in the half-maximum band of C.
    """
    names = ("system", "layer", "head", "n")
    log_n = np.log(data["n"].values)
    ends = {end: np.full(data.beta_c.shape, np.nan) for end in ("low", "high")}
    for place in np.ndindex(data.beta_c.shape[:3]):
        if not np.isfinite(data.beta_c.values[place]).all():
            continue
        grid, curves = fine_entropy(data["log_beta_sigma"].values, data.entropy.values[place], data.heat.values[place])
        for end, depth in zip(("low", "high"), CORRIDOR):
            found = [np.interp(-(target - depth), -curve, grid) for target, curve in zip(log_n, curves)]
            ends[end][place] = np.exp(found) / data.sigma.values[place]
    ratio = {end: (names, beta / data.beta_c.values) for end, beta in ends.items()}
    inside = (data.low.values <= ends["low"]) & (ends["high"] <= data.high.values)
    return xr.Dataset(ratio | {"inside": (names, inside)}, {name: data[name] for name in names})


def model_trend(tables: Iterable[xr.Dataset], n: int = 128) -> xr.Dataset:
    """Relative width of the peaks of trained models at one n, against their number of parameters.

    Dimension (model): mean and median over heads with a closed band, error of the mean, parameters. ``exponent`` with
    its error is that of width ~ parameters^b, from the scatter of the models where there are 3 or more.
    """
    rows = []
    for table in tables:
        width = table.relative_width.isel(system=0).sel(n=n).values
        width = width[np.isfinite(width)]
        error = width.std(ddof=1) / np.sqrt(len(width))
        rows.append((str(table.system.values[0]), table.attrs["n_parameters"], width.mean(), error, np.median(width)))
    names, *columns = zip(*rows)
    variables = ("n_parameters", "relative_width", "relative_width_error", "median_width")
    result = xr.Dataset(
        {key: ("model", list(values)) for key, values in zip(variables, columns)}, {"model": list(names)}
    )
    if len(rows) >= 3:
        law = analysis.fit_power_law(result.n_parameters, result.relative_width, result.relative_width_error)
        result["exponent"], result["exponent_error"] = law.exponent, law.exponent_error * max(law.scatter, 1.0)
    return result
