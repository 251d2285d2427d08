"""How many independent bits a lattice holds near its critical point, how far they reach, their cost in couplings.

A useful bit is defined by the overlap q = (1/N) sum_i s_i t_i of two independent thermal configurations: for N free
spins <q^2> = 1/N, for correlated ones <q^2> = (1/N^2) sum_ij <s_i s_j>^2, so that n = 1 / <q^2> is the number of free
spins whose overlap varies as much: the participation number of the correlation matrix. It is N at beta = 0 and 1 in an
ordered phase, and needs no geometry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import ising
from analysis import decay_length, slice_correlations
from ising import IsingModel, Schedule
from ising.arguments import as_kind, as_number, refuse
from ising.integers import as_integer

COLUMNS = {
    "useful_bits": ("independent bits", "1 / <q^2>"),
    "sites_per_bit": ("sites per useful bit", "N <q^2>"),
    "couplings_per_bit": ("couplings per useful bit", "n_bonds <q^2>"),
    "correlation_length": ("decay length of the correlations, in bonds", "C(r) ~ e^(-r / xi)"),
}


def useful_bits(
    models: Mapping[Any, IsingModel],
    beta: float | Mapping[Any, float],
    schedule: Schedule | None = None,
    pairs: int = 16,
    update: str = "auto",
    seed: int = 0,
) -> xr.Dataset:
    """Useful bits, couplings per useful bit and correlation length of several systems at one beta each.

    The correlation length is that of whole slices, A cosh((L/2 - r)/xi), on tori of one length; elsewhere the decay
    length of C(r) by distance along bonds, over all distances with C(r) above 4 of its errors. It is that of the
    symmetric phase, and NaN where C(r) is significant at fewer than 3 distances. On a closed surface C(r) flattens at
    <m^2>, which makes it too large on small ones at beta_c.

    Parameters
    ----------
    models
        Name or size -> model.
    beta
        One for all, or one a name: take a fixed fraction of each system's beta_c.
    schedule
        ``Schedule(1_000, 400, thin=5)`` if not given; every draw is kept, N x 2 pairs x draws bytes.
    pairs
        Pairs of independent chains, 2 or more; errors are from a jackknife over them.
    update
        Of `ising.sample`; ``"swendsen_wang"`` for ferromagnets at or below their critical temperature.
    seed
        Of the sampling.

    Returns
    -------
    xarray.Dataset
        Dimension system; each variable with `_error`; coordinates beta, n_sites, n_bonds.

    Raises
    ------
    ValueError
        No models, fewer than 2 pairs, or a name without a beta.
    """
    if schedule is None:
        schedule = Schedule(1_000, 400, thin=5)
    as_kind("schedule", schedule, Schedule, "ising.Schedule(1_000, 400)")
    pairs = as_integer("pairs", pairs, 2)
    if not isinstance(models, Mapping) or not models:
        refuse("models", "a dict of one system or more, {8: model, ...}", models)
    for model in models.values():
        as_kind("each of models", model, IsingModel, "ising.ferromagnet(ising.square(8))")
    betas = beta if isinstance(beta, Mapping) else dict.fromkeys(models, as_number("beta", beta, least=0))
    if missing := [name for name in models if name not in betas]:
        raise ValueError(f"beta has no entry for {missing[0]!r}; give one for every key of models")
    rows = [_measure(model, float(betas[name]), schedule, pairs, update, seed) for name, model in models.items()]
    columns = {}
    for name, (words, formula) in COLUMNS.items():
        values, errors = np.array([row[name] for row in rows]).T
        columns[name] = ("system", values, {"long_name": words, "formula": formula})
        columns[f"{name}_error"] = ("system", errors, {"long_name": f"error of {words}"})
    coords = {
        "system": list(models),
        "beta": ("system", [float(betas[name]) for name in models]),
        "n_sites": ("system", [model.lattice.n_sites for model in models.values()]),
        "n_bonds": ("system", [model.lattice.n_bonds for model in models.values()]),
    }
    return xr.Dataset(columns, coords, {"seed": seed, "pairs": pairs})


def _measure(
    model: IsingModel, beta: float, schedule: Schedule, pairs: int, update: str, seed: int
) -> dict[str, tuple[float, float]]:
    """Value and error of every column for one system."""
    data = ising.sample(model, beta, schedule, update, 2 * pairs, seed, configurations=1, progress=False)
    spins = data["configurations"].isel(beta=0)  # (chain, configuration, site)
    one, two = (spins.isel(chain=slice(start, None, 2)).values for start in (0, 1))
    overlap = np.einsum("pci,pci->pc", one, two, dtype=np.float64) / model.lattice.n_sites
    squared = np.mean(overlap**2, axis=1)  # (pair,)
    left_out = (squared.sum() - squared) / (pairs - 1)
    mean = squared.mean()
    bits = 1 / mean, _jackknife(1 / left_out)
    return {
        "useful_bits": bits,
        "sites_per_bit": (model.lattice.n_sites * mean, model.lattice.n_sites * _jackknife(left_out)),
        "couplings_per_bit": (model.lattice.n_bonds * mean, model.lattice.n_bonds * _jackknife(left_out)),
        "correlation_length": _length(model, spins),
    }


def _length(model: IsingModel, spins: xr.DataArray) -> tuple[float, float]:
    lattice = model.lattice
    L, d = lattice.attrs.get("L"), lattice.dimension
    try:
        if isinstance(d, int) and L is not None and L**d == lattice.n_sites:
            found = decay_length(slice_correlations(spins, (L,) * d), period=L)
        else:
            found = decay_length(ising.correlations(lattice, spins))
    except ValueError:
        return np.nan, np.nan
    return float(found["decay_length"]), float(found["decay_length_error"])


def _jackknife(left_out: np.ndarray) -> float:
    return float(np.sqrt((len(left_out) - 1) * np.var(left_out)))
