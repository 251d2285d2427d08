"""The scaling variables of mean field, and the exact curves of the Curie-Weiss model in them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .arguments import as_number, as_numbers, as_table

POWERS = {"susceptibility": 0.5, "susceptibility_connected": 0.5, "magnetization_abs": -0.25, "binder": 0.0}
SYMBOLS = {0.5: "chi / N^(1/2)", -0.25: "<|m|> N^(1/4)", 0.0: "U4"}
REACH, NODES = 8.0, 200  # |m| N^(1/4) beyond which its weight is below e^-90 for |x| <= 10; points of the integral


def mean_field_variables(table: xr.Dataset, beta_c: float) -> xr.Dataset:
    """Against x = t N^(1/2), t = beta / beta_c - 1: chi / N^(1/2), <|m|> N^(1/4) and U4, functions of x alone.

    So they do for large N on complete, random-regular and closed hyperbolic graphs, up to corrections of relative order
    N^(-1/2) and one factor each for x, chi and |m|, which the graph fixes (1 for Curie-Weiss, see
    `curie_weiss_scaling`); U4(0) = 0.270520 needs none.

    Parameters
    ----------
    table
        From `summarize`, with ``n_sites``.
    beta_c
        Critical inverse temperature, such as ``fit_scaling(data).beta_c``.

    Returns
    -------
    xarray.Dataset
        The variables of the table above with their errors, scaled, of the same dimensions, and the coordinate ``x``.

    Raises
    ------
    ValueError
        If beta_c is not positive or the table has none of the variables.
    """
    beta_c = as_number("beta_c", beta_c, above=0)
    as_table("table", table, "analysis.summarize", ["beta", "n_sites"])
    names = [name for name in POWERS if name in table]
    if not names:
        raise ValueError(f"the table must have one of {', '.join(POWERS)}, got {sorted(map(str, table))}")
    as_table("table", table, "analysis.summarize", [key for name in names for key in (name, f"{name}_error")])
    n_sites = table["n_sites"]
    if not (n_sites > 0).all():
        raise ValueError(f"n_sites of the table must be > 0, got {n_sites.values}")
    scaled = {}
    for name in names:
        symbol = SYMBOLS[POWERS[name]]
        for key in (name, f"{name}_error"):
            scaled[key] = (table[key] * n_sites ** -POWERS[name]).assign_attrs(long_name=symbol, units="1")
    x = (table["beta"] / beta_c - 1) * np.sqrt(n_sites)
    x.attrs = {"long_name": "t N^(1/2), t = beta / beta_c - 1", "units": "1"}
    return xr.Dataset(scaled, attrs=table.attrs | {"beta_c": beta_c}).assign_coords(x=x)


def curie_weiss_scaling(x: ArrayLike) -> xr.Dataset:
    """The limit N -> infinity of the Curie-Weiss model: chi / N^(1/2) = <u^2>, <|m|> N^(1/4) = <|u|>, U4(x).

    u = m N^(1/4) has the weight exp(x u^2 / 2 - u^4 / 12), integrated here by Gauss's rule, exact to rounding.

    Parameters
    ----------
    x
        t N^(1/2), any number or (point,); |x| <= 10.

    Returns
    -------
    xarray.Dataset
        Dimension (point,): coordinate x; susceptibility, susceptibility_connected, magnetization_abs, binder, scaled as
        by `mean_field_variables`.

    Raises
    ------
    ValueError
        If |x| > 10.

    Examples
    --------
    >>> round(curie_weiss_scaling(0.0).binder.item(), 10)
    0.2705201283
    """
    places = np.atleast_1d(as_numbers("x", x, -10, most=10))
    if places.ndim != 1:
        raise ValueError(f"x must be a number or of shape (point,), got {places.shape}")
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    u = REACH * (1 + nodes) / 2
    exponent = places[:, np.newaxis] * u**2 / 2 - u**4 / 12  # (point, grid)
    weight = weights * np.exp(exponent - exponent.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    first, second, fourth = weight @ u, weight @ u**2, weight @ u**4
    return xr.Dataset(
        {
            "susceptibility": ("point", second),
            "susceptibility_connected": ("point", second - first**2),
            "magnetization_abs": ("point", first),
            "binder": ("point", 1 - fourth / (3 * second**2)),
        },
        {"x": ("point", places)},
    )
