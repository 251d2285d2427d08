"""Whether a spin glass is in equilibrium: the energy that the link overlap implies, and log-binning."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr

from .arguments import as_number, as_table
from .measurement import divide, jackknifed
from .resampling import Array, jackknife_error
from .thermodynamics import QUANTITIES, evaluate

FEWEST_DRAWS = 2  # of the shortest bin


def equilibration(data: xr.Dataset, bonds_per_site: float) -> xr.Dataset:
    """Energy of a Gaussian spin glass against the energy that its link overlap implies.

    In equilibrium [<e>] = -(z / 2) beta (1 - [<q_l>]) for couplings drawn from N(0, 1) without field, by partial
    integration over every coupling. A run that starts from random spins comes from above with its energy and from
    below with its link overlap, so the difference falls to zero from above; it is the sharpest test of equilibrium
    where it holds. It holds for the average over the disorder, not for one realisation.

    Parameters
    ----------
    data
        Of one size, with at least two realisations, `energy` and `link_overlap`.
    bonds_per_site
        z / 2 = n_bonds / n_sites: 3 for the cubic lattice.

    Returns
    -------
    xarray.Dataset
        Dimension (beta,): `energy`, `energy_from_links` and `difference` = [<e>] + (z / 2) beta (1 - [<q_l>]), each
        with its `_error` by jackknife over realisations.

    Raises
    ------
    ValueError
        If the data has fewer than two realisations, lacks a variable or has other couplings.

    References
    ----------
    H. G. Katzgraber, M. Palassini and A. P. Young, Phys. Rev. B 63, 184422 (2001).
    """
    as_table("data", data, "ising.sample")
    distribution = data.attrs.get("model_distribution", "gaussian")
    if distribution != "gaussian":
        raise ValueError(f"equilibration holds for couplings from N(0, 1), got {distribution!r}: use log_binning")
    if data.sizes.get("disorder", 1) < 2:
        raise ValueError(f"equilibration needs at least 2 realisations, got {data.sizes.get('disorder', 1)}")
    bonds_per_site = as_number("bonds_per_site", bonds_per_site, above=0)
    run = jackknifed(data, divide(data))
    energy, links = evaluate(run, "energy"), evaluate(run, "link_overlap")
    implied = -bonds_per_site * run.beta * (1.0 - links)
    formula = "-(z / 2) beta (1 - [<q_l>])"
    columns = {
        "energy": (energy, "energy per site", "[<e>]"),
        "energy_from_links": (implied, "energy per site from the link overlap", formula),
        "difference": (energy - implied, "energy less the energy from the link overlap", f"[<e>] - ({formula})"),
    }
    return _table(run.beta, "J", columns)


def log_binning(data: xr.Dataset, quantity: str = "energy") -> xr.Dataset:
    """A quantity over the draws [n / 2, n), [n / 4, n / 2), ..., last bin first: does it still drift?

    The run is taken as in equilibrium if the last three bins agree. Their changes are compared realisation by
    realisation (or chain by chain where there is one), which is far sharper than to compare the values.

    Parameters
    ----------
    data
        Of one size, with several realisations or chains (pairs of chains for overlaps), sampled without warm-up.
    quantity
        As in `summarize`.

    Returns
    -------
    xarray.Dataset
        Dimensions (bin, beta): the quantity, its `_error`, its `_change` from the last bin and that `_change_error`;
        coordinates `first` and `stop`, the draws of a bin.

    Raises
    ------
    ValueError
        If the quantity is unknown, or there are fewer than 12 draws or only one chain of one realisation.
    """
    n_draws = as_table("data", data, "ising.sample").sizes.get("draw", 0)
    edges = [n_draws]
    while edges[-1] - edges[-1] // 2 >= FEWEST_DRAWS and edges[-1] > 1:
        edges.append(edges[-1] // 2)
    if len(edges) < 4:
        raise ValueError(f"log_binning needs at least 12 draws, got {n_draws}: draw more")
    if max(data.sizes.get("disorder", 1), data.sizes.get("pair", data.sizes.get("chain", 0))) < 2:
        raise ValueError("log_binning needs several realisations or several chains (or pairs of chains), got one")
    bins = [data.isel(draw=slice(first, stop)) for stop, first in pairwise(edges)]
    runs = [jackknifed(each, divide(each, whole_chains=True)) for each in bins]  # the same blocks in every bin
    rows = np.stack([evaluate(run, quantity) for run in runs], axis=1)  # (1 + block, bin, beta)
    name, formula = QUANTITIES[quantity].long_name, QUANTITIES[quantity].formula
    columns = {
        quantity: (rows, name, formula),
        f"{quantity}_change": (rows - rows[:, :1], f"{name} less that of the last bin", formula),
    }
    table = _table(runs[0].beta, QUANTITIES[quantity].units, columns)
    return table.assign_coords(first=("bin", edges[1:]), stop=("bin", edges[:-1]))


def _table(beta: Array, units: str, columns: dict[str, tuple[Array, str, str]]) -> xr.Dataset:
    """Name -> rows (1 + block, ..., beta), long name and formula: values and jackknife errors."""
    table = xr.Dataset(coords={"beta": ("beta", beta, {"long_name": "inverse temperature", "units": "1/J"})})
    for name, (rows, long_name, formula) in columns.items():
        dims = ("bin", "beta")[-rows[0].ndim :]
        attrs = {"units": units, "formula": formula}
        table[name] = (dims, rows[0], {"long_name": long_name, **attrs})
        table[f"{name}_error"] = (dims, jackknife_error(rows), {"long_name": f"error of {long_name}", **attrs})
    return table
