"""How good a proxy of the correlation length zeta = max(u, u_min)^-nu is, as numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .arguments import as_number, as_table, shown
from .resampling import Array

SIDES = ("below", "above")
FEWEST = 3
COLUMNS = {
    "nu": "exponent of the proxy",
    "nu_error": "its error from the scatter about the fit; 0 where held",
    "amplitude": "A of Q = A zeta",
    "rms": "root mean square of ln(Q / A zeta)",
    "r_squared": "share of the variance of ln Q that the proxy explains",
    "rank": "Spearman rank correlation of Q and zeta",
    "n_points": "number of points",
}


def proxy_quality(
    table: xr.Dataset, beta_c: float, quantity: str = "xi", nu: float | None = None, u_min: float = 0.06
) -> xr.Dataset:
    """Fit of Q = A zeta, zeta = max(u, u_min)^-nu, u = |beta - beta_c| / beta_c, to a measured length, side by side.

    Least squares in ln Q, every point of equal weight: what counts is how far the proxy is off, not how well Q is
    known. Below beta_c and above it are fitted apart, for a finite lattice has a length of order L in its ordered
    phase, which no proxy of u follows.

    Parameters
    ----------
    table
        From `summarize` (or any table of beta and Q), of one size or with dimension L.
    beta_c
        Critical inverse temperature of the system.
    quantity
        ``"xi"``, or a relaxation time such as ``"tau_energy"`` for zeta^z, where nu stands for nu z.
    nu
        Held where given, else fitted.
    u_min
        Cap: zeta grows no more closer to beta_c than this; the default is that of the thermostat.

    Returns
    -------
    xarray.Dataset
        Dimensions (side,) or (L, side), side "below" and "above" beta_c: nu, nu_error, amplitude, rms, r_squared,
        rank, n_points, NaN where a side has fewer than 3 points; zeta and proxy = A zeta beside Q along beta.

    Raises
    ------
    ValueError
        If beta_c or u_min are not positive, the table lacks the quantity, or neither side has 3 points.
    """
    beta_c, u_min = as_number("beta_c", beta_c, above=0), as_number("u_min", u_min, above=0)
    nu = None if nu is None else as_number("nu", nu, above=0)
    as_table("table", table, "analysis.summarize", ["beta", "n_sites"])
    if not isinstance(quantity, str) or quantity not in table:
        raise ValueError(f"quantity must be in the table, got {shown(quantity)}: it has {sorted(map(str, table))}")
    as_table("table", table, "analysis.summarize", [quantity])
    sizes = [table.isel(L=i) for i in range(table.sizes["L"])] if "L" in table.dims else [table]
    parts = [_one_size(size, beta_c, quantity, nu, u_min) for size in sizes]
    if all(np.isnan(part["rms"]).all() for part in parts):
        raise ValueError(
            f"beta_c must have {FEWEST} positive points of {quantity} on one side at least, got {beta_c:g}: add beta"
        )
    joined = xr.concat(parts, "L", coords=["n_sites"]) if "L" in table.dims else parts[0]
    return joined.assign_attrs(beta_c=beta_c, u_min=u_min, quantity=quantity)


def _one_size(table: xr.Dataset, beta_c: float, quantity: str, nu: float | None, u_min: float) -> xr.Dataset:
    beta, values = table["beta"].values, table[quantity].values
    log_zeta = -np.log(np.maximum(np.abs(beta - beta_c) / beta_c, u_min))  # of nu = 1
    usable = np.isfinite(values) & (values > 0)
    proxy, rows = np.full(len(beta), np.nan), []
    for side in (beta < beta_c, beta > beta_c):
        row = _fit(log_zeta[side & usable], values[side & usable], nu)
        proxy[side] = row["amplitude"] * np.exp(row["nu"] * log_zeta[side])
        rows.append(row)
    columns = {
        name: ("side", np.array([row[name] for row in rows]), {"long_name": words, "units": "1"})
        for name, words in COLUMNS.items()
    }
    attrs = {"long_name": "proxy A zeta", "units": table[quantity].attrs.get("units", "1")}
    curves = {quantity: table[quantity], "proxy": ("beta", proxy, attrs)}
    if f"{quantity}_error" in table:
        curves[f"{quantity}_error"] = table[f"{quantity}_error"]
    return xr.Dataset(columns | curves, {"side": list(SIDES)})


def _fit(log_zeta: Array, values: Array, nu: float | None) -> dict[str, float]:
    """One side; NaN where there are too few points, or all of them lie within the cap."""
    from scipy.stats import spearmanr

    n, nothing = len(values), dict.fromkeys(COLUMNS, float("nan"))
    if n < FEWEST or np.ptp(log_zeta) == 0:
        return nothing | {"n_points": n}
    y, away = np.log(values), log_zeta - log_zeta.mean()
    slope = float(away @ y / (away @ away)) if nu is None else nu
    residual = y - y.mean() - slope * away
    free = 2 if nu is None else 1
    total = float(np.sum((y - y.mean()) ** 2))
    return {
        "nu": slope,
        "nu_error": float(np.sqrt(residual @ residual / (n - free) / (away @ away))) if nu is None else 0.0,
        "amplitude": float(np.exp(y.mean() - slope * log_zeta.mean())),
        "rms": float(np.sqrt(np.mean(residual**2))),
        "r_squared": 1 - float(residual @ residual) / total if total > 0 else float("nan"),
        "rank": float(spearmanr(log_zeta, values).statistic),
        "n_points": n,
    }
