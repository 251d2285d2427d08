"""Where the Ising model on closed hyperbolic maps is critical: measured, with the scatter between maps in the error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import hypot
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

import analysis
import ising
from analysis.laws import BINDER_MEAN_FIELD
from ising.exact import bethe_critical_beta
from ising.streams import derived_seed
from ising.tilings.catalog import quotients
from ising.tilings.closed import map_lattice, radius_objection
from ising.tilings.darts import Quotient
from ising.tilings.surface import injectivity_radius

TILINGS = ((5, 4), (6, 4), (3, 7), (7, 3), (8, 3), (4, 5), (4, 6), (3, 8), (5, 5))
X = np.linspace(-0.8, 1.6, 8)  # (beta / beta_0 - 1) sqrt(N) of the points: smaller maps take U4* at smaller beta_0
FIRST_LOOK = np.linspace(0.94, 1.24, 16)  # in units of the Bethe value
SMALLEST, SIZES, MAPS_PER_SIZE = 1_000, 5, 2


def measure(
    tilings: Sequence[tuple[int, int]] = TILINGS,
    largest: int = 60_000,
    draws: int = 2_000,
    seed: int = 0,
    progress: bool = True,
) -> xr.Dataset:
    """Critical beta of each {p,q}: joint mean-field fit of U4 over closed maps of several sizes.

    Of each size at most the two maps of largest injectivity radius are taken, and five sizes from 1,000 sites up that
    divide the range evenly on a logarithmic scale. Swendsen-Wang sweeps in 8 chains at 8 values of beta a map, chosen
    in a first look at the smallest and then follows the fit of all sizes before.

    Parameters
    ----------
    tilings
        Pairs p, q.
    largest
        Largest number of sites.
    draws
        Per chain and beta.
    seed
        Root of all random numbers.
    progress
        Show a bar.

    Returns
    -------
    xarray.Dataset
        Dimension tiling: the fields of `analysis.ScalingFit`, beta_c_error joined with beta_c_shift, and beta_bethe,
        the critical beta of the Bethe lattice of the same degree, atanh(1 / (q - 1)). Coordinates tiling (``"{5,4}"``),
        p and q.

    Raises
    ------
    ValueError
        A {p,q} with closed maps of fewer than 3 sizes in the range, or as `analysis.fit_scaling`.
    """
    chosen = {(p, q): maps(p, q, largest) for p, q in tilings}
    work = sum(lattice.n_sites for lattices in chosen.values() for lattice in lattices)
    rows = []
    with tqdm(total=work, desc="closed maps", unit="site", unit_scale=True, disable=not progress) as bar:
        for (p, q), lattices in chosen.items():
            bar.set_postfix_str(f"{{{p},{q}}}")
            fit = _fit([*_runs(lattices, bethe_critical_beta(q), draws, seed, bar)], f"{{{p},{q}}}")
            rows.append(fit | {"p": p, "q": q, "beta_bethe": bethe_critical_beta(q)})
    return _table(rows)


def _fit(runs: list[xr.Dataset], name: str) -> dict[str, Any]:
    """Fields of the scaling fit, the shift without the smallest size joined to the error, warnings under the name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = analysis.fit_scaling(runs)
    for warning in caught:
        warnings.warn(f"{name}: {warning.message}", warning.category, stacklevel=3)
    return asdict(fit) | {"beta_c_error": hypot(fit.beta_c_error, np.nan_to_num(fit.beta_c_shift))}


def maps(p: int, q: int, largest: int) -> list[ising.Lattice]:
    """The maps of a measurement, smallest first."""
    known: dict[int, list[Quotient]] = {}
    for quotient in quotients(p, q, largest * q):
        if quotient.n_sites >= SMALLEST and radius_objection(quotient) is None:
            known.setdefault(quotient.n_sites, []).append(quotient)
    if len(known) < 3:
        raise ValueError(
            f"{{{p},{q}}} has {len(known)} sizes of closed maps from {SMALLEST} to {largest} sites, 3 are needed"
        )
    sizes = np.array(sorted(known))
    wanted = np.geomspace(sizes[0], sizes[-1], SIZES)
    nearest = sorted({int(sizes[np.argmin(np.abs(np.log(sizes / size)))]) for size in wanted})
    chosen = [sorted(known[size], key=injectivity_radius, reverse=True)[:MAPS_PER_SIZE] for size in nearest]
    return [map_lattice(quotient) for several in chosen for quotient in several]


def _runs(
    lattices: Sequence[ising.Lattice], beta_bethe: float, draws: int, seed: int, bar: tqdm
) -> Iterator[xr.Dataset]:
    """One dataset a map. Each next grid is centred where U4 of the map before takes its critical value."""
    center = _takes_critical_value(_sample(lattices[0], beta_bethe * FIRST_LOOK, draws // 4, seed))
    for number, lattice in enumerate(lattices, start=1):
        own = derived_seed(seed, lattice.attrs["p"], lattice.attrs["q"], number)
        data = _sample(lattice, center * (1 + X / np.sqrt(lattice.n_sites)), draws, own)
        center = _takes_critical_value(data)
        bar.update(lattice.n_sites)
        yield data


def _sample(lattice: ising.Lattice, beta: NDArray[np.float64], draws: int, seed: int) -> xr.Dataset:
    data = ising.sample(
        ising.ferromagnet(lattice), beta, ising.Schedule(200, draws), update="swendsen_wang", chains=8, seed=seed,
        observables=["magnetization"], progress=False,
    )  # fmt: skip
    return data.assign_coords(L=lattice.attrs["surface"])


def _takes_critical_value(data: xr.Dataset) -> float:
    """Beta at which U4 takes its mean-field critical value."""
    m2 = (data.magnetization**2).mean(("chain", "draw"))
    binder = 1 - (data.magnetization**4).mean(("chain", "draw")) / (3 * m2**2)
    rising = np.maximum.accumulate(binder.values)
    return float(np.interp(BINDER_MEAN_FIELD, rising, data.beta.values))


def _table(rows: list[dict[str, Any]]) -> xr.Dataset:
    """The fits as columns along `tiling`."""
    columns = {name: ("tiling", [row[name] for row in rows]) for name in rows[0]}
    coords = {"tiling": [f"{{{row['p']},{row['q']}}}" for row in rows], "p": columns.pop("p"), "q": columns.pop("q")}
    return xr.Dataset(columns, coords)
