"""Laws fitted to the measured beta_c(n) of heads, and ranked.

Every law is fitted to each head's ln beta_c(n) by weighted least squares and, where it comes with its numbers fixed,
also judged as it stands. Errors are those of ln beta_c with the law's own measured inputs (sigma, gap, H at beta_c)
varied along, by jackknife; for "adaptive" and "corridor_measured", which use H far from beta_c, the error of ln beta_c
alone. Rows of different n count as independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import exp, nan

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from .laws import LAWS, NAMES, WITH_ENTROPY, Array, Sizes, fine_entropy, fixed_entropy, formulas


@dataclass(frozen=True)
class LawFit:
    """One law on one head.

    ``parameter`` multiplies the law (fixed_entropy: a of H = a ln n), ``exponent`` is b of "power"; ``shift`` is the
    change of the parameter without the smallest n. ``misfit``: rms of ln(beta_c / law); ``left_out``: the same for
    every n predicted by the others (leave one out); ``as_stands``: with the law's own numbers, NaN where it has none.
    """

    parameter: float
    parameter_error: float
    exponent: float
    exponent_error: float
    shift: float
    chi2: float
    dof: int
    aic: float
    misfit: float
    left_out: float
    as_stands: float
    as_stands_chi2: float


def fit_law(name: str, head: Sizes, log_beta: Array, errors: Array) -> LawFit:
    """Weighted least squares of one law to ln beta_c with ``errors`` (n,)."""
    own = np.full(len(log_beta), nan)
    if name == "fixed_entropy":
        fit = partial(_fit_entropy, head, log_beta, errors)
    else:
        law = LAWS[name]
        offset = log_beta - np.log(law.beta(head))
        own = offset if law.fixed else own
        fit = partial(
            _fit_linear, np.stack([np.ones_like(head.n), np.log(head.n)][: 1 + law.slope], axis=1), offset, errors
        )
    everything = np.ones(len(log_beta), dtype=bool)
    values, value_errors, residual = fit(everything)
    free = len(values)
    without = [fit(np.arange(len(log_beta)) != k) for k in range(len(log_beta))]
    predicted = np.array([found[2][k] for k, found in enumerate(without)])
    chi2 = float(np.sum((residual / errors) ** 2))
    return LawFit(
        float(values[0]), float(value_errors[0]),
        float(values[1]) if free > 1 else nan, float(value_errors[1]) if free > 1 else nan,
        float(without[0][0][0] - values[0]), chi2, len(log_beta) - free, chi2 + 2 * free, _rms(residual),
        _rms(predicted), _rms(own), float(np.sum((own / errors) ** 2)),
    )  # fmt: skip


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _fit_linear(columns: Array, offset: Array, errors: Array, used: Array) -> tuple[Array, Array, Array]:
    """Factor (and power of n) from ln beta_c - ln law, with errors; the residuals of all n, left out or not."""
    design = columns[used] / errors[used, None]
    covariance = np.linalg.inv(design.T @ design)
    values = covariance @ design.T @ (offset[used] / errors[used])
    value_errors, residual = np.sqrt(np.diag(covariance)), offset - columns @ values
    values[0] = exp(values[0])
    value_errors[0] *= values[0]
    return values, value_errors, residual


def _fit_entropy(head: Sizes, log_beta: Array, errors: Array, used: Array) -> tuple[Array, Array, Array]:
    """The a of H = a ln n; its error is the step of a that adds 1 to chi2, from the slope of ln beta at the best a."""

    def residual(fraction: float) -> Array:
        return log_beta - np.log(fixed_entropy(head, fraction))

    found = minimize_scalar(
        lambda a: float(np.sum((residual(a) / errors)[used] ** 2)), bounds=(0.01, 0.99), method="bounded"
    )
    best, step = float(found.x), 1e-3
    slopes = (residual(best + step) - residual(best - step)) / (2.0 * step)
    return np.array([best]), np.array([np.sum((slopes / errors)[used] ** 2) ** -0.5]), residual(best)


def fit_laws(data: xr.Dataset) -> xr.Dataset:
    """Every law fitted to every head of a measurement.

    Parameters
    ----------
    data
        From `heads.scaling`, with 3 sizes or more.

    Returns
    -------
    xarray.Dataset
        Dimensions (law, system, layer, head), variables as in `LawFit`; NaN for a head without a peak or an error at
        some n, and for "sphere" where d_k is unknown.

    Raises
    ------
    ValueError
        Fewer than 3 sizes.
    """
    if data.sizes["n"] < 3:
        raise ValueError(f"laws need at least 3 sizes, got {data.sizes['n']}: measure more")
    shape = tuple(data.sizes[name] for name in ("system", "layer", "head"))
    fields = list(LawFit.__dataclass_fields__)
    values = np.full((len(fields), len(NAMES), *shape), nan)
    for place in np.ndindex(shape):
        head, log_beta, errors = _sizes_of(data, place)
        if not (np.isfinite(log_beta).all() and all(np.isfinite(e).all() for e in errors.values())):
            continue
        for k, name in enumerate(NAMES):
            if name == "sphere" and not head.d_k > 1:
                continue
            error = errors[LAWS[name].error if name in LAWS else WITH_ENTROPY]
            fit = fit_law(name, head, log_beta, error)
            values[:, k, *place] = [getattr(fit, field) for field in fields]
    dims = ("law", "system", "layer", "head")
    coords = {"law": list(NAMES)} | {name: data[name] for name in dims[1:]}
    return xr.Dataset({field: (dims, column) for field, column in zip(fields, values)}, coords, formulas())


def predicted(name: str, data: xr.Dataset, fits: xr.Dataset) -> xr.DataArray:
    """The fitted law's beta (layer, head, n) for one system of `heads.scaling` and its `fit_laws`."""
    law, lines = fits.sel(law=name), xr.full_like(data.beta_c, nan)
    whole = data.expand_dims("system")
    for place in np.ndindex(lines.shape[:2]):
        fit = law.isel(layer=place[0], head=place[1])
        if not np.isfinite(fit.parameter):
            continue
        head = _sizes_of(whole, (0, *place))[0]
        if name == "fixed_entropy":
            lines[place] = fixed_entropy(head, float(fit.parameter))
        else:
            exponent = float(fit.exponent) if LAWS[name].slope else 0.0
            lines[place] = float(fit.parameter) * LAWS[name].beta(head) * head.n**exponent
    return lines


def _sizes_of(data: xr.Dataset, place: tuple[int, ...]) -> tuple[Sizes, Array, dict[str, Array]]:
    row = data.isel(dict(zip(("system", "layer", "head"), place)))
    grid, entropy = fine_entropy(row["log_beta_sigma"].values, row.entropy.values, row.heat.values)
    head = Sizes(
        row["n"].values.astype(float), row.sigma.values, row.gap.values, row.beta_self_consistent.values, entropy,
        grid, data.attrs["d_k"], data.attrs["beta_0"],
    )  # fmt: skip
    names = {law.error for law in LAWS.values()} | {WITH_ENTROPY}
    with np.errstate(divide="ignore"):
        return head, np.log(row.beta_c.values), {name: row[name].values for name in names}
