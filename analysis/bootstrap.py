"""Bootstrap on two levels: blocks within a sample, realisations between samples; covariance between beta and sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from .arguments import as_choice, as_integer
from .measurement import Data, divide, jackknifed, measure
from .moments import bootstrap_blocks, bootstrap_realisations
from .resampling import jackknife_covariance
from .thermodynamics import QUANTITIES, evaluate

QUANTILES = (0.025, 0.16, 0.84, 0.975)


def bootstrap(data: xr.Dataset, quantity: str, replicas: int = 1000, seed: int = 0) -> xr.Dataset:
    """Error and quantiles of a quantity from samples drawn anew, and how much of the error more draws would remove.

    With several realisations these are drawn anew as a whole: their spread already holds the thermal noise of each, so
    drawing blocks as well would count it twice. Drawing only the blocks, with the realisations kept, gives the thermal
    part of the error: error^2 - thermal_error^2 falls with more realisations only. With one realisation blocks of
    chains and draws are drawn anew. One sample fewer is drawn than there are (Rao and Wu 1988), so that the error is
    not too small by (B - 1) / B.

    Parameters
    ----------
    data
        Of one size, as for `summarize`.
    quantity
        As in `summarize`.
    replicas
        At least 100.
    seed
        The same seed gives the same result.

    Returns
    -------
    xarray.Dataset
        The quantity X (beta,), X_error, with several realisations X_thermal_error, and X_quantiles (quantile, beta) at
        2.5, 16, 84 and 97.5 %.

    Raises
    ------
    ValueError
        If the quantity is unknown, the data lacks what it needs, or there are too few replicas.
    """
    replicas, rng = as_integer("replicas", replicas, 100), np.random.default_rng(as_integer("seed", seed, 0))
    as_choice("quantity", quantity, QUANTITIES)
    blocks = divide(data)
    run = jackknifed(data, blocks)
    several = len(next(iter(blocks.means.values()))) > 1
    draw_anew = bootstrap_realisations if several else bootstrap_blocks
    rows = evaluate(replace(run, moments=draw_anew(blocks.means, blocks.counts, replicas, rng)), quantity)
    words = QUANTITIES[quantity]
    attrs = {"units": words.units, "formula": words.formula}
    columns = {quantity: (rows[0], words.long_name), f"{quantity}_error": (rows[1:].std(axis=0), "bootstrap error")}
    if several:
        thermal = evaluate(replace(run, moments=bootstrap_blocks(blocks.means, blocks.counts, replicas, rng)), quantity)
        columns[f"{quantity}_thermal_error"] = (thermal[1:].std(axis=0), "bootstrap error of the thermal averages")
    table = xr.Dataset(coords={"beta": ("beta", run.beta, {"long_name": "inverse temperature", "units": "1/J"})})
    for name, (values, long_name) in columns.items():
        table[name] = ("beta", values, {"long_name": long_name, **attrs})
    spread = np.quantile(rows[1:], QUANTILES, axis=0)
    table[f"{quantity}_quantiles"] = (("quantile", "beta"), spread, {"long_name": "bootstrap quantiles", **attrs})
    return table.assign_coords(quantile=list(QUANTILES))


def covariance(data: Data, quantity: str) -> xr.DataArray:
    """Covariance of a quantity between all points (size, beta), for fits through points of the same runs.

    Between beta it is the jackknife covariance where the beta of a size share their blocks: with replica exchange, or
    with several realisations (the same at every beta). Otherwise beta are independent runs, as sizes always are, and
    the covariance is zero.

    Parameters
    ----------
    data
        As for `summarize`.
    quantity
        As in `summarize`.

    Returns
    -------
    xarray.DataArray
        Dimensions (point, other), points size by size in the order of the data; coordinates `beta`, `n_sites` and
        `value` (the quantity) along point. Its rank is below the number of blocks of each size.

    Raises
    ------
    ValueError
        As `summarize`, or if the quantity is unknown or the data lacks what it needs.
    """
    as_choice("quantity", quantity, QUANTITIES)
    runs = measure(data)
    sizes = [len(run.beta) for run in runs]
    matrix, values = np.zeros((sum(sizes), sum(sizes))), []
    for run, stop in zip(runs, np.cumsum(sizes)):
        rows = evaluate(run, quantity)
        shared = jackknife_covariance(rows[1:, :, np.newaxis], rows[1:, np.newaxis, :])
        here = slice(stop - len(run.beta), stop)
        matrix[here, here] = shared if run.shared else np.diag(np.diag(shared))
        values.append(rows[0])
    coords = {
        "beta": ("point", np.concatenate([run.beta for run in runs])),
        "n_sites": ("point", np.repeat([run.n_sites for run in runs], sizes)),
        "value": ("point", np.concatenate(values)),
    }
    words = QUANTITIES[quantity]
    attrs = {"long_name": f"covariance of {words.long_name}", "units": f"({words.units})^2", "formula": words.formula}
    return xr.DataArray(matrix, coords, ("point", "other"), attrs=attrs)
